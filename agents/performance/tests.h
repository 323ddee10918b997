// The project's own tests as a gate: those that passed on the base must pass after a change, and there must be no fewer.
#pragma once

#include "base/err.h"
#include "json/json.h"
#include "rust/test_output.h"
#include "sdk/agent.h"

struct tests {
    json_t *outcomes; // as test_output_parse_new; NULL when the tests could not be run
    struct test_counts counts;
    char *limit;      // why they are no gate, NULL when they are
};

// Runs the tests of a checkout's workspace. A base whose tests do not build or end is no failure: then they are no gate and
// `limit` says why.
int tests_baseline(struct job *job, const char *root, const char *cache, struct tests *ret, struct err *err);
// Runs them again elsewhere; *ret_lost (owned by the caller) is NULL when nothing was lost, else a sentence with names.
int tests_check(struct job *job, const char *root, const char *cache, const struct tests *before, char **ret_lost,
                struct err *err);
void tests_free(struct tests *t);
json_t *tests_json_new(const struct tests *t); // {passed, failed, ignored, limit}
