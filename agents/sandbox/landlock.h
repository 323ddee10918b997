// Landlock, with definitions of our own: the headers of older distributions know less than the running kernel.
#pragma once

#include "box.h"

// The version the kernel speaks, 0 when it has none.
int landlock_version(void);
// Puts the calling process (no_new_privs set) under the box's allow lines; from_host: paths mean the host's tree (no
// view was made), where a mount is at its source. 0 or an errno value.
int landlock_enforce(const struct box *box, bool from_host);
