// What the journal knows of the benches of a project: each bench of a revision, kept as long as its run is. Nothing is
// written for it, so there is one place and nothing to get out of step.
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "store/store.h"
#include "json/json.h"

#define HISTORY_RUNS_MAX   1000 // the newest of the project are looked at
#define HISTORY_POINTS_MAX 2000 // of a series

// Series by host, bench, measure and profile: figures of different hosts never mix. [{subject, what, metric, unit,
// profile (or null), host (fingerprint), cpu, points: [{at_ns, commit, name, value, change_pct and verdict (of a B,
// against its A), run}]}], points oldest first. New reference.
json_t *history_new(struct store *store, const char *project, struct err *err);

// For terminals: a line of small bars, then the newest points.
void history_text(struct buf *out, const json_t *series);
// One chart below the other; a whole <svg> element.
void history_svg(struct buf *out, const json_t *series);
