// Any bytes as a Rust source: lexer, items and every source check.
#include "reviewer/checks_source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct source s;
    struct findings f;
    if (source_open("fuzz.rs", (const char *)data, size, &s, NULL) == 0) {
        for (uint32_t i = 0; i < s.t.count; i++)
            must(s.t.items[i].end <= size && s.t.items[i].start < s.t.items[i].end);
        findings_init(&f);
        check_source(&s, &f);
        findings_finish(&f);
        findings_free(&f);
    }
    source_close(&s);
    return 0;
}
