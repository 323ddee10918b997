// Decides an exported run again, without executing anything: the script runs with the journal's answers, and every
// decision on the way (focus row and mode, stage key, gate, wall of a budget, outcome) is made by the code that is here
// now and held against what was journaled.
//
// Differences are what a change of code or script has changed: {task, n, line, op, what, journaled, now, parts?,
// journaled_hash?, now_hash?}. Both sides are in words; of a stage, `parts` names what differs. op "finish": its end.
#pragma once

#include "base/err.h"
#include "store/bundle.h"
#include "json/json.h"

// script_text: another script to decide with, NULL for the run's own. *ret: {run, state, outcome, same: bool, stages:
// n, calls: n, differences: [...], hash: final hash as journaled, replay_hash: of the replay}. The final hash covers
// state, script result and every stage's key, occurrence, state and handoff: two machines that agree on it agree on the
// run.
// limits: other ones for the run's budget, as people write them, NULL for none.
int replay_run(struct bundle *bundle, const char *script_text, const json_t *limits, json_t **ret, struct err *err);
