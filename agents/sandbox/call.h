// One call of a stage, after it was decided. Between the files of the sandbox only.
#pragma once

#include "base/clock.h"
#include "base/vec.h"
#include "group.h"
#include "policy/policy.h"
#include "profile.h"
#include "sandbox/exec.h"

#include <stdatomic.h>

#define CALL_WALL_NS (30 * 60 * NS_PER_SEC)

struct exec_context {
    const struct policy *policy;
    char *workspace, *home, *helper;
    char **built, **own, **readonly, **writable;
    struct profiles *profiles;
    VEC(char *) fetched; // folders whose dependencies were brought
    struct steering steering;
    struct group group;
    bool prepared;     // places made and resolved: done by the first call, a stage without calls costs nothing
    int64_t processes; // of one call at the same time; 0: no limit
    int cancel_fd;
    atomic_bool cancelled;
    json_t *receipts;
};

const char *call_cwd(const struct exec_context *ctx, const struct exec_call *call);
// Fills the receipt and the result. fetching: the worker's own step, which has network and the real CARGO_HOME.
int call_run(struct exec_context *ctx, const struct exec_call *call, bool fetching, json_t *receipt,
             struct exec_result *ret, struct err *err);
