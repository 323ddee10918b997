#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

static void *checked(void *p)
{
    if (!p) {
        fputs("baton: out of memory\n", stderr);
        abort();
    }
    return p;
}

void *mem_alloc(size_t size)
{
    return checked(calloc(1, size ? size : 1));
}

void *mem_array(size_t count, size_t size)
{
    return checked(calloc(count ? count : 1, size ? size : 1));
}

void *mem_resize(void *p, size_t count, size_t size)
{
    return checked(reallocarray(p, count ? count : 1, size ? size : 1));
}

void *mem_copy(const void *p, size_t size)
{
    void *out = checked(malloc(size ? size : 1));
    if (size)
        memcpy(out, p, size);
    return out;
}

void mem_free(void *p)
{
    free(p);
}

// glibc keeps small chunks that were freed apart, and joins all of them whenever more than 1 KiB is asked for: with
// texts and trees by turns it does nothing else. Without these lists they are joined one by one.
void mem_tune(void)
{
#ifdef __GLIBC__
    mallopt(M_MXFAST, 0);
#endif
}

void mem_auto_free(void *pointer_to_pointer)
{
    void **p = pointer_to_pointer;
    free(*p);
    *p = NULL;
}
