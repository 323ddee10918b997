// The report of `cargo build --timings`: stable cargo writes only HTML, whose data is JSON in the page's script
// (UNIT_DATA). Pure parser, bounded.
#pragma once

#include "base/err.h"
#include "json/json.h"

#define TIMINGS_HTML_MAX  ((size_t)32 << 20)
#define TIMINGS_UNITS_MAX 20000
#define TIMINGS_ROWS_MAX  10

// { "units": n, "total_s": end of the last unit, "work_s": sum of durations, "build_script_s": of them running or compiling build
//   scripts, "slowest": [{unit, duration_s, start_s}], "critical_path": [{unit, start_s, duration_s}] } at most TIMINGS_ROWS_MAX rows each.
// The critical path ends with the unit that finished last; before each unit stands the one that unblocked it.
int timings_parse(const char *html, size_t len, json_t **ret, struct err *err);
