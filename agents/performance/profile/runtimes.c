#include "profile/runtimes.h"

#include "profile/demangle.h"

#include "base/attr.h"

#include <string.h>

static const struct {
    const char *crate, *label;
} CRATES[] = {
#define X(crate, label) {crate, label},
#include "profile/runtimes.def"
#undef X
};

uint8_t runtime_of(const char *function)
{
    size_t len;
    const char *crate = demangle_crate(function, &len);
    for (uint8_t i = 0; len > 0 && i < ARRAY_LEN(CRATES); i++)
        if (strlen(CRATES[i].crate) == len && memcmp(CRATES[i].crate, crate, len) == 0) {
            uint8_t first = i; // the number of a label is that of its first crate
            while (first > 0 && strcmp(CRATES[first - 1].label, CRATES[i].label) == 0)
                first--;
            return (uint8_t)(first + 1);
        }
    return 0;
}

const char *runtime_label(uint8_t runtime)
{
    return runtime > 0 && runtime <= ARRAY_LEN(CRATES) ? CRATES[runtime - 1].label : "";
}
