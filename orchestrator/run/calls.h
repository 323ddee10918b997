// Shared by the files of what a script asks for, but stages: calls.c (the table of them, the journal, gate, now,
// random), waits.c (what is open, sleep), approvals.c, signals.c, children.c. Nobody else's.
//
// Every answer that does not follow from the journal alone is journaled under (task, n) before the script hears it, so
// that a replay hears the same. What comes later than the call itself has a record beside it, at "<task>~".
#pragma once

#include "run/run_internal.h"

struct call {
    uint64_t id; // of the script
    const char *task;
    unsigned n;
    const char *op;
    const json_t *args;
};

// The record of the call in the journal, {task, n, op, request_hash, answer}; NULL: none, or err. Only a resumed run
// has any.
json_t *call_record_new(struct run *run, const char *task, unsigned n, struct err *err);
// The journaled answer of the same call, or NULL. ERR_CONFLICT in err: another call stands there; else err is clear.
json_t *call_journaled_new(struct run *run, const struct call *c, struct err *err);
int call_put(struct run *run, const struct call *c, const json_t *answer, struct err *err);
int call_put_beside(struct run *run, const char *task, unsigned n, const char *what, const json_t *answer,
                    struct err *err);
json_t *call_beside_new(struct run *run, const char *task, unsigned n); // NULL: there is none
// An answer that is there at once: the journaled one, else `fresh` (consumed), which is journaled.
int call_answer_fresh(struct run *run, const struct call *c, json_t *fresh, json_t **ret, struct err *err);

// --- diverged.c ---
// ERR_CONFLICT: another call than this record of the journal; the text has both sides in words.
int call_diverged(struct run *run, const struct call *c, const json_t *record, struct err *err);

// --- waits.c ---
// Opens a wait; on_time may be NULL (no timer).
struct waiting *waiting_new(struct run *run, enum wait_kind kind, const struct call *c, loop_fn on_time);
// The call that is waited with, as it was made. Borrows from w.
struct call waiting_call(const struct waiting *w);
// Ends the wait with this answer (consumed), or with the error.
void waiting_answer(struct waiting *w, int64_t now, json_t *answer_consumed, const struct err *failure);
int sleep_begin(struct run *run, const struct call *c, struct err *err);

// --- approvals.c ---
int approve_begin(struct run *run, const struct call *c, json_t **ret, struct err *err);
// An inbox record of kind "approval" that nobody has taken.
void approve_take(struct run *run, const json_t *item);

// --- inbox.c: records of other processes, each taken once ---
bool inbox_is_taken(struct run *run, int64_t id);
void inbox_take(struct run *run, int64_t id);
int64_t inbox_last(struct run *run); // of all that have come

// --- signals.c ---
int signal_begin(struct run *run, const struct call *c, struct err *err);
// An inbox record of kind "signal": the call that has waited longest for it, if any, takes it.
void signal_take(struct run *run, const json_t *item);
int publish_begin(struct run *run, const struct call *c, json_t **ret, struct err *err);

// --- undo.c ---
int on_failure_begin(struct run *run, const struct call *c, json_t **ret, struct err *err);
// A call while the script is brought back to where it was: the journal answers, or nobody.
int undo_settle(struct run *run, const struct call *c, json_t **ret, struct err *err);

// --- continue.c ---
int continue_begin(struct run *run, const struct call *c, struct err *err);

// --- children.c ---
int child_begin(struct run *run, const struct call *c, struct err *err);
