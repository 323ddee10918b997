// Asking the second witness (measure/witness.h): the commands of both sides run once each under valgrind, through the
// sandbox. Where valgrind is not there, not allowed, or does not bear the program, the witness is silent.
#pragma once

#include "base/err.h"
#include "measure/ab.h"
#include "measure/witness.h"
#include "sdk/agent.h"

// Runs that take longer are not asked for: valgrind takes 50 times as long.
#define WITNESSED_RUN_MAX_NS (200 * NS_PER_MS)

struct witnessed {
    struct job *job;
    const char *const *command[2]; // before, after
    const char *cwd, *stdin_path;
    const char *cwd_of[2];    // of a side; NULL: cwd
    const char *const *env;   // extra variables, as in struct exec_call
    const char *const *reach; // as in struct exec_call
    const char *scratch;      // folder of this stage
};

enum witnessed_tool { WITNESSED_INSTRUCTIONS, WITNESSED_ALLOCATIONS, WITNESSED_CALLS, WITNESSED_TOOLS };
// Counts one run of a side. *ret_why (owned by the caller): why there is no count, else NULL.
int witnessed_count(const struct witnessed *w, enum witnessed_tool tool, size_t side, struct witness_counts *counts,
                    char **ret_why, struct err *err);

// Joins counts and clock (witness_apply; a comparison by wall time is left as it is: more work may well take less of
// it). *ret: witness_json_new, or {"view": "silent", "why_not"}; new reference. Fails when the job is cancelled.
int witnessed_apply(const struct witnessed *w, struct ab_result *ab, json_t **ret, struct err *err);
// One line for people, without newline; owned by the caller.
char *witnessed_line(const json_t *witness);
