// TOML 1.0 to JSON. Dates and times become strings as they were written, and so do inf and nan ("inf", "-inf", "nan"),
// which JSON lacks; an integer beyond 64 bits is an error. Table order is kept. Bounded: TOML_TEXT_MAX bytes,
// TOML_DEPTH_MAX levels.
#pragma once

#include "base/err.h"
#include "json/json.h"

#include <stddef.h>

#define TOML_TEXT_MAX  ((size_t)8 * 1024 * 1024)
#define TOML_DEPTH_MAX 64

// Parses `len` bytes. `what` names the text in the error ("Cargo.toml"), which has line and column. NULL on failure.
json_t *toml_parse_new(const char *text, size_t len, const char *what, struct err *err);
json_t *toml_read_file_new(const char *path, struct err *err);

// Line (from 1) on which a value stands or a table's header (or its first dotted key); 0 when it is absent or the text
// is not TOML. `path` is written as a TOML key: `profile.release.lto`, `target."cfg(unix)".dependencies`; arrays take a
// number
// (`bench.0.name`).
int toml_line_of(const char *text, size_t len, const char *path);
// As toml_line_of; when `path` is absent, the line of the nearest table around it that exists, else 0.
int toml_line_near(const char *text, size_t len, const char *path);
