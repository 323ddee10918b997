// Programs as a box shows them.
#pragma once

#include "pins.h"
#include "plan.h"

// The program at `path` (absolute) with the links that lead to it can be started, as long as it is the file it
// was when the stage asked for it first; for a script its interpreter, too.
void program_give(struct plan *plan, struct pins *pins, char *const *environment, const char *path);
// Every program in PATH whose name fits `pattern` (* and ?).
void program_give_named(struct plan *plan, struct pins *pins, char *const *environment, const char *pattern);
