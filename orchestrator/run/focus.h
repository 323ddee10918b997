// What the called agent's own file says about being called: the row of its table "When Called After Another Agent" for
// the predecessor decides the worker's mode and which context it expects. Pure.
//
// - No row for the predecessor: default mode of the role, no expectation ("pass the next task").
// - The focus text becomes a mode through tbl/modes.def, the expected context becomes output keys through
// tbl/contexts.def.
//   Words that no table knows expect nothing: what nobody consumes is not demanded.
#pragma once

#include "agentfile/agentfile.h"
#include "json/json.h"

#include <stdbool.h>

struct focus {
    const char *mode;     // static
    const char *text;     // focus as written in the file, borrowed from it; NULL without a row
    const char *expected; // expected context as written, borrowed; NULL without a row
    int line;             // of the row; 0 without one
    bool missing;         // no parent has any of the outputs the expected context stands for
    char keys[128];       // those outputs, "findings|issues"
};

// role: of the called agent. previous: agent name of the direct parent, NULL when nobody called. parents: array of
// handoff objects, newest last. forced_mode: from the script, wins over the table; NULL for none.
void focus_choose(const struct agentfile *agent, const char *role, const char *previous, const json_t *parents,
                  const char *forced_mode, struct focus *ret);
// Does the role have this mode?
bool focus_mode_known(const char *role, const char *mode);
// Is its result also what it leaves on the branch of the run?
bool focus_mode_commits(const char *role, const char *mode);
