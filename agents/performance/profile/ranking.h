// The functions to look at, the one to fix first on top, each with the evidence that put it there.
//
// A row's score is the share of the run's time that it is answerable for: time in its own code, time of std, of
// dependencies and of libraries below it, and, where the kernel was not sampled, its part of the time the kernel took,
// by how many of the system calls were made below it.
#pragma once

#include "profile/callgrind_owner.h"
#include "profile/profile.h"

#include "json/json.h"

struct ranking_facts {
    const struct callgrind *counts;      // of one run; NULL: not counted
    const struct callgrind_owned *owned; // with counts
    int64_t user_ns, sys_ns;             // of the sampled runs; 0: unknown
};

// [{rank, function, short, score, self_pct, total_pct, owned_pct, file, line, line_end, hot_line, crate_kind, samples,
// below, doing, called, syscalls, syscalls_pct, evidence: [text], lines}], at most max rows. lines (of the first
// `annotated` rows that have a file): [{line, pct}]. New reference.
json_t *ranking_new(const struct profile *p, const struct ranking_facts *facts, size_t max, size_t annotated);
// Rows of two profiles by function, the largest change of owned (else of own) time first: [{function, short, file,
// line, crate_kind, before: {self_pct, owned_pct}, after: …, change_pct}]. New reference.
json_t *ranking_difference_new(const struct profile *before, const struct profile *after, size_t max);
