// Criterion's JSON files, and comparisons read back from JSON: never a crash, and what is accepted can be drawn.
#include "measure/criterion.h"
#include "measure/plot.h"

#include "base/err.h"

#include <math.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err;
    AUTO_JSON json_t *v = json_parse_new((const char *)data, size, "fuzz", &err);
    if (!v)
        return 0;
    struct criterion_bench b = {0};
    if (criterion_parse_sample(v, &b, &err) >= 0)
        must(isfinite(criterion_time_ns(&b)) && criterion_time_ns(&b) >= 0);
    criterion_parse_estimates(v, &b, &err);
    if (criterion_parse_benchmark(v, &b, &err) >= 0) {
        AUTO_JSON json_t *out = criterion_bench_json_new(&b);
        must(out != NULL);
    }
    criterion_bench_free(&b);
    struct ab_result *r = NULL;
    if (ab_result_parse(v, &r, &err) >= 0) {
        struct buf out = BUF_INIT;
        plot_svg(&out, r, NULL);
        plot_box(&out, r, 80, true);
        buf_free(&out);
        ab_result_free(r);
    }
    return 0;
}
