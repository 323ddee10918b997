// The journal and the artifacts: everything that must survive the process. One SQLite database (WAL, synchronous=FULL)
// and one content-addressed folder, behind this interface.
//
//     <state>/baton.db             runs, stages, script calls, handoffs, events, inbox, artifact references, lost_found
//     <state>/artifacts/ab/cdef…   files by SHA-256
//     <state>/owners/<name>        flock: a process that owns runs; the row of a run names its owner
//
// Rules
// - Calls are synchronous and from one thread. Several processes may have the same state open.
// - A writing call that returns >= 0 is on disk, unless a batch is open: then it is on disk when store_commit returns.
//   A call that fails changes nothing, inside a batch too.
// - Finished results are immutable. A result that comes with an ended lease is refused.
// - Records come back as JSON objects (new references). Times are `..._ns` integers since 1970 UTC.
// - A record that cannot be read goes to lost_found with the event `record_lost`, and is treated as absent.
#pragma once

#include "base/err.h"
#include "base/id.h"
#include "store/states.h"
#include "json/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STORE_TEXT_MAX     ((size_t)16 * 1024 * 1024) // one JSON text in a record
#define STORE_NAME_MAX     512                        // ids, keys, agent names, modes
#define STORE_PATH_MAX     4096                       // project path
#define STORE_ARTIFACT_MAX ((int64_t)4 * 1024 * 1024 * 1024)
#define STORE_LOST_JOURNAL "baton.db" // source of a lost journal as a whole
#define STORE_LIST_MAX     100000     // rows of one answer

struct store;

// Creates what is missing. ERR_UNSUPPORTED: the database is of a newer baton. A file that is no database is set aside
// below <state>/lost+found and a new one is begun (event `store_lost`).
int store_open(const char *state_dir, struct store **ret, struct err *err);
// For those who only read: a damaged file stays where it is (ERR_PARSE), and a folder that cannot be written to will
// do.
int store_open_to_look(const char *state_dir, struct store **ret, struct err *err);
struct store *store_close(struct store *s); // NULL allowed; an open batch is rolled back; returns NULL
const char *store_dir(const struct store *s);

// --- batches: several writing calls, one fsync (group commit). They hold the write lock of all processes: keep them
// short.
int store_begin(struct store *s, struct err *err);
int store_commit(struct store *s, struct err *err); // on failure the whole batch is undone
void store_rollback(struct store *s);               // no-op without a batch
bool store_in_batch(const struct store *s);
// True when another process committed since the last call. Costs microseconds: a way to notice cancels and answers.
bool store_changed_elsewhere(struct store *s);

// --- runs ---
struct store_run {
    const char *id;          // 1 to 128 of [A-Za-z0-9_-], chosen by the caller: "relay-7f3k2q"
    const char *workflow;    // name
    const char *script_hash; // artifact
    const char *project;     // absolute path
    const char *key;         // idempotency key or NULL
    const char *caller;      // who asked, or NULL
    const char *parent;      // run that started it, or NULL
    const json_t *params;    // object
    const json_t *agents;    // name -> artifact hash of the agent file
    const json_t *options;   // whatever else the engine must find again (budgets, rules), or NULL
};
// 0: created (state queued). 1: a run with the same key and the same workflow, project and params is there: ret_id is
// its id.
// ERR_CONFLICT: the key belongs to another request. ERR_EXISTS: the id is taken (choose another one).
int store_run_create(struct store *s, const struct store_run *run, char ret_id[STORE_NAME_MAX], struct err *err);
// {id, workflow, script_hash, project, key, caller, parent, params, agents, options, state, result, cancel (reason or
// null),
//  created_ns, updated_ns, started_ns (or null: never was at work), finished_ns (or null)}. NULL with ERR_NOT_FOUND.
json_t *store_run_get_new(struct store *s, const char *id, struct err *err);
struct store_run_filter {
    const char *project, *workflow, *parent, *state; // NULL: any
    bool unfinished;                                 // only states that are not final
    int limit;                                       // 0: STORE_LIST_MAX
};
json_t *store_run_list_new(struct store *s, const struct store_run_filter *filter, struct err *err); // newest first
// Runs that a run started, oldest first: [{id, workflow, state, project, created_ns, finished_ns}].
json_t *store_run_children_new(struct store *s, const char *run, bool unfinished, struct err *err);
// A final state is for ever: ERR_STATE when the run has one already. result (NULL: left alone) is stored beside it.
int store_run_set_state(struct store *s, const char *id, enum run_state state, const json_t *result, struct err *err);
// Taking up a run again: one that ended (but accepted, rejected or nothing_measurable), or an unfinished one with
// another script. The caller owns it.
struct store_reopen {
    const char *script_hash; // NULL: as it was; so are the next two
    const json_t *agents, *options;
    const json_t *stages; // numbers of stages that are to be executed again; those without a result are in any case
    const json_t *calls;  // {task, n} of calls that are to be asked again
    const json_t *facts;  // for the event
};
int store_run_check_reopen(const json_t *record, struct err *err); // ERR_STATE: its state is not one of these
int store_run_reopen(struct store *s, const char *id, const struct store_reopen *how, struct err *err);
// An answer of before the reopening to the same request of the same task, taken out of the stock; NULL with
// ERR_NOT_FOUND.
json_t *store_call_take_old_new(struct store *s, const char *run, const char *task, const char *op,
                                const char *request_hash, struct err *err);
