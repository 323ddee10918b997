// Blocks of one VM. Small ones are taken from chunks and kept in lists by size: a VM makes and drops thousands of them,
// which the general allocator would spread over the process and join again, run after run. All are given back at once.
#pragma once

#include <stddef.h>

#define BLOCK_UNIT  16
#define BLOCK_LARGE 512 // larger ones come from malloc

struct large;

struct blocks {
    void *chunks;
    struct large *large;
    char *at, *end; // what is left of the newest chunk
    void *free[BLOCK_LARGE / BLOCK_UNIT];
};

void *blocks_get(struct blocks *b, size_t size); // size > 0; NULL when there is no memory
void blocks_put(struct blocks *b, void *p, size_t size);
void *blocks_resize(struct blocks *b, void *p, size_t old_size,
                    size_t new_size); // like realloc; p and both sizes are not 0
void blocks_free(struct blocks *b);   // all that were not put back, too
