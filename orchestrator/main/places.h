// Where things are: state (journal, artifacts, runs), data that ships (workflows, agent files), worker programs. Found from the
// environment and from where this program lies, so that a build tree and an installation both work.
#pragma once

#include "base/err.h"

struct places {
    char *state;    // $BATON_STATE, else $XDG_STATE_HOME/baton, else ~/.local/state/baton
    char *data;     // $BATON_DATA, else <program>/../share/baton
    char *programs; // folder of the worker programs: beside this program, else <program>/../libexec/baton
};

int places_find(struct places *ret, struct err *err);
void places_free(struct places *p);
