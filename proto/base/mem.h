// Memory. Running out ends the process with a message: the journal makes a process crash-safe, and an error
// path per allocation would be code that never runs. Sizes from outside are bounded before they reach here.
#pragma once

#include "base/attr.h"

#include <stddef.h>

void *mem_alloc(size_t size) __attribute__((malloc, returns_nonnull));             // zeroed
void *mem_array(size_t count, size_t size) __attribute__((malloc, returns_nonnull)); // zeroed, overflow checked
void *mem_resize(void *p, size_t count, size_t size) __attribute__((returns_nonnull)); // new part not zeroed
void *mem_copy(const void *p, size_t size) __attribute__((malloc, returns_nonnull));
void mem_free(void *p);
// At the start of a program that makes and drops many small values beside large ones.
void mem_tune(void);
void mem_auto_free(void *pointer_to_pointer); // for AUTO(mem_auto_free)

#define AUTO_FREE AUTO(mem_auto_free)
