// The parts of mode bench: what is measured (bench_commands.c, bench_revisions.c), and what is said about it
// (bench_result.c).
#pragma once

#include "base/vec.h"
#include "measure/ab.h"
#include "sdk/agent.h"

struct bench_row {        // one comparison
    char *subject, *what; // its name, and in words what was run: the same text is the same bench
    struct ab_result *ab;
    json_t *witness; // NULL: not asked
};

struct bench {
    struct job *job;
    const char *base, *work, *cache, *spool; // dirs
    enum ab_metric metric;
    bool metric_given; // else the project may say
    double theta;
    bool ask_always; // the second witness, also when it has no say (compare.h)
    int64_t wall_ns;        // for all comparisons together
    const char *profile[2]; // of cargo, for each side; NULL: release
    char *name[2];          // of the sides, for people
    json_t *limits, *subjects;
    char *commit[2]; // of revisions
    VEC(struct bench_row) rows;
};

// Two commands: the words of each, as the caller gave them.
int bench_commands(struct bench *b, const json_t *commands, struct err *err);
// Two revisions of the project, built first. bench: as in subject_find. *ret_why (owned by the caller): why there is
// nothing to measure.
int bench_revisions(struct bench *b, const json_t *revisions, const char *bench, char **ret_why, struct err *err);

// Takes the comparison and the witness (may be NULL).
void bench_add_row(struct bench *b, const char *subject, const char *what, struct ab_result *ab, json_t *witness);

// Judges the rows together and puts everything into the draft and its output.
int bench_tell(struct bench *b, json_t *draft, struct err *err);
