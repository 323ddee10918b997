// The output of git diff.
#include "reviewer/diff.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct diff d;
    if (diff_parse((const char *)data, size, &d, NULL) < 0)
        return 0;
    for (size_t i = 0; i < d.files.len; i++)
        diff_line_with(&d.files.items[i], "unsafe");
    diff_free(&d);
    return 0;
}
