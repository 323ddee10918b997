// The answer of cargo metadata.
#include "base/mem.h"
#include "rust/cargo_metadata.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cargo_metadata m;
    if (cargo_metadata_parse((const char *)data, size, &m, NULL) < 0)
        return 0;
    mem_free(cargo_reachable_new(&m, CARGO_USE_NORMAL | CARGO_USE_BUILD | CARGO_USE_DEV));
    cargo_package_of_path(&m, "/x/src/lib.rs");
    cargo_metadata_free(&m);
    return 0;
}
