// Words and numbers as the Markdown and the HTML report both show them. Nothing here escapes for a format.
#pragma once

#include "base/buf.h"
#include "json/json.h"

#include <stdbool.h>

// One argument as a shell reads it back: bare when it is harmless, else quoted ($'…' when control characters are in
// it).
void text_shell_word(struct buf *out, const char *word);
// One command on one line: environment, then argv.
void text_command(struct buf *out, const json_t *command);
// "exit 0, 12.3 s", "signal 9, …", "refused", "timed out after …"
void text_outcome(struct buf *out, const json_t *command);

#define TEXT_NUMBER 40
bool text_is_time(const char *metric); // also when it is not known
// A value of a metric (tbl/measures.def): "12.3 ms", "18.2 MB", "4711"; "–" for no number.
void text_value(const json_t *value, const char *metric, char out[TEXT_NUMBER]);
void text_bytes(double bytes, char out[TEXT_NUMBER]);
void text_ms(int64_t ms, char out[TEXT_NUMBER]);    // "4.2 s"
void text_seconds(double s, char out[TEXT_NUMBER]); // "4.2 s", "0.03 s"
void text_percent(double v, char out[TEXT_NUMBER]); // "-12.3", "+0.04": two digits behind the point below 1
// "-62.4 % [-63.0, -61.8]"; only what is known.
void text_change(const json_t *row, struct buf *out);
const char *text_metric(const char *metric); // "CPU time"
const char *text_state(const char *state);   // of runs, stages, comparisons: "needs discussion"; borrowed, "" for NULL
const char *text_commit(const char *commit, char out[TEXT_NUMBER]); // its first 12 characters; returns out
const char *text_when(const char *iso, char out[TEXT_NUMBER]);      // "2026-11-22 21:30:05 UTC"; returns out
// "src/lib.rs:12" of an object with file and line (hot_line preferred); "" when there is no file.
void text_place(const json_t *row, struct buf *out);
bool text_is_hot(const json_t *finding); // enough samples lie in its function
// Waits of a run (store_waits_new) in words: "for an answer: baton approve RUN; until 2026-11-22 21:30:05 UTC". run
// NULL: without what to do about it. NULL: a stage or its script is at work. Owned by the caller.
char *text_waits_new(const char *run, const json_t *waits);
// An amount of a budget by its name, "–" for none; owned by the caller.
char *text_budget_new(const char *name, const json_t *amount);
