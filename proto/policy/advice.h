// Which rule would allow a command.
#pragma once

#include "policy/run.h"

// Sets d->needed to the narrowest rule that a person would write for it, or to "". Only rules that were tried are
// given.
bool advice_give(const struct run *run, const char *const *argv, struct decision *d);
