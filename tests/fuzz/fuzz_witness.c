// Logs of valgrind: never a crash, and counts that are finite and not negative.
#include "measure/witness.h"

#include "base/err.h"

#include <math.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct witness_counts c = {0};
    witness_read((const char *)data, size, &c);
    const double all[] = {c.instructions, c.allocations, c.allocated_bytes, c.system_calls};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        must(isfinite(all[i]) && all[i] >= 0);
    return 0;
}
