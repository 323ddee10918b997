// Shared by the files of a stage: stage.c (from the script's call to the reservation), stage_finish.c (handoff and result),
// stage_dispatch.c (what goes to the pool and comes from it). Nobody else's.
#pragma once

#include "engine/run_internal.h"
#include "handoff/handoff.h"

#define LEASE_TEXT 24

void stage_lease_text(uint64_t lease, char out[LEASE_TEXT]);
struct stage *stage_by_lease(struct run *run, uint64_t lease); // NULL: no open stage has it
char *stage_spool_dir(const struct stage *s);                  // owned by the caller
json_t *stage_facts_new(const struct stage *s);                // {stage, agent, mode, attempt} for events
void stage_remember(struct run *run, const json_t *handoff, const char *key);
void stage_choose_id(const struct stage *s, int64_t now, char id[HANDOFF_ID_MAX]); // one that no handoff of the run has

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
void stage_put_limits(struct stage *s, json_t *limits); // what its worker and its sandbox keep

// --- stage_reuse.c ---
// A completed stage of another run with the same key, when the script wants it; new reference or NULL.
json_t *stage_reusable_new(const struct stage *s);
// The reserved stage is over with the result of that one. s is gone afterwards, unless this fails.
int stage_adopt(struct stage *s, const json_t *other, struct err *err);

// The stage is over with this draft (consumed): handoff, journal, answer to the script. s is gone afterwards when a turn took it.
void stage_finish(struct stage *s, json_t *draft_consumed, enum stage_state state, const char *worker);
