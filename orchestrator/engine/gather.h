// What a run that is asked for needs, put together before anything of it is journaled.
#pragma once

#include "engine/engine.h"
#include "run/starting.h"

// Everything, or what is wrong with it; only texts are stored, by their hashes. parts_free in both cases.
int gather_parts(const struct starting *s, const struct engine_request *q, struct parts *p, struct err *err);
