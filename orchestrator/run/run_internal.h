// Shared by the files of a run: run.c (life), calls.c (what the script asks for), stage.c (stages). Nobody else's.
#pragma once

#include "agentfile/agentfile.h"
#include "base/vec.h"
#include "run/focus.h"
#include "run/journaled.h"
#include "run/loops.h"
#include "run/run.h"
#include "run/workspace.h"
#include "script/script.h"

#define STAGE_ATTEMPTS_MAX 2 // a lost worker's stage is dispatched once more
#define STAGE_WALL_NS      (2 * INT64_C(3600) * NS_PER_SEC)
#define CANCEL_GRACE_NS    (700 * NS_PER_MS) // a worker that has not answered to a cancel by then is killed

struct stage {
    struct run *run;
    uint64_t call; // of the script
    char *task;    // coroutine
    unsigned n;    // call number in it
    json_t *args;  // as the script gave them
    const struct agent_text *agent;
    const char *role;
    struct focus focus;
    json_t *parents; // handoff objects
    json_t *bounds;  // of its rights, NULL when there are none
    char key[HASH_TEXT];
    char input[HASH_TEXT]; // what the agent is asked, wherever its parents come from
    char worker[64];       // role and version of the worker program
    int seq, occurrence, attempt;
    int losses;     // workers that were lost at it; attempts also count restarts of the engine, which are not its fault
    uint64_t lease; // 0: not dispatched
    bool needs_project, starts_programs;
    bool awaits_place; // its checkouts, or what the host has for a box
    char *version; // of the worker program
    int64_t started_ns;
    struct loop_timer *timer;        // wall limit, then the grace after a cancel
    int64_t dispatched_ns, begun_ns; // of this attempt: a worker has it; its last sign of progress
    const char *limit;               // name of the limit that it reached, NULL
    char *limit_text;
    int failures;       // attempts that are made again (stage_retry.c)
    bool backoff;       // the next attempt waits
    const char *ending; // why it is being ended ("timed out"), NULL when it is not
    enum stage_state ending_state;
};

enum wait_kind { WAIT_SLEEP, WAIT_APPROVAL, WAIT_SIGNAL, WAIT_CHILD };

struct waiting { // a script call that time, people or other runs answer
    struct run *run;
    enum wait_kind kind;
    uint64_t call, order; // order: of the waits of this process
    char *task, *op;
    unsigned n;
    int64_t wake_ns;  // of a sleep, wall clock
    int64_t until_ns; // of a signal or a question, wall clock; INT64_MAX: for ever
    int64_t after;    // approval: inbox records up to this one came before the question
    char *child;      // run that is waited for
    bool foreign;     // another process has the child
    json_t *args;
    struct loop_timer *timer;
};

struct reply {    // an answer of the journal that waits for its turn
    int64_t rank; // when it came
    uint64_t call;
    json_t *answer;
};

struct note { // an event of the turn under way: passed on when the turn is on disk
    enum event_kind kind;
    json_t *body;
};

struct account {
    char *run;
    json_t *limits;
};

struct run {
    struct run_env env;
    VEC(struct note) notes;
    VEC(struct note) late; // happened outside a turn: journaled with the next one, or soon
    char *id, *dir, *project, *cache_dir;
    json_t *record; // as in the store
    struct store_lock *lock;
    int cache_lock; // descriptor of the cache slot's lock
    struct script *script;
    struct workspace *workspace;
    const struct workspace_facts *facts; // NULL until prepared: when the first stage needs the project
    VEC(struct agent_text *) agents;     // as they were when the run started
    VEC(struct stage *) stages;          // open ones
    VEC(struct waiting *) waitings;
    VEC(uint64_t) to_dispatch;    // sequence numbers reserved in this turn
    VEC(json_t *) to_write;       // handoffs of this turn that also become files
    VEC(uint64_t) to_acknowledge; // leases whose results are journaled in this turn
    json_t *occurrences;          // key -> how often the script asked for it anew, in this process
    struct journaled *journaled;  // stages of earlier processes; NULL until a resumed run needs it
    json_t *handoffs;             // id -> handoff object
    json_t *handoff_ids;          // of the journal, when a resumed run needs them
    json_t *keys;                 // handoff id -> what it is worth as a parent of a key
    json_t *contents;             // handoff id -> hash of what it says
    json_t *handed_on;            // handoff id -> what bounds those that work with it (bounds.h)
    VEC(struct account) accounts; // budgets that its stages draw on: its own and those of the runs above it
    bool accounts_known;
    struct loops *loops;       // NULL before the first stage
    json_t *ungrounded;        // handoff id -> claims its receipts do not show
    VEC(struct reply) replies; // latest first
    int next_seq;              // 0: not yet known
    int64_t last_id_ns;        // latest stamp of a handoff that was moved on because the second was taken
    int64_t inbox_seen;
    int64_t signals_from; // all signals up to this inbox record are taken
    json_t *inbox_taken;  // inbox records that have answered a question; NULL until somebody asks
    uint64_t waits_made;
    unsigned children;               // that it asked for
    bool children_asked;             // in this turn
    bool children_told;              // that it is over
    unsigned handlers;               // of on_failure
    bool settling;                   // the script is brought back to where it was, see undo.c
    bool undoing, undo_runs, undone; // it is decided that they run; they run; they are over
    bool undo_ran;                   // in an earlier process
    int64_t undo_ns;                 // answers that came later do not reach the script
    int64_t last_rank;               // of the answers it has heard, and of those in the journal when it needs a new one
    bool ranked;                     // the journal has been asked
    struct loop_timer *undo_timer;
    json_t *next_params; // of continue_as_new
    bool in_turn, ending, resumed, preparing;
    int64_t losses; // of the store, when they were looked at last
    bool losses_known;
    bool reopened;         // it had ended, or its script was changed
    bool woken;            // it was parked in this process
    bool final;            // its final state is on disk
    bool closing, stopped; // its final state is being journaled; it does nothing any more in this process
    struct err failure;    // of the journaling of its end
    bool host_told;        // what this host has of a box is among its events
    unsigned describing;   // worker descriptions under way at the start
    struct loop_timer *end_timer, *wall_timer, *late_timer;
    enum run_state end_state;
    json_t *end_result;
    char end_reason[ERR_TEXT_MAX];
};

