// The report of `cargo build --timings`: stable cargo writes only HTML, whose data is JSON in the page's script
// (UNIT_DATA). Pure parser, bounded.
#pragma once

#include "base/err.h"
#include "json/json.h"

#define TIMINGS_HTML_MAX  ((size_t)32 << 20)
#define TIMINGS_UNITS_MAX 20000
#define TIMINGS_ROWS_MAX  10
#define TIMINGS_WAY_MAX   60 // rows of the critical path; a longer one keeps its end

// { "units": n, "total_s": end of the last unit, "work_s": sum of durations, "build_script_s": of them running or compiling build
//   scripts, "codegen_s", "proc_macro_s": of them, "slowest": [row] at most TIMINGS_ROWS_MAX, "critical_path": [row] }
// row: {unit, start_s, duration_s, codegen_s (null: the report does not tell), kind: "crate|build script|proc macro"}
// The critical path ends with the unit that finished last; before each unit stands the one that unblocked it.
int timings_parse(const char *html, size_t len, json_t **ret, struct err *err);

// The same, where macros ({"NAME VERSION": true}, may be NULL) says which packages are procedural macros, and *ret_units is what each
// package took in all: {"NAME VERSION": seconds}; new reference.
int timings_parse_packages(const char *html, size_t len, const json_t *macros, json_t **ret, json_t **ret_units, struct err *err);
