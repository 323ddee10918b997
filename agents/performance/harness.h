// Which harness a bench program of the project uses, seen by asking the built program: criterion programs become one subject for each
// bench they list, and programs that print as libtest, bencher and divan do one for each bench they print; programs of other harnesses that cannot be timed as a whole are left out with a sentence that says so.
#pragma once

#include "base/err.h"
#include "json/json.h"
#include "rust/cargo_metadata.h"
#include "sdk/agent.h"

#define HARNESS_SUBJECTS_MAX 6 // benches that are measured; more are spread evenly over the list
#define HARNESS_PRINTED_MAX  3 // when a harness decides itself how long a run takes (seconds): a verdict needs many runs

// subjects is changed in place.
int harness_expand(struct job *job, const char *root, const struct cargo_metadata *metadata, json_t *subjects,
                   const json_t *programs, json_t *limits, struct err *err);
