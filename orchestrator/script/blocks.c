#include "script/blocks.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES ((size_t)16 * 1024)

struct chunk {
    alignas(BLOCK_UNIT) struct chunk *next;
};

static size_t class_of(size_t size)
{
    return (size - 1) / BLOCK_UNIT;
}

void *blocks_get(struct blocks *b, size_t size)
{
    if (size > BLOCK_LARGE)
        return malloc(size);
    size_t class = class_of(size), bytes = (class + 1) * BLOCK_UNIT;
    void *p = b->free[class];
    if (p) {
        memcpy(&b->free[class], p, sizeof(void *));
        return p;
    }
    if ((size_t)(b->end - b->at) < bytes) {
        struct chunk *chunk = malloc(CHUNK_BYTES);
        if (!chunk)
            return NULL;
        chunk->next = b->chunks;
        b->chunks = chunk;
        b->at = (char *)(chunk + 1);
        b->end = (char *)chunk + CHUNK_BYTES;
    }
    p = b->at;
    b->at += bytes;
    return p;
}

void blocks_put(struct blocks *b, void *p, size_t size)
{
    if (size > BLOCK_LARGE) {
        free(p);
        return;
    }
    memcpy(p, &b->free[class_of(size)], sizeof(void *));
    b->free[class_of(size)] = p;
}

void *blocks_resize(struct blocks *b, void *p, size_t old_size, size_t new_size)
{
    if (old_size > BLOCK_LARGE && new_size > BLOCK_LARGE)
        return realloc(p, new_size);
    if (old_size <= BLOCK_LARGE && new_size <= BLOCK_LARGE && class_of(old_size) == class_of(new_size))
        return p;
    void *q = blocks_get(b, new_size);
    if (!q)
        return NULL;
    memcpy(q, p, old_size < new_size ? old_size : new_size);
    blocks_put(b, p, old_size);
    return q;
}

void blocks_free(struct blocks *b)
{
    struct chunk *next, *chunk = b->chunks;
    for (; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    *b = (struct blocks){0};
}
