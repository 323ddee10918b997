// Taking up a run again that has ended, or with another script or other agent files: what is kept, what is executed
// again.
#pragma once

#include "base/err.h"
#include "engine/engine.h"
#include "run/starting.h"
#include "json/json.h"

// The plan (plan.h, with {run, workflow, state}) of taking it up so. Nothing changes. NULL with err.
json_t *reopen_plan_new(const struct starting *s, const char *run, const struct engine_reopen *how, struct err *err);
// Does it in the journal; the run is unfinished then and nobody's. ERR_CONFLICT: a live process has it.
int reopen(const struct starting *s, const char *run, const struct engine_reopen *how, struct err *err);
