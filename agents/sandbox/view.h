// The tree of files a call sees: an empty root of its own with what the box mounts into it, and nothing else.
#pragma once

#include "box.h"

// In the init, inside its mount and PID namespaces. Makes the tree, a /proc and a minimal /dev, and pivots into it. 0
// or an errno value; *ret_what (static) names the step that failed. After a failure the process must not go on with the
// call.
int view_enter(const struct box *box, const char **ret_what);
