// Shared by the files of a stage: stage.c (from the script's call to the reservation), stage_finish.c (handoff and
// result), stage_dispatch.c (what goes to the pool and comes from it). Nobody else's.
#pragma once

#include "handoff/handoff.h"
#include "run/run_internal.h"
#include "wire/wire.h"

struct stage *stage_by_lease(struct run *run, uint64_t lease); // NULL: no open stage has it
const struct agent_text *stage_find_agent(const struct run *run, const char *name); // by name, else by role
char *stage_spool_dir(const struct stage *s);                  // owned by the caller
json_t *stage_facts_new(const struct stage *s);                // {stage, agent, mode, attempt} for events
// Of the parents, the first that the handoff names: of a wide join it names the last HANDOFF_PARENTS_MAX. The key, the
// worker and the journal have all of them.
size_t stage_first_named(const struct stage *s);
// bounds: of the stage that left it, NULL when it has none.
void stage_remember(struct run *run, const json_t *handoff, const char *key, const struct agent_text *agent,
                    const json_t *bounds);
void stage_choose_id(const struct stage *s, int64_t now, char id[HANDOFF_ID_MAX]); // one that no handoff of the run has

// The call in the table of calls, where those stand that begin no stage of a new run. stopped: why it was not begun, or
// NULL.
int stage_put_call(struct stage *s, json_t *stopped, struct err *err);

// --- stage_loops.c ---
void stage_placed(struct stage *s); // it has its number
// Ends the run when this stage would only repeat what was done (tbl/events.def: loop_stopped). True: s is gone.
bool stage_would_loop(struct stage *s);

// --- stage_budget.c: in the turn of what they are for ---
int stage_read_limits(const json_t *args, json_t **ret,
                      struct err *err); // `limits` of the script's call as amounts; NULL: none
// Sets aside what the stage may use. False: a wall stands there, the run ends with over_budget, s is gone.
bool stage_affords(struct stage *s);
int stage_settle(struct stage *s, enum stage_state state, const json_t *receipts, struct err *err);
bool stage_pays_attempt(struct stage *s); // before another one begins. False: a wall stands there, the run ends
void stage_put_limits(struct stage *s, json_t *limits); // what its worker and its sandbox keep

// --- diverged.c ---
// After a conflict of its call with the journal: says in words what both are.
int stage_diverged(const struct stage *s, struct err *err);

// --- stage_reuse.c ---
// A completed stage of another run with the same key, when the script wants it; new reference or NULL.
json_t *stage_reusable_new(const struct stage *s);
// The reserved stage is over with the result of that one. s is gone afterwards, unless this fails.
int stage_adopt(struct stage *s, const json_t *other, struct err *err);

// --- stage_retry.c ---
// Why the worker failed, from its draft; NULL when it did not, or for a reason that nothing can be done about.
const char *stage_class_of(const json_t *draft);
bool stage_retry_names(const struct stage *s, const char *class); // the script says what happens after such a failure
// True: the attempt failed for a reason that the script names, and will be made again. acknowledge: its worker waits
// for an answer.
bool stage_retry(struct stage *s, const char *class, const char *why, bool acknowledge);
void stage_backoff_over(struct stage *s);
// After a restart, with the stage's record: true when the wait for its next attempt goes on.
bool stage_waits_again(struct stage *s, const json_t *record);

// --- stage_limits.c ---
int64_t stage_wall_ns(const struct stage *s);                      // from its dispatch on
bool stage_wants_signs(const struct stage *s);                     // the worker shall say when it begins
void stage_limits_set(struct stage *s);                            // the timer, for the limit that ends first
void stage_sign(struct stage *s, bool dispatched);                 // a worker has it, or it made progress
void stage_limit_reached(struct stage *s);                         // the timer of a stage that is not being ended
json_t *stage_timed_out_draft_new(struct stage *s, json_t *draft); // says which limit it was; the same reference

// The stage is over with this draft (consumed): handoff, journal, answer to the script. s is gone afterwards when a
// turn took it.
void stage_finish(struct stage *s, json_t *draft_consumed, enum stage_state state, const char *worker);
