// Small blocks that come and go by the thousand: nodes of trees, members of objects. What is given back is kept for the
// same thread, up to a bound, and taken again without asking the C library. The owner says the size both times.
#pragma once

#include <stddef.h>

void *small_get(size_t size) __attribute__((malloc, returns_nonnull)); // not zeroed
void small_put(void *p, size_t size);                                  // p may be NULL
// size: as it was got. The new part is not zeroed.
void *small_resize(void *p, size_t size, size_t new_size) __attribute__((returns_nonnull));
// What a block of this size really has: no smaller than size.
size_t small_room(size_t size);
