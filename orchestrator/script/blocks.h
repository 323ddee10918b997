// Small blocks of one VM: taken from chunks, kept in lists by size, given back all at once. A VM makes and drops thousands of
// them; the general allocator would spread them over the process and join them again, run after run.
#pragma once

#include <stddef.h>

#define BLOCK_UNIT  16
#define BLOCK_LARGE 512 // larger ones come from malloc

struct blocks {
    void *chunks;
    char *at, *end; // what is left of the newest chunk
    void *free[BLOCK_LARGE / BLOCK_UNIT];
};

void *blocks_get(struct blocks *b, size_t size); // size > 0; NULL when there is no memory
void blocks_put(struct blocks *b, void *p, size_t size);
void *blocks_resize(struct blocks *b, void *p, size_t old_size, size_t new_size); // like realloc; p and both sizes are not 0
void blocks_free(struct blocks *b); // the chunks; large blocks are to be put back before
