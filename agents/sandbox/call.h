// One call of a stage, after it was decided. Between the files of the sandbox only.
#pragma once

#include "base/clock.h"
#include "base/vec.h"
#include "group.h"
#include "lookup.h"
#include "policy/policy.h"
#include "profile.h"
#include "sandbox/exec.h"
#include "spawn.h"
#include "trust.h"

#include <stdatomic.h>

#define CALL_WALL_NS (30 * 60 * NS_PER_SEC)

struct exec_context {
    const struct policy *policy;
    char *workspace, *home, *helper;
    char **built, **own, **readonly, **writable;
    char *site; // profiles of the site as the run began with them; NULL: its files are read
    struct profiles *profiles;
    struct pins *pins;   // programs as they were when the stage asked for them first
    bool pinned;         // what the rules name is
    struct trust *trust; // which folders of PATH count
    VEC(char *) fetched; // projects whose dependencies were brought
    char *not_fetched;   // why they could not be brought, NULL: they could
    void (*on_step)(void *user, const char *text);
    void *step_user;
    struct steering steering;
    struct group group;
    struct spawn_stage stage;
    bool prepared;     // places made and resolved: done by the first call, a stage without calls costs nothing
    int64_t processes; // of one call at the same time; 0: no limit
    enum exec_network network;
    int cancel_fd;
    atomic_bool cancelled;
    json_t *receipts;
};

// What a decision is asked about. own: as in struct policy_context.
struct policy_context call_context(const struct exec_context *ctx, const char *cwd, const char *const *own);
// Whether the program of the call can be started, and as what.
int call_lookup(struct exec_context *ctx, const struct exec_call *call, struct lookup *ret, struct err *err);
const char *call_cwd(const struct exec_context *ctx, const struct exec_call *call);
// Decides what is not the call itself, but named by it.
void call_decide(const struct exec_context *ctx, const char *const *argv, const char *cwd, const char *const *reach,
                 struct decision *ret);
// Fills the receipt and the result. fetching: the worker's own step, which has network and the real CARGO_HOME.
int call_run(struct exec_context *ctx, const struct exec_call *call, bool fetching, json_t *receipt,
             struct exec_result *ret, struct err *err);
