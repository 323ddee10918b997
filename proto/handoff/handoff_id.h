// Names of handoffs: `2026-11-22T21-30-00-performance`, a local timestamp of 19 characters, a dash and the role's
// suffix, which may contain dashes itself. A file's stem is the id.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define HANDOFF_ID_MAX    96 // with NUL
#define HANDOFF_STAMP_LEN 19

bool handoff_id_valid(
    const char *id); // ^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-[a-z][a-z-]*$ and a real date, at most 95 bytes
const char *handoff_id_suffix(const char *valid_id); // borrowed
// A role that breaks the grammar is bent to it: lower case, other bytes become dashes; nothing left: "agent".
void handoff_id_make(int64_t wall_ns, const char *role, char out[HANDOFF_ID_MAX]);
void handoff_id_next(const char *valid_id, char out[HANDOFF_ID_MAX]); // one second later
