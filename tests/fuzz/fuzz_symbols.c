// Symbols of a program: what cargo built, and so what a build script may have written.
#include "base/mem.h"
#include "buildinfo/bloat.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err;
    json_t *v = NULL;
    if (bloat_parse(data, size, &v, &err) == 0) {
        must(json_array_size(json_list(v, "largest")) <= BLOAT_ROWS_MAX);
        must(json_array_size(json_list(v, "crates")) <= BLOAT_ROWS_MAX);
        json_decref(v);
    }
    return 0;
}
