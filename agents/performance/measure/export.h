// Results in the formats other tools read: Bencher Metric Format, github-action-benchmark.
#pragma once

#include "measure/ab.h"

struct export_value {
    const char *name;               // of the bench
    const char *unit, *measure;     // "ns", "latency": of tbl/measures.def
    double value, low, high, range; // low, high 0: not known; range: spread shown as "± range"
};

// {"<name>": {"<measure>": {"value", "lower_value", "upper_value"}}}
json_t *export_bencher_new(const struct export_value *values, size_t n);
// [{"name", "unit", "value", "range": "± x"}]: for the tool "customSmallerIsBetter".
json_t *export_github_new(const struct export_value *values, size_t n);
// The candidate's side of a comparison.
struct export_value export_of(const struct ab_result *r, const char *name); // borrows name
