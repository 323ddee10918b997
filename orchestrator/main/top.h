// What `baton top` shows, as one JSON value made from the journal, from /proc, and from the service if there is one:
//   {time, service: null or {pid, version, draining, runs, queued, max_runs, stages, up_s, rates: {runs_per_min,
//   stages_per_s,
//    commits_per_s} or null}, journal_bytes,
//    runs: [{run, workflow, project, state, position, stage, agent, mode, elapsed_ms, stage_elapsed_ms, worker}],
//    workers: [{pid, program, cpu_pct, rss_bytes, run, stage, tool}]}
// Runs at work come first, then the queue in its order (the first hundred), then those that wait.
#pragma once

#include "store/store.h"

struct top; // remembers the last look: rates are what happened since then

struct top *top_new(struct store *store, const char *state_dir);
struct top *top_free(struct top *t); // NULL allowed; returns NULL
json_t *top_look_new(struct top *t, struct err *err);
