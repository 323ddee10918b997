// What a report says, as one JSON value made from the journal: the text, the page and report.json show the same rows. Members:
//
//   run, workflow, state, headline (one sentence), reason, project, params, created, finished, duration_ms, git {repository, prefix,
//   base, branch, own_copy, head}, metrics [{subject, metric, before_ns, after_ns, change_pct, low_pct, high_pct, verdict, pairs}],
//   changes and dropped [{id, kind, scope, title, reason, commit, files, comparisons}], skipped [{id, title, reason}],
//   baseline, hot_paths, findings, build, host, toolchain, tests {before, after}, limits [text], requests,
//   stages [{seq, agent, mode, state, attempt, elapsed_ms, summary, verdict, handoff}],
//   commands [{stage, agent, argv, cwd, env, exit, signal, wall_ms, decision, rule}], artifacts [{name, seq, hash, media, bytes, path}],
//   measurements {label: {subject: [[before, after, order]]}}, reproduce [text]
//
// A member whose stage did not run is null or empty.
#pragma once

#include "base/err.h"
#include "json/json.h"
#include "store/store.h"

json_t *report_model_new(struct store *store, const char *run, struct err *err);
