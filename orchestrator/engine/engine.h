// The engine: starts, resumes and ends runs. Doors and the command line use this header only.
//
// One loop thread. A process that embeds the engine owns the runs it started or resumed; when it dies, they can be
// resumed by any other. See run.h for the life of a run.
#pragma once

#include "base/err.h"
#include "engine/metrics.h"
#include "loop/loop.h"
#include "store/store.h"
#include "json/json.h"

#include <stdbool.h>

struct engine;

struct engine_options {
    struct loop *loop;
    struct store *store;
    const char *program_dir; // worker programs
    const char *data_dir;    // workflows/, agents/
    bool may_ask;            // somebody can answer approvals
    size_t most_running;     // more runs than this at work wait in the queue (admission.h); 0: no limit
    size_t most_queued;      // ... and more than this in the queue are refused
    struct metrics *metrics; // what is counted here; NULL: nothing is
    void *user;
    // What happens, in order; body is borrowed. Progress events come here only, they are not journaled.
    void (*event)(void *user, const char *run, enum event_kind kind, const json_t *body);
    // What this host has of the box of tools is known (engine_probe): probe/probe.h. May be NULL.
    void (*probed)(void *user, const json_t *facts);
    // The run is final, or (state RUNNING) cannot go on in this process and can be resumed; why is NULL or the reason.
    void (*ended)(void *user, const char *run, enum run_state state, const json_t *result, const struct err *why);
};

struct engine_request {
    const char *workflow;              // name or path
    const char *project;               // folder
    const json_t *params;              // object, may be NULL
    bool params_from_text;             // values are texts of a command line
    const char *const *agent_dirs;     // agent files of the caller, before the shipped ones; may be NULL
    const char *const *operator_rules; // rules granted beside the agent files ("Bash(./bench.sh *)"); may be NULL
    const char *key;                   // idempotency key, may be NULL
    const char *caller;                // who asks, may be NULL
    int64_t wall_ms;                   // from its admission on; 0: no limit
    const char *const *notify;         // addresses that are told of its end (engine/outbox.h); may be NULL
    const json_t *limits;              // {name: number or text} (tbl/budgets.def), NULL: those of the workflow alone
};

int engine_new(const struct engine_options *options, struct engine **ret, struct err *err);
// Runs are left as they are (to be resumed); workers are ended. NULL allowed; returns NULL. Not from inside a callback.
struct engine *engine_free(struct engine *engine);

// Asks now what this host has of the box that tools run in, beside everything else. Without it, the first stage that
// starts programs asks.
void engine_probe(struct engine *engine);

// Journals the run and begins it, or puts it into the queue when as many are at work as may be. Returns 0, or 1 when a
// run with this key is there already (ret_run is its id). ERR_LIMIT: the queue is full.
int engine_start(struct engine *engine, const struct engine_request *request, char ret_run[STORE_NAME_MAX],
                 struct err *err);
// Runs that are started between these share one commit. Their ids are not to be told to anybody before engine_release
// returned 0.
void engine_hold(struct engine *engine);
int engine_release(struct engine *engine, struct err *err);
// Another way to take up a run: with another script, other agent files, more room, or because it has ended. What it
// finished is kept wherever its key is the same; what failed, was blocked, cancelled or timed out is executed again.
struct engine_reopen {
    const char *script;            // name or path; NULL: its own
    const char *const *agent_dirs; // agent files instead of those it started with; may be NULL
    const json_t *limits;          // {name: number or text} instead of those it has; may be NULL
};
// What would be reused and what would begin (engine/plan.h). Nothing changes. NULL with err.
json_t *engine_plan_new(struct engine *engine, const char *run, const struct engine_reopen *how, struct err *err);
int engine_reopen(struct engine *engine, const char *run, const struct engine_reopen *how,
                  struct err *err); // then engine_resume
// Takes up an unfinished run that no live process has.
int engine_resume(struct engine *engine, const char *run, struct err *err);
int engine_cancel(struct engine *engine, const char *run, const char *reason, struct err *err); // of this process
// Something was put into the inbox of this run: it is on disk when this returns 0, and was looked at when this process
// has the run.
int engine_look(struct engine *engine, const char *run, struct err *err);
size_t engine_effects_under_way(const struct engine *engine); // notifications that are being delivered now
size_t engine_run_count(const struct engine *engine);         // those at work and asleep, not those in the queue

// --- the queue ---
size_t engine_queue_length(const struct engine *engine);
size_t engine_queue_position(const struct engine *engine, const char *run); // 1 for the next one; 0: it does not wait
// Takes up the queue of the journal and admits from it; until then every new run waits in it. Only with most_running.
int engine_admit(struct engine *engine, struct err *err);

// --- the end of a service ---
// Nothing new begins: no run is started or admitted, no stage dispatched. Stages at work go on, and what comes of them
// is journaled. done is called once none is left (perhaps at once, from the loop). What is not finished can be resumed.
void engine_drain(struct engine *engine, void (*done)(void *user), void *user);
size_t engine_stages_at_work(const struct engine *engine);

// --- looking in ---
json_t *engine_workers_new(const struct engine *engine); // [{role, program, pid, ready}]
void engine_measure(struct engine *engine);              // brings the gauges of its metrics up to date
