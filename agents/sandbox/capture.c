#include "capture.h"

#include "base/mem.h"

#include <string.h>

void capture_init(struct capture *c, size_t max, void (*on_line)(void *user, const char *line), void *user)
{
    *c = (struct capture){.head_max = max / 2, .tail_max = max - max / 2, .on_line = on_line, .user = user};
    c->hash = hash_new();
}

static void keep_tail(struct capture *c, const char *data, size_t len)
{
    if (!c->tail)
        c->tail = mem_alloc(c->tail_max);
    if (len > c->tail_max) {
        data += len - c->tail_max;
        len = c->tail_max;
    }
    size_t first = c->tail_max - c->tail_at < len ? c->tail_max - c->tail_at : len;
    memcpy(c->tail + c->tail_at, data, first);
    memcpy(c->tail, data + first, len - first);
    c->tail_at = (c->tail_at + len) % c->tail_max;
    c->tail_used = c->tail_used + len < c->tail_max ? c->tail_used + len : c->tail_max;
}

static void give_line(struct capture *c)
{
    if (c->line.len && c->line.data[c->line.len - 1] == '\r')
        c->line.data[c->line.len - 1] = '\0';
    c->on_line(c->user, buf_str(&c->line));
    buf_clear(&c->line);
}

// Progress bars end their lines with a bare \r: each state is a line of its own.
static void give_lines(struct capture *c, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (data[i] == '\n' || c->line.len >= CAPTURE_LINE_MAX ||
            (c->line.len && c->line.data[c->line.len - 1] == '\r'))
            give_line(c);
        if (data[i] != '\n')
            buf_char(&c->line, data[i] ? data[i] : ' ');
    }
}

void capture_add(struct capture *c, const char *data, size_t len)
{
    hash_add(c->hash, data, len);
    c->bytes += len;
    if (c->on_line)
        give_lines(c, data, len);
    size_t room = c->head_max - c->head.len;
    size_t first = len < room ? len : room;
    buf_add(&c->head, data, first);
    if (len > first)
        keep_tail(c, data + first, len - first);
}

void capture_finish(struct capture *c, char ret_hash[HASH_TEXT], struct buf *ret_kept)
{
    hash_finish(c->hash, ret_hash);
    if (c->on_line && c->line.len)
        give_line(c);
    uint64_t missing = c->bytes - c->head.len - c->tail_used;
    *ret_kept = c->head;
    if (missing)
        buf_printf(ret_kept, "\n[%llu bytes left out here]\n", (unsigned long long)missing);
    if (c->tail_used) {
        size_t oldest = c->tail_used < c->tail_max ? 0 : c->tail_at;
        buf_add(ret_kept, c->tail + oldest, c->tail_used - oldest);
        buf_add(ret_kept, c->tail, oldest);
    }
    ret_kept->cut = missing != 0;
    mem_free(c->tail);
    buf_free(&c->line);
}
