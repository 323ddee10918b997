// What other tools do with the same two programs, as plainly as they do it: for the table of measure_aa. Nothing of it
// is used by Baton.
#pragma once

#include "base/err.h"

enum said { SAID_SAME, SAID_FASTER, SAID_SLOWER };

// One in-process run of the work, so many rounds.
typedef void (*work_fn)(double rounds);

// As hyperfine: ten runs of one, then ten of the other; told apart when the ratio of the means is farther from 1 than
// its standard deviation (errors propagated as if both were independent).
int others_hyperfine(const char *const *a, const char *const *b, enum said *ret, struct err *err);

// As criterion with its defaults: for each side 3 s of warm-up and 100 samples in 5 s with a growing number of
// iterations, then a two-sample t-test (p < 0.05) of the times per iteration, and the 95 % interval of the change of
// the mean must lie outside +-1 %.
enum said others_criterion(work_fn work, double rounds_a, double rounds_b);
