// The file of hashes that is kept between stages: anything yields at most as many entries as it has lines.
#include "base/mem.h"
#include "base/str.h"
#include "sandbox/hashes.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hashes *h = hashes_new("/nonexistent/hashes");
    AUTO_FREE char *text = str_ndup((const char *)data, size);
    size_t lines = 1;
    for (size_t i = 0; i < size; i++)
        lines += data[i] == '\n';
    if (hashes_parse(h, text, size) > lines)
        abort();
    hashes_free(h);
    return 0;
}
