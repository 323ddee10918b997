// The tree of files a call sees: an empty root of its own with what the box mounts into it, and nothing else.
#pragma once

#include "box.h"

struct view_failure {
    const char *what; // the step or the path of the box; static or into the box
    bool of_call;     // a path of this call, which may be in the hands of an agent; otherwise the host forbids it
};

// In the init, inside its mount and PID namespaces. Makes the tree, a /proc and a minimal /dev, and pivots into it. 0
// or an errno value. After a failure the process must not go on with the call.
int view_enter(const struct box *box, struct view_failure *ret);
