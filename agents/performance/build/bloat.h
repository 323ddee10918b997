// What a program's code is made of: bytes by crate and by function, and generic functions that were made many times.
// Sizes are those of the symbols; code that was inlined counts where it was inlined.
#pragma once

#include "base/err.h"
#include "json/json.h"

#define BLOAT_FILE_MAX ((size_t)1 << 30)
#define BLOAT_ROWS_MAX 15

// *ret: { "text_bytes": of the sections, "symbol_bytes": of all functions, "functions": n,
//         "crates": [{crate, bytes, functions}], "largest": [{function, short, crate, bytes}], "generic": [{function, copies,
//         bytes}] }
// at most BLOAT_ROWS_MAX rows each, largest first. generic: functions of one name whose generic arguments differ.
int bloat_read(const char *path, json_t **ret, struct err *err);
int bloat_parse(const void *data, size_t len, json_t **ret, struct err *err);

// A demangled name without generic arguments, so that all its instances are one: "<Vec<u8> as Clone>::clone" -> "<Vec
// as Clone>::clone". Owned by the caller.
char *bloat_plain_name(const char *demangled);