// --- run.c ---
// A turn: what fn does and what the script does in answer to it. It joins the batch under way; when that is on disk,
// results are acknowledged, events told and stages dispatched. When it cannot be committed, the run stops in this
// process. Inside a turn, fn is simply part of it. False: the run has stopped, fn was not called.
bool run_turn(struct run *run, void (*fn)(struct run *run, void *arg), void *arg);
// Journals the event and passes it on; inside a turn it is passed on when the turn is on disk: nobody hears of what a
// crash undoes.
void run_note(struct run *run, enum event_kind kind, json_t *body_consumed);
void run_tell(struct run *run, enum event_kind kind, json_t *body_consumed); // the same without the journal
// Outside a turn, for what need not be on disk at once: journaled with the next turn or in a few milliseconds, then
// told.
void run_note_late(struct run *run, enum event_kind kind, json_t *body_consumed);
void run_stop_here(struct run *run, const struct err *why); // in this process; it can be resumed
void run_end(struct run *run, enum run_state state, const json_t *result, const char *reason);
void run_answer(struct run *run, uint64_t call, const json_t *answer, const struct err *failure);
// The same for an answer that came at `rank` (wall clock). While a resumed run replays, answers are given in the order
// of their ranks, each when the script has asked for all it asks before: tasks that share a variable see the others
// come by as they did before. For the answer that comes now: the wall clock, but never back behind an answer that the
// run has had, however clocks are set.
int64_t run_rank(struct run *run);
void run_reply(struct run *run, int64_t rank, uint64_t call, json_t *answer_consumed);
// --- stage_budget.c ---
void stage_accounts_free(struct run *run);
// For the call n of the task. False: a wall stands there, the run ends.
bool run_affords_child(struct run *run, const char *task, unsigned n);
void run_hear(struct run *run, const json_t *answer); // stage_loops.c: the script is about to hear it

void run_start_script(struct run *run); // in a turn of its own

// --- undo.c ---
// Instead of the end of the run, its handlers; true: there are such, and the run ends later.
bool undo_begin(struct run *run, enum run_state state, const json_t *result, const char *reason);
bool undo_has_begun(const struct run *run); // an earlier process ran them: what is at work below the run is theirs
bool undo_go_on(struct run *run);           // nothing of the script is at work any more; true: the handlers are
void undo_end(struct run *run, const json_t *undone); // they are over, {handlers, failed}; NULL: they could not begin
bool undo_resume(struct run *run, bool cancelled);    // true: an earlier process began them

// --- continue.c ---
int continue_put(struct run *run, json_t *result, struct err *err); // in a turn: the next run
bool continue_cancel(struct run *run, const char *reason);          // true: it ends, or the next one will

// --- run_end.c ---
void run_stop_work(struct run *run);          // what the script waits for
void run_end_later(void *user);               // the end timer: is everything gone?
void run_put_end(struct run *run, void *arg); // in a turn: the final state
void run_after_end(struct run *run);          // it is on disk

// --- run_lost.c ---
void run_check_losses(struct run *run); // of a resumed run: ends it when one of its records could not be read
void run_end_lost(struct run *run, const char *what, const char *why);

// --- run_checkouts.c ---
void run_need_checkouts(struct run *run); // stage_prepared() is called when they are there
void run_prepare_checkouts(struct run *run);
bool run_has_old_checkouts(const struct run *run); // an earlier process made them, and this one has not needed them

// --- calls.c; waits.c, inbox.c, children.c ---
int run_host_call(void *ctx, uint64_t call_id, const char *task, unsigned n, const char *op, const json_t *args,
                  json_t **ret_answer, struct err *err);
void run_host_log(void *ctx, const char *task, const char *text);
void waiting_free(struct waiting *w); // takes it out of the run's list
void run_read_inbox(struct run *run);
void children_take_up(struct run *run); // after the turn is on disk
void children_look(struct run *run);    // at those that another process has
bool children_gone(struct run *run);    // at its end: tells them that it is over; true: none is at work here any more

// --- stage.c ---
// Of earlier processes, and of the run that was taken up again. NULL with err when the journal cannot be read.
const struct journaled *run_journaled(struct run *run, struct err *err);
int stage_begin(struct run *run, uint64_t call, const char *task, unsigned n, const json_t *args, json_t **ret_answer,
                struct err *err);
void stage_prepared(struct run *run); // in a turn: those that waited for the checkouts, or the probe of the host, go on
void stage_dispatch_reserved(struct run *run); // after the turn is on disk
void stage_free(struct stage *s);              // takes it out of the run's list
void stage_stop(struct stage *s, enum stage_state state, const char *why); // cancel, then kill
