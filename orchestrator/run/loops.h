// Which loops of a run go nowhere. Two rules, both about what was really said, so that fan-outs and loops that make
// progress pass:
//
// - The same input: a task asks an agent for exactly what it was asked before (agent file, mode, task, input, and what
// the parents
//   say; not where they come from), and since the answer no stage of the run has said anything that was not said
//   before, nobody was waited for, and nothing else happened.
// - The same finding: an agent that does not approve finds again (same rule, file and text, not fewer of them) what it
// found before
//   another agent worked on it; the next stage of that task, or the next one that gets this handoff, is not begun.
//
// Pure: told what happens in the order the script hears of it. Used by the run and by its replay.
#pragma once

#include "json/json.h"

#include <stdint.h>

struct loops;

struct loops *loops_new(void);
struct loops *loops_free(struct loops *loops); // NULL allowed; returns NULL

// A stage got its number; its answer will be heard later. input: hash of what counts as the same input (key_of_stage
// with the content of the parents instead of their worth).
void loops_placed(struct loops *loops, int64_t stage, const char *task, const char *agent, const char *mode,
                  const char *input);
// The script hears the answer of a stage. content: key_of_content of the handoff.
void loops_heard(struct loops *loops, int64_t stage, const json_t *handoff, const char *content);
// Time has passed, a person has answered: whatever comes now is not the same.
void loops_news(struct loops *loops); // NULL allowed

// What a new stage would repeat: {rule: "same_input" | "same_finding", reason, stages: [earlier, last], finding or
// null}. NULL: it may begin.
json_t *loops_check_new(const struct loops *loops, const char *task, const char *agent, const char *input,
                        const json_t *handoffs);
