// What callgrind writes: never out of bounds; a function's total is at least its own cost and at most all of it.
#include "profile/callgrind.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct callgrind *c = callgrind_new();
    struct err err;
    int r = callgrind_add(c, (const char *)data, size, &err);
    if (r == 0)
        r = callgrind_add(c, (const char *)data, size, &err);
    callgrind_finish(c);
    for (uint32_t i = 0; i < callgrind_function_count(c); i++) {
        const struct callgrind_function *f = callgrind_function_at(c, i);
        const struct callgrind_call *calls;
        size_t n = callgrind_calls_of(c, i, &calls);
        for (int e = 0; e < CALLGRIND_EVENTS; e++)
            if (f->total[e] < f->self[e] || f->total[e] > callgrind_total(c, (enum callgrind_event)e))
                abort();
        for (size_t k = 0; k < n; k++)
            if (calls[k].caller != i || calls[k].callee >= callgrind_function_count(c))
                abort();
    }
    callgrind_free(c);
    return 0;
}
