// Programs as a box shows them.
#pragma once

#include "plan.h"

// The program at `path` (absolute) with the links that lead to it can be started; for a script its interpreter, too.
void program_give(struct plan *plan, char *const *environment, const char *path);
// Every program in PATH whose name fits `pattern` (* and ?).
void program_give_named(struct plan *plan, char *const *environment, const char *pattern);
