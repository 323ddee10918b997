// Interned byte strings: equal bytes get the same small number, numbers count up from 0 in the order of first sight.
// The profile uses it for names, for whole frame lines of `perf script` and for whole stacks (arrays of numbers are
// byte strings too), so that a line or stack that was seen before costs one hash and one comparison.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INTERN_COUNT_MAX ((size_t)1 << 23)            // different strings in one table
#define INTERN_BYTES_MAX ((size_t)1024 * 1024 * 1024) // all of them together
#define INTERN_NONE      UINT32_MAX                   // the table is full

struct intern;

struct intern *intern_new(void);
struct intern *intern_free(struct intern *t); // takes NULL, returns NULL

// INTERN_NONE when a maximum is reached. *ret_new (may be NULL) says whether it was not there before.
uint32_t intern_bytes(struct intern *t, const void *data, size_t len, bool *ret_new);
uint32_t intern_find(const struct intern *t, const void *data, size_t len); // INTERN_NONE: it is not there
uint32_t intern_text(struct intern *t, const char *text);

size_t intern_count(const struct intern *t);
// The bytes, NUL behind them, aligned for uint64_t, borrowed and stable until intern_free. id must be below the count.
const void *intern_data(const struct intern *t, uint32_t id);
size_t intern_len(const struct intern *t, uint32_t id);

uint64_t intern_hash(const void *data, size_t len); // not for adversaries: a hash for tables
