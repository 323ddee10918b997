// What a script hears of a stage, made from its handoff. The engine and the replay say the same. Pure.
#pragma once

#include "store/states.h"
#include "store/store.h"
#include "json/json.h"

// {ok, id, agent, status, verdict, summary, next_agent, next_task, output, artifacts, key, stage}; new reference.
json_t *answer_of_stage_new(const json_t *handoff, enum stage_state state, int seq, const char *key);

// The gate: open when the handoff's verdict is the wanted one and it claims nothing its receipts do not show. handoff
// NULL: not of this run. {open, reason}; new reference.
json_t *answer_of_gate_new(const json_t *args, const json_t *handoff, bool ungrounded);
// Which handoffs claim what their receipts do not show: {id: true}; from the events of the run.
json_t *answer_ungrounded_new(struct store *store, const char *run);
