// `baton resume` of a run that has ended, or with another script: shows the plan and asks.
#pragma once

#include "engine/engine.h"
#include "main/cli.h"

// Do the options of the command line ask for it?
bool reopen_wanted(const struct cli *cli);
// Shows the plan, asks, and takes the run up again in the journal. 1: it was not wanted (or nobody could be asked):
// nothing changed.
int reopen_with(struct engine *engine, const char *run, const struct cli *cli, struct err *err);
