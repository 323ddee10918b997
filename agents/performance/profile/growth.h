// How the cost of each function grows with the size of the input: the same program counted at several sizes, exactly.
// The exponent is the slope of log cost over log size: 1 is linear, 2 quadratic.
//
// A function that costs more with each call is often not the one to change: the loop around it is. The loop owner is
// the nearest caller that is called equally often at every size while its callee is called more and more.
#pragma once

#include "profile/callgrind_owner.h"

#include "json/json.h"

#define GROWTH_SIZES_MAX 8

struct growth_point {
    double size;
    const struct callgrind *counts;
    const struct callgrind_owned *owned;
};

// points: 2 to GROWTH_SIZES_MAX, by rising size. {sizes, instructions: [..], exponent, rows, findings}
//   rows: functions of the project, what to look at first on top: [{rank, function, short, file, line, cost: [..] (own
//   and
//         charged), called: [..], exponent (null: not at all sizes), per_call, share_pct (at the largest size),
//         excess_pct (of it, what linear growth would not have cost), score, loop_of: [names], loop_owner: null or
//         name, evidence}]
//   findings: [{kind: "quadratic", "cubic", "superlinear", function, file, line, exponent, share_pct, text}]
// roots (may be NULL) shorten paths. New reference.
json_t *growth_new(const struct growth_point *points, size_t count, const struct crate_roots *roots, size_t max);
// Slope of log cost over log size; NAN when a cost is 0.
double growth_exponent(const double *sizes, const double *costs, size_t count);
