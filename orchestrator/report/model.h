// What a report says, as one JSON value made from the journal: the text, the page and report.json show the same rows.
// Members:
//
//   run, workflow, state, verdict ("improved", "optimal", "undecided", "unproven", "done" or the state), headline (one
//   sentence), reason, project, params, created, finished, duration_ms, git {repository, prefix, base, branch,
//   own_copy, head}, metrics [{subject, metric, before_ns, after_ns, change_pct, low_pct, high_pct, verdict, pairs,
//   level, p, outputs, theta, mde_pct, metrics, reasons, before_rss_kb, after_rss_kb, part}], best (the metric of the
//   headline or null), changes and dropped [{id, kind, scope, title, reason, commit, files, comparisons}], skipped
//   [{id, title, reason}], baseline, hot_paths, findings, build, host, toolchain, tests {before, after}, limits [text],
//   requests, diff, stages [{seq, agent, mode, state, attempt, elapsed_ms, summary, verdict, handoff, blockers}],
//   commands [{stage, agent, argv, cwd, env, exit, signal, wall_ms, decision, rule, where, reason, timed_out}],
//   artifacts [{name, seq, hash, media, bytes, path}], measurements {part: {subject: [[before, after, order]]}},
//   build_report (what "baton build-report" found: agents/performance/stages.h), search
//   (what "baton tune --for" measured: {goal, points, patch}), reproduce [text], budget {name: {limit, used, reserved}} of what has a limit, spent {calls, processes, cpu_ms,
//   money, tokens}
//
// A member whose stage did not run is null or empty.
#pragma once

#include "base/err.h"
#include "store/store.h"
#include "json/json.h"

json_t *report_model_new(struct store *store, const char *run, struct err *err);
