// cargo's JSON lines, and the text of cargo test.
#include "rust/cargo_messages.h"
#include "rust/test_output.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cargo_messages m;
    cargo_messages_parse((const char *)data, size, &m);
    for (size_t i = 0; i < m.diagnostic_count; i++) {
        cargo_primary_span(&m.diagnostics[i]);
        cargo_from_macro(&m.diagnostics[i]);
    }
    cargo_messages_free(&m);
    struct test_counts counts;
    json_decref(test_output_parse_new((const char *)data, size, &counts));
    return 0;
}
