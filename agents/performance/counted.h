// Comparing by what is counted and not timed: allocations and system calls of a run (valgrind, through the sandbox),
// the size of programs. The same pairs and the same rule as for times: what varies from run to run is told from what
// changed.
#pragma once

#include "performance/bench.h"
#include "performance/witnessed.h"

#define COUNTED_PAIRS 10u // the least that carries a 99 % interval with room for one odd run

struct counted {
    struct bench *b;           // metric, theta, time
    const struct witnessed *w; // what is run
    double size[2];            // of the programs, bytes; 0: not known
};

// ERR_NOT_FOUND: valgrind is not there; ERR_INVALID: there is nothing to count.
int counted_compare(const struct counted *c, struct ab_result **ret, struct err *err);