// Asks the owner to cancel. 1: was requested already. ERR_STATE: the run is finished.
int store_run_request_cancel(struct store *s, const char *id, const char *reason, struct err *err);
// 1 and the reason (cut to STORE_NAME_MAX; ret_reason may be NULL) when a cancel is requested, else 0.
int store_run_cancel_requested(struct store *s, const char *id, char ret_reason[STORE_NAME_MAX], struct err *err);

// Runs in the state queued, oldest first: [{id, project, caller, created_ns}].
json_t *store_queue_new(struct store *s, struct err *err);
// Projects with runs in the queue: [{project, runs (at work, of whatever process), started_ns (of the latest, or
// null)}].
json_t *store_busy_projects_new(struct store *s, struct err *err);
// Stages that are reserved or at work: [{run, seq, agent, mode, attempt, created_ns, dispatched_ns (or null), worker
// (pid, or null)}].
json_t *store_stages_at_work_new(struct store *s, int limit, struct err *err);
bool store_run_key_known(struct store *s, const char *key); // some run has this idempotency key

// --- ownership of a run: held until released or until the process dies. ERR_CONFLICT: a live process has it; the text
// names its pid. Locks are released before the store is closed. A lock that is taken in a batch which is undone is to
// be released.
struct store_lock;
int store_run_lock(struct store *s, const char *id, struct store_lock **ret, struct err *err);
struct store_lock *store_lock_release(struct store_lock *lock); // NULL allowed; returns NULL
struct store_lock *store_lock_forget(struct store_lock *lock);  // the same for a run that is final: writes nothing
int64_t store_run_owner(struct store *s,
                        const char *id); // pid of the live process that has it; 0: nobody; -1: not known which
char *store_run_dir(const struct store *s, const char *id); // <state>/runs/<id>; owned by the caller; not created
// The run is not final, began, and no live process owns it: `baton resume` can take it up. record: as from
// store_run_get_new.
bool store_run_interrupted(struct store *s, const json_t *record);

// --- stages ---
struct store_stage { // a reservation
    const char *run;
    int seq;                  // number of the stage in its run, from 1
    const char *key;          // stage key (hash)
    int occurrence;           // n-th stage with this key in this run, from 0
    const char *task;         // coroutine path of the script
    const char *agent, *mode; // mode may be NULL
    const char *lease;        // fencing token of attempt 1
    const json_t *request;    // what is dispatched
    bool reusable;            // other runs may take its result
    const char *asked;        // worker program the call was made for: the row is the journal of the call, too; or NULL
    unsigned n;               // number of the call in its task
};
struct store_result {
    const char *run;
    int seq;
    const char *lease;
    enum stage_state state;  // a final one
    const char *handoff_id;  // with `handoff`; both NULL when there is none
    const json_t *handoff;   // also goes to the handoffs of the run
    const json_t *receipts;  // array or NULL
    const char *worker;      // who answered, or NULL
    const char *reused_from; // "run/seq" when another run's result answers, else NULL
    int64_t finished_ns;     // 0: now
};
// One transaction: the result of a stage (NULL: none) and the reservations of the next ones (n_next may be 0).
// ERR_STATE: the stage has a result, or the run is finished. ERR_CONFLICT: the lease ended. ERR_EXISTS: (run, seq) is
// reserved. ERR_NOT_FOUND: no such run or stage. That (run, key, occurrence) is reserved once is up to the engine, see
// store_stage_places.
int store_commit_stage(struct store *s, const struct store_result *result, const struct store_stage *next,
                       size_t n_next, struct err *err);
// Ends the present lease and begins attempt + 1 (lost worker, retry, recovery). old_lease NULL: whatever it is (only
// the
// owner of the run may). ERR_STATE: finished. ERR_CONFLICT: old_lease is not the present one.
int store_stage_lease(struct store *s, const char *run, int seq, const char *old_lease, const char *new_lease,
                      int *ret_attempt, struct err *err);
