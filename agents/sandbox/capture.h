// One output stream of a tool: hashed and counted in full, kept in part (head and tail), and given out in lines. Used
// by one thread.
#pragma once

#include "base/buf.h"
#include "base/id.h"

#include <stdint.h>

#define CAPTURE_LINE_MAX 4096 // longer lines are given in pieces

struct capture {
    size_t head_max, tail_max;
    struct buf head;
    char *tail; // ring of tail_max bytes, made when the head is full
    size_t tail_used, tail_at;
    uint64_t bytes;
    struct hash *hash;
    void (*on_line)(void *user, const char *line);
    void *user;
    struct buf line;
};

void capture_init(struct capture *c, size_t max, void (*on_line)(void *user, const char *line), void *user);
void capture_add(struct capture *c, const char *data, size_t len);
// The end of the stream: gives the last line, the hash, and what was kept (a note stands where bytes are missing, and
// `cut` is set). Frees everything else.
void capture_finish(struct capture *c, char ret_hash[HASH_TEXT], struct buf *ret_kept);
