#include "script/blocks.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES ((size_t)16 * 1024)

struct chunk {
    alignas(BLOCK_UNIT) struct chunk *next;
};

// A large block hangs in a list, so that all can be given back at once.
struct large {
    alignas(BLOCK_UNIT) struct large *before, *behind;
};

static void list_add(struct blocks *b, struct large *l)
{
    l->before = NULL;
    l->behind = b->large;
    if (l->behind)
        l->behind->before = l;
    b->large = l;
}

static void list_remove(struct blocks *b, struct large *l)
{
    if (l->behind)
        l->behind->before = l->before;
    if (l->before)
        l->before->behind = l->behind;
    else
        b->large = l->behind;
}

static void *large_get(struct blocks *b, struct large *old, size_t size)
{
    if (old)
        list_remove(b, old);
    struct large *l = realloc(old, sizeof(*l) + size);
    if (!l && old)
        list_add(b, old);
    if (!l)
        return NULL;
    list_add(b, l);
    return l + 1;
}

static size_t class_of(size_t size)
{
    return (size - 1) / BLOCK_UNIT;
}

void *blocks_get(struct blocks *b, size_t size)
{
    if (size > BLOCK_LARGE)
        return large_get(b, NULL, size);
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
        struct large *l = (struct large *)p - 1;
        list_remove(b, l);
        free(l);
        return;
    }
    memcpy(p, &b->free[class_of(size)], sizeof(void *));
    b->free[class_of(size)] = p;
}

void *blocks_resize(struct blocks *b, void *p, size_t old_size, size_t new_size)
{
    if (old_size > BLOCK_LARGE && new_size > BLOCK_LARGE)
        return large_get(b, (struct large *)p - 1, new_size);
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
    while (b->large) {
        struct large *l = b->large;
        list_remove(b, l);
        free(l);
    }
    struct chunk *next, *chunk = b->chunks;
    for (; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    *b = (struct blocks){0};
}
