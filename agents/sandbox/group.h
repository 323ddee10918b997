// Control group of one call: a limit of processes and memory that also holds root. Only where we may make one (root, or
// a delegated tree; versions 2 and 1); elsewhere there is none.
#pragma once

#include "box.h"

#include <sys/types.h>

struct group {
    char dirs[3][512]; // pids (1), memory (1), or both (2); "" when not made
};

// True when the limit of processes holds. The process must still be waiting.
bool group_make(const struct box *box, pid_t member, struct group *ret);
void group_remove(struct group *group); // when no process is left in it
