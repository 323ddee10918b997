// The stages of the performance engineer. See performance.c for which mode runs which.
#pragma once

#include "base/err.h"
#include "json/json.h"
#include "sdk/agent.h"

// Mode profile (also build, tests): build, find something to run, profile, baseline, build analysis, candidates.
// output: { "measurable", "why_not", "workspace": "<workspace root below the checkout>", "subjects": […], "hot_paths": […],
//           "profile": {samples, event, …}, "baseline": [{subject, median_ns, …}], "build": {…}, "findings": [ranked, share_pct],
//           "candidates": […], "host": {…}, "profilers": […], "advice": ["of this platform only"], "limits": ["what could not be done, in words"] }
int stage_profile(struct job *job, json_t *draft, struct err *err);

// Mode verify: each change of the developer against what was kept so far; the branch keeps what measures better.
// output: { "results": [{id, kind, scope, title, kept, reason, comparisons}], "overall": [comparison of base and final],
//           "kept": n, "dropped": n, "undecided": of the dropped, "head": "<commit>", "subjects": […] }
int stage_verify(struct job *job, json_t *draft, struct err *err);

// Mode bench: two commands, or two revisions of the project, against each other; nothing is changed.
// input: "commands": [[word, …], [word, …]] or "revisions": [A, B] with "bench"; "profiles": [A, B] of cargo, "metric": a word of tbl/measures.def, "theta_pct", "budget_minutes", "witness": "verdicts": the
// second one is asked about faster and slower only
// output: { "kind": "commands|revisions", "sides": [{name, commit}], "measurable", "why_not", "verdict": of all, "outputs": of all,
//           "sentence", "overall": [comparison with "subject"], "plot": for terminals, "export": {bencher, github}, "subjects",
//           "host": {…}, "limits": [] }
int stage_bench(struct job *job, json_t *draft, struct err *err);

// Mode sample: where one command spends its time or its memory, or what a file of a profiler says; nothing is changed.
// input: "command": [word, …, "<", file] or "file"; "before": a file to compare with; "roots": [folders of the project],
//        "title", "formats": [names of tbl/profile_formats.def], "memory", "scaled": [{size, command}] instead of a command,
//        "tool": "auto|perf|callgrind", "call_graph": "dwarf|fp|lbr", "frequency", "every_frame"
// output: { "measurable", "why_not", "profiled": {kind: "time|memory|growth", title, how, roots, summary, rows (profile/ranking.h),
//           memory (profile/dhat.h), growth (profile/growth.h), findings, difference, memory_difference}, "hot_paths", "profile",
//           "limits" }
int stage_sample(struct job *job, json_t *draft, struct err *err);
// Mode explain: what makes the build slow; nothing is changed, but removals are proven in the work checkout.
// input: "profile": "dev|release", "prove": bool, "budget_minutes"
// output: { "build_report": {profile, clean_s, cpu_s, timings (buildinfo/timings.h), duplicates (pulled_in.h),
//           unused: [row of buildinfo/unused.h + candidate, mentions, proven, note],
//           features: [row of performance/trim.h + candidate, saves_s, gone, fewer_features, proven, note], bloat: [bloat.h + program]},
//           "candidates": those that are proven, "findings", "limits", "workspace" }
int stage_explain(struct job *job, json_t *draft, struct err *err);

// Mode search: the joint search for build settings, one step a stage (performance/search.h).
// input: "step": "space|point|choose", "goal": "runtime|build|size|balanced", "bench", "accept": ["abort", "native", "debug"],
//        "point", "base", "timed", "results"
// output: space: { measurable, why_not, workspace, subjects, points, facts, mains, host }; point: { measured };
//         choose: { points, recommended, "search": {goal, points: [measured + front, score]} }
int stage_search(struct job *job, json_t *draft, struct err *err);

// Mode confirm: points of a search against the base on fresh pairs, by changed manifests; the first that holds is committed.
// input: "goal", "points", "base", "budget_minutes"; output as of mode verify, and "patch": the exact diff
int stage_confirm(struct job *job, json_t *draft, struct err *err);

// Mode commits: what a search for the commit that made the project slower goes through; nothing is run.
// input: "from", "to" (revisions). output: { "from": hash, "to": hash, "commits": [{commit, title}] of the first parents behind
// `from` up to and with `to`, oldest first }. ERR_INVALID: `from` is no ancestor of `to`, or there are too many.
int stage_commits(struct job *job, json_t *draft, struct err *err);

// The time for measuring that the assignment gives ("budget_minutes"), also parts of minutes.
int64_t stage_budget_ns(const struct job *job, int default_minutes);
