// Changes one value in a TOML text and leaves every other byte alone: comments, order, blanks, line ends (LF or CRLF).
// The result is parsed again and must equal the old value with exactly that change; if not, it is an error and nothing
// is returned. Paths are NULL-terminated lists of keys, unquoted ("profile", "release", "lto"); a number selects an
// array element.
#pragma once

#include "base/err.h"

// Sets or replaces the value at `path`. `toml_value` is TOML text of one value: `true`, `3`, `"thin"`, `["a", "b"]`.
// Understands headers, inline tables and dotted keys; when the table is absent, it is added at the end. A path that
// names a table written with headers or dotted keys is refused. *ret_text is owned by the caller.
int toml_edit_set(const char *text, const char *const *path, const char *toml_value, char **ret_text, struct err *err);

// Removes the value at `path` with the rest of its line. Returns 1, or 0 with an unchanged copy when it was not there.
// Tables written with headers or dotted keys are refused.
int toml_edit_remove(const char *text, const char *const *path, char **ret_text, struct err *err);
