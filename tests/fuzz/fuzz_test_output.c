// The text of cargo test; the first byte parts it into a run before and a run after a change.
#include "base/mem.h"
#include "rust/test_output.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    const char *text = (const char *)data + 1;
    size_t cut = (size - 1) * data[0] / 255;
    struct test_counts before, after;
    json_t *a = test_output_parse_new(text, cut, &before);
    json_t *b = test_output_parse_new(text + cut, size - 1 - cut, &after);
    json_t *none = test_output_lost_new(a, a), *lost = test_output_lost_new(a, b);
    must(json_array_size(none) == 0);
    must(json_array_size(lost) <= json_object_size(a));
    json_decref(none);
    json_decref(lost);
    json_decref(a);
    json_decref(b);
    return 0;
}
