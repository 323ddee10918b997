// The metrics of a service for those who collect them: the text format of Prometheus, and JSON.
#pragma once

#include "engine/metrics.h"

#define METRICS_TEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"

char *metrics_text(const struct metrics *m); // owned by the caller
// [{name, type, unit, help, series: [{labels: {…}, value} or {labels, count, sum, buckets: [{le, count}]}]}], counts
// cumulated
json_t *metrics_json_new(const struct metrics *m);