// {run, seq, key, occurrence, task, agent, mode, attempt, lease, request, state, handoff_id, handoff, receipts, worker,
//  reused_from, created_ns, finished_ns}. NULL with ERR_NOT_FOUND.
json_t *store_stage_get_new(struct store *s, const char *run, int seq, struct err *err);
// What a replay needs of it, which is much cheaper: {run, seq, key, attempt, state, finished_ns, handoff}.
json_t *store_stage_answer_new(struct store *s, const char *run, int seq, struct err *err);
// Where the stages of a run are, each told once.
struct store_place {
    int seq;
    const char *key;
    int64_t occurrence;
    bool called; // the row is the journal of call n of the task, too
    const char *task;
    int64_t n;
};
typedef void (*store_place_fn)(void *user, const struct store_place *place);
int store_stage_places(struct store *s, const char *run, store_place_fn fn, void *user, struct err *err);
// Newest completed stage with this key in any run but `not_in_run`, of those that were reserved as reusable.
json_t *store_stage_reusable_new(struct store *s, const char *key, const char *not_in_run, struct err *err);
int store_stage_last(struct store *s, const char *run); // highest seq of the run, 0 when it has no stage
// By seq. Without bodies: request, handoff and receipts are left out.
json_t *store_stage_list_new(struct store *s, const char *run, bool bodies, struct err *err);

// --- budgets: what a run has set aside and used up ---
// Adds to both (they may be negative); inside the batch of the stage it is for.
int store_ledger_add(struct store *s, const char *run, const char *kind, int64_t reserved, int64_t used,
                     struct err *err);
json_t *store_ledger_new(struct store *s, const char *run, struct err *err); // {kind: {kind, reserved, used}}

// --- journal of script calls (now, random, sleep, approve, …) ---
// 0: written. 1: the same call with the same op and request hash is there (its answer stays). ERR_CONFLICT: another
// op or
// request is journaled at this place; the text shows both sides: the run diverged.
int store_call_put(struct store *s, const char *run, const char *task, unsigned n, const char *op,
                   const char *request_hash, const json_t *answer, struct err *err);
// The latest time at which the journal says that a call of the run was answered; 0: none.
int64_t store_call_latest_ns(struct store *s, const char *run);
// Calls of stages may stand in the rows of the stages instead (store_stage.asked); this one does not look there.
json_t *store_call_get_new(struct store *s, const char *run, const char *task, unsigned n, struct err *err);
json_t *store_call_of_stages_new(struct store *s, const char *run,
                                 struct err *err); // those it has of stages: [{task, n, answer}]
// All: [{task, n, op, request_hash, answer}] by task and n.
json_t *store_call_list_new(struct store *s, const char *run, struct err *err);

// What the script published, name -> {value, at_ns}; the newest value of each name.
json_t *store_published_new(struct store *s, const char *run, struct err *err);

// Open questions of a run, oldest first: [{id: "0.1:3", task, n, question, about, who: [name], subject, asked_ns,
// expires_ns, answered: an answer is on its way, expired: its time is over and the run has not heard it yet}]. `who`
// absent: everybody may answer; expires_ns absent: never.
json_t *store_questions_new(struct store *s, const char *run, struct err *err);
// What an unfinished run waits for, by its journal: [{kind: "answer", question: its id, expired} | {kind: "time",
// until_ns} | {kind: "signal", name, until_ns (or absent)} | {kind: "run", run, workflow}], with {kind: "stage",
// count} first while stages are at work. Empty: its script is.
json_t *store_waits_new(struct store *s, const char *run, struct err *err);

// --- handoffs: of the stages that have a result (store_commit_stage); never changed ---
json_t *store_handoff_list_new(struct store *s, const char *run, struct err *err); // [{id, seq, handoff}] by seq

// --- events ---
// run NULL: of the service. body NULL: {}. ret_id may be NULL. Ids grow in commit order.
int store_event_add(struct store *s, const char *run, enum event_kind kind, const json_t *body, int64_t *ret_id,
                    struct err *err);
// [{id, run, kind, at_ns, body}] with id > since, oldest first. run NULL: of all runs and the service. limit 0:
// STORE_LIST_MAX.
json_t *store_event_list_new(struct store *s, const char *run, int64_t since, int limit, struct err *err);
int64_t store_event_last(struct store *s); // 0 when there is none

