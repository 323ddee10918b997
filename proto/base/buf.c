#include "base/buf.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void reserve(struct buf *b, size_t more)
{
    size_t need = b->len + more + 1;
    if (need <= b->cap)
        return;
    size_t cap = b->cap ? 2 * b->cap : 240;
    if (cap < need)
        cap = need;
    b->data = mem_resize(b->data, cap, 1);
    b->cap = cap;
}

char *buf_room(struct buf *b, size_t len)
{
    if (b->cut || (b->max && len > b->max - b->len))
        return NULL;
    reserve(b, len);
    char *room = b->data + b->len;
    b->len += len;
    b->data[b->len] = '\0';
    return room;
}

void buf_add(struct buf *b, const void *data, size_t len)
{
    if (b->cut)
        return;
    if (b->max && len > b->max - b->len) {
        len = b->max - b->len;
        b->cut = true;
    }
    reserve(b, len);
    if (len)
        memcpy(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = '\0';
}

void buf_str_add(struct buf *b, const char *s)
{
    buf_add(b, s, strlen(s));
}

void buf_char(struct buf *b, char c)
{
    if (!b->max && b->len + 1 < b->cap) {
        b->data[b->len++] = c;
        b->data[b->len] = '\0';
        return;
    }
    buf_add(b, &c, 1);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    char small[512];
    va_list args;
    va_start(args, fmt);
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(small, sizeof(small), fmt, args);
    va_end(args);
    if (n >= 0 && (size_t)n < sizeof(small)) {
        buf_add(b, small, (size_t)n);
    } else if (n >= 0) {
        char *big = mem_alloc((size_t)n + 1);
        vsnprintf(big, (size_t)n + 1, fmt, again);
        buf_add(b, big, (size_t)n);
        mem_free(big);
    }
    va_end(again);
}

void buf_grouped(struct buf *b, double v)
{
    char digits[400]; // the largest double has 309
    int n = snprintf(digits, sizeof(digits), "%.0f", v);
    for (int i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0 && digits[i - 1] != '-')
            buf_char(b, ',');
        buf_char(b, digits[i]);
    }
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->cut = false;
    if (b->data)
        b->data[0] = '\0';
}

const char *buf_str(const struct buf *b)
{
    return b->data ? b->data : "";
}

char *buf_steal(struct buf *b)
{
    char *out = b->data ? b->data : mem_alloc(1);
    size_t max = b->max;
    *b = (struct buf){.max = max};
    return out;
}

void buf_free(struct buf *b)
{
    mem_free(b->data);
    *b = (struct buf){.max = b->max};
}
