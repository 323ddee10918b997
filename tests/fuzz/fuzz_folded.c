// Folded text: what was read, written and read again is the same; the flame graph of anything holds no raw markup.
#include "profile/flamegraph.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct folded *f = folded_new(), *g = folded_new();
    struct buf once = BUF_INIT, twice = BUF_INIT, svg = BUF_INIT;
    struct folded_read_stats stats;
    folded_read(f, (const char *)data, size, NULL, &stats);
    folded_write(f, &once);
    folded_read(g, buf_str(&once), once.len, NULL, NULL);
    if (memchr(data, '\0', size) == NULL && memmem(data, size, "_[k]", 4) == NULL) { // names end at NUL
        folded_write(g, &twice);
        if (folded_total(f) != folded_total(g) || once.len != twice.len)
            abort();
    }
    if (flamegraph_write(f, &(struct flamegraph_options){.title = "t", .icicle = size % 2 == 0}, &svg, NULL) == 0 &&
        memmem(svg.data, svg.len, "</svg>", 6) == NULL)
        abort();
    buf_free(&once);
    buf_free(&twice);
    buf_free(&svg);
    folded_free(f);
    folded_free(g);
    return 0;
}
