// How fast the project is now: every subject's raw samples, taken as a whole process (criterion: per iteration).
#pragma once

#include "base/err.h"
#include "json/json.h"
#include "sdk/agent.h"

// Array of {subject, metric, unit: "ns", median_ns, mad_ns, min_ns, samples: [..], max_rss_kb}. Subjects that fail get {subject, error}.
int baseline_take(struct job *job, const char *root, const char *scratch, const json_t *subjects, const json_t *programs,
                  json_t **ret, struct err *err);
