// Points of a search and which of them are worth something: the Pareto front, and the score by a declared goal. Pure.
//
// A point as it was measured: { "id", "run": ratio to the base (1.0: as fast), "build_s", "rebuild_s", "size": bytes,
// "memory_kb" }; what was not measured is absent, and does not count then.
#pragma once

#include "json/json.h"

#include <stdbool.h>

struct goal; // of a table: runtime, build, size, balanced

const struct goal *goal_find(const char *name); // NULL: there is none
const char *goal_name(const struct goal *goal);
extern const char *const GOAL_NAMES[]; // NULL-terminated

// a is nowhere worse than b, and somewhere better, by more than such a measurement varies.
bool front_dominates(const json_t *a, const json_t *b);
// Those that no other one dominates, in their order; new array of the same points.
json_t *front_new(const json_t *points);

// The weighted product of the ratios to the base: below 1 is better than the base.
double front_score(const struct goal *goal, const json_t *base, const json_t *point);
// The halving: points without the dominated ones, best score first, at most half of those given and at least `least`.
json_t *front_halved_new(const struct goal *goal, const json_t *base, const json_t *points, size_t least);