// --- inbox: what other processes tell the owner of a run (approval, signal, query) ---
// ERR_STATE: the run is finished.
int store_inbox_put(struct store *s, const char *run, const char *kind, const json_t *body, int64_t *ret_id,
                    struct err *err);
// [{id, kind, at_ns, body}]
bool store_inbox_has_newer(struct store *s, const char *run, int64_t since);
json_t *store_inbox_list_new(struct store *s, const char *run, int64_t since, struct err *err);

// --- schedules: what is to be started when ---
struct store_schedule {
    const char *name; // as a run's id
    const char *cron, *zone, *overlap, *catch_up;
    const json_t *request; // of the start
};
int store_schedule_add(struct store *s, const struct store_schedule *schedule,
                       struct err *err); // ERR_EXISTS: the name is taken
// By name: {name, cron, zone, request, overlap, catch_up, paused (0, 1), created_ns, handled_ns (times up to this one
// were dealt with), pending_ns (a time that waits for the run before, or null), last_run, last_ns, outcome (of the last
// time, or null)}.
json_t *store_schedule_list_new(struct store *s, struct err *err);
json_t *store_schedule_get_new(struct store *s, const char *name, struct err *err);
int store_schedule_remove(struct store *s, const char *name, struct err *err);
int store_schedule_pause(struct store *s, const char *name, bool paused, struct err *err);
// created_ns tells a schedule from another one of its name. One that is gone is no failure. pending_ns 0: none.
int store_schedule_handled(struct store *s, const char *name, int64_t created_ns, int64_t handled_ns,
                           int64_t pending_ns, struct err *err);
// outcome: {event, at_ns, time?, run?, why?, times?}
int store_schedule_outcome(struct store *s, const char *name, int64_t created_ns, const json_t *outcome,
                           struct err *err);
int store_schedule_fired(struct store *s, const char *name, int64_t created_ns, const char *run, struct err *err);

// --- artifacts: content-addressed, durable before the call returns, stored once however often they are put ---
int store_artifact_put(struct store *s, const void *data, size_t len, char ret_hash[HASH_TEXT], struct err *err);
int store_artifact_put_file(struct store *s, const char *path, char ret_hash[HASH_TEXT], int64_t *ret_bytes,
                            struct err *err);
// Checks the content against the hash: a damaged file goes to <state>/lost+found and ERR_NOT_FOUND is returned.
int store_artifact_get(struct store *s, const char *hash, size_t max, char **ret, size_t *ret_len, struct err *err);
char *store_artifact_path(const struct store *s, const char *hash); // owned by the caller; NULL for no hash
bool store_artifact_has(const struct store *s, const char *hash);
// Which run has it under which name. Putting the same (run, seq, name) again replaces it. media may be NULL.
int store_artifact_ref(struct store *s, const char *run, int seq, const char *name, const char *hash, const char *media,
                       int64_t bytes, struct err *err);
json_t *store_artifact_list_new(struct store *s, const char *run, struct err *err); // [{seq, name, hash, media, bytes}]

// --- outbox: effects outside of the journal. Written in the transaction of what causes them, delivered when that is on
// disk, at least once; a receiver that honours the key sees each once --- 1: an entry with this key is there.
int store_outbox_put(struct store *s, const char *run, const char *key, const char *kind, const char *target,
                     const char *body, struct err *err);
// [{id, run, key, kind, target, body, state ("waiting", "done", "failed"), attempts, next_ns, created_ns, updated_ns,
// error}]
json_t *store_outbox_due_new(struct store *s, const char *kind, int64_t now_ns, int limit, struct err *err);
json_t *store_outbox_list_new(struct store *s, const char *run_or_null, struct err *err);
int64_t store_outbox_next(struct store *s, const char *kind); // when the next one is due; 0: none waits
// Takes a due one (next_ns as it was read) until then, so that nobody else delivers it meanwhile. 1: somebody else has
// it.
int store_outbox_claim(struct store *s, int64_t id, int64_t next_ns, int64_t until_ns, struct err *err);
// What came of it: "done", "failed" (for good), or "waiting" until next_ns.
int store_outbox_settle(struct store *s, int64_t id, const char *state, int64_t next_ns, const char *error,
                        struct err *err);

// --- lost_found ---
int64_t store_losses(const struct store *s); // records that this process could not read, so far
// The first record of a run that could not be read (stage, handoff, call or the run itself) since it was last reopened:
// {source, ref, reason}, NULL for none. What answers a replay is not whole any more.
json_t *store_run_damage_new(struct store *s, const char *run);
// [{id, at_ns, source, ref, reason, text}], oldest first; text is cut to 4 KiB.
json_t *store_lost_list_new(struct store *s, struct err *err);
