// Texts of bench programs: never a crash, and numbers that make sense.
#include "measure/bench_text.h"

#include "base/err.h"
#include "base/str.h"

#include <math.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct bench_rows rows;
    bench_divan_parse(text, size, &rows);
    for (size_t i = 0; i < rows.len; i++)
        must(rows.items[i].id && isfinite(rows.items[i].median_ns) && rows.items[i].median_ns >= 0);
    bench_rows_free(&rows);
    bench_libtest_parse(text, size, &rows);
    for (size_t i = 0; i < rows.len; i++)
        must(rows.items[i].id && isfinite(rows.items[i].median_ns) && rows.items[i].median_ns >= 0);
    bench_rows_free(&rows);
    str_list_free(bench_list_parse(text, size));
    return 0;
}
