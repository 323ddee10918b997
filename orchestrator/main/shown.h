// What people are shown of a run beside its report: the runs above and below it, what it waits for, what it says.
#pragma once

#include "store/store.h"
#include "json/json.h"

// Members for `baton show --json`: parent, continued_from, continued_as, undone {handlers, failed}, children [{run,
// workflow, state, children}], questions (engine/letters.h; of the runs below it too, each with its run), published
// {name: {value, at_ns}}.
void shown_put(struct store *store, const char *run, json_t *model);
void shown_print(const json_t *model);
void shown_print_budget(const json_t *model); // limits with what is used of them, and what tools took
// The open questions of a run and of those below it, each with its run: whoever looks at the first sees all that waits
// for people. depth: 0.
void shown_add_questions(struct store *store, const char *run, int depth, json_t *to);
void shown_print_question(const json_t *question);

#define SHOWN_STATE_MAX 96
// "queued, 3rd", "waiting", "interrupted", …. of: what is known about the run (state, interrupted, position, waits).
void shown_state(const json_t *of,
                 char out[SHOWN_STATE_MAX]); // "queued, 3rd"; position 0: not in the queue
// The lines of `baton runs`: newest first, each with the runs below it.
void shown_print_runs(const json_t *runs);
