// perf script text, in two pieces split at a place that the input chooses: the split may not change the result.
#include "profile/perf_script.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct perf_script *whole = perf_script_new(NULL), *split = perf_script_new(NULL);
    size_t at = size ? data[size / 2] * size / 256 : 0;
    perf_script_feed(whole, (const char *)data, size);
    perf_script_finish(whole);
    perf_script_feed(split, (const char *)data, at);
    perf_script_feed(split, (const char *)data + at, size - at);
    perf_script_finish(split);
    const struct perf_script_stats *a = perf_script_stats(whole), *b = perf_script_stats(split);
    if (a->samples != b->samples || a->weight != b->weight || a->bad_lines != b->bad_lines || a->lines != b->lines)
        abort();
    uint64_t samples = 0;
    for (size_t i = 0; i < perf_script_stack_count(whole); i++) {
        struct perf_stack s = perf_script_stack(whole, i);
        samples += s.samples;
        for (size_t k = 0; k < s.count; k++)
            if (!perf_script_frame(whole, s.frames[k])->symbol)
                abort();
    }
    if (samples != a->samples)
        abort();
    perf_script_free(whole);
    perf_script_free(split);
    return 0;
}
