// The page that cargo build --timings writes.
#include "base/mem.h"
#include "buildinfo/timings.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err;
    json_t *v = NULL;
    if (timings_parse((const char *)data, size, &v, &err) == 0) {
        must(json_array_size(json_list(v, "slowest")) <= TIMINGS_ROWS_MAX);
        must(json_array_size(json_list(v, "critical_path")) <= TIMINGS_WAY_MAX);
        json_decref(v);
    }
    return 0;
}
