// Growing byte buffer, always NUL-terminated behind its length, with an optional maximum set at birth.
// When the maximum would be passed, what fits is kept, `cut` is set, and further additions are ignored.
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>

struct buf {
    char *data; // NULL until the first addition; use buf_str() for a C string
    size_t len, cap;
    size_t max; // 0: no limit
    bool cut;
};

#define BUF_INIT   ((struct buf){0})
#define BUF_MAX(n) ((struct buf){.max = (n)})

// Place for `len` bytes that the caller fills at once; they belong to b. NULL: that would pass the maximum, nothing
// changed.
char *buf_room(struct buf *b, size_t len);
void buf_add(struct buf *b, const void *data, size_t len);
void buf_str_add(struct buf *b, const char *s);
void buf_char(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) ATTR_PRINTF(2, 3);
void buf_grouped(struct buf *b, double v); // rounded: 1234567 -> 1,234,567
void buf_clear(struct buf *b);             // length 0, memory kept
const char *buf_str(const struct buf *b);  // "" when empty; borrowed until the next change
char *buf_steal(struct buf *b);            // owned by the caller ("" copy when empty); b is empty after
void buf_free(struct buf *b);              // also for AUTO(buf_free)

#define AUTO_BUF AUTO(buf_free)
