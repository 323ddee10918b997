// One run: its script, its stages, its checkouts. Made by the engine for a journaled run, which this process owns
// (lock).
#pragma once

#include "base/err.h"
#include "loop/loop.h"
#include "pool/pool.h"
#include "run/agents.h"
#include "run/batch.h"
#include "store/store.h"
#include "json/json.h"

#include <stdbool.h>
#include <stdint.h>

struct run;
struct probe; // probe/probe.h
struct script_cache;
struct script_stock;

// What a run asks its process about other runs.
struct run_family {
    // Journals a child of the run `parent` (its record); see starting.h.
    int (*create)(void *user, const json_t *parent, const json_t *wanted, char ret_id[STORE_NAME_MAX], struct err *err);
    int (*take_up)(void *user, const char *id, struct err *err); // 0 also when this process has it already
    bool (*has)(void *user, const char *id);                     // this process has it
    void (*cancel)(void *user, const char *id, const char *reason);
};

struct run_env {
    struct loop *loop;
    struct store *store;
    struct batch *batch; // of all runs of this process, as what follows
    struct agents *agents;
    struct script_cache *scripts;
    struct script_stock *stock;
    struct pool *pool;
    struct probe *probe; // of this host
    const struct run_family *family;
    uint64_t serial; // of this run in this process: the owner of its jobs
    bool may_ask;    // somebody can answer an approval; if not, "ask" means "no"
    void *user;
    // Everything that happens, also what is too small to be journaled (progress). body is borrowed.
    void (*event)(void *user, const char *run, enum event_kind kind, const json_t *body);
    // The run is final, or cannot go on in this process (state RUNNING: why says the reason; it can be resumed).
    void (*ended)(void *user, struct run *run, enum run_state state, const json_t *result, const struct err *why);
};

// Takes up a journaled run (new or unfinished). Nothing happens before run_begin.
// lock_take: of a run that was parked, taken on success; else NULL.
int run_new(const struct run_env *env, const char *id, struct store_lock *lock_take, struct run **ret, struct err *err);
// Stops without a state change: stages are dropped, the run can be resumed. NULL allowed; returns NULL.
struct run *run_free(struct run *run);
const char *run_id(const struct run *run);
bool run_tells(const struct run *run); // somebody wants to know of its end
uint64_t run_serial(const struct run *run);
// Nothing but waits for time and letters is under way: it may be parked (not inside its callbacks, and with nothing of
// it in an open batch). *ret_seen: the last inbox record it has read; -1: it waits for no letter.
bool run_sleeps(const struct run *run, int64_t *ret_wake_ns, int64_t *ret_seen);
// Nothing of it is under way in this process: it waits for time, people or other runs.
bool run_waits(const struct run *run);
const char *run_project(const struct run *run);
struct store_lock *run_park(struct run *run); // frees it, but for the lock

void run_begin(struct run *run);
void run_cancel(struct run *run, const char *reason);
// Other processes may have asked for something (cancel, approval): look.
void run_look_around(struct run *run);
bool run_watches(
    const struct run *run); // it waits for a run of another process: look around also when nothing was heard
// A run of this process ended, or (why) cannot go on in it. True: this run waited for it.
bool run_child_ended(struct run *run, const char *child, const struct err *why);

void run_probed(struct run *run); // what the host has is known now: stages that waited for it go on

// Does this run wait for the lease? Then the event is taken and true returned.
bool run_stage_dispatched(struct run *run, uint64_t lease, pid_t worker);
bool run_stage_progress(struct run *run, uint64_t lease, double fraction, const char *text);
bool run_stage_result(struct run *run, uint64_t lease, const char *worker, json_t *draft);
bool run_stage_returned(struct run *run, uint64_t lease);
bool run_stage_lost(struct run *run, uint64_t lease, bool begun, const char *why);
bool run_stage_failed(struct run *run, uint64_t lease, const struct err *err);
