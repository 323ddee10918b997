// Symbols: bounded output whatever comes in, also for the short form and the crate of the result.
#include "profile/demangle.h"

#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *symbol = str_ndup((const char *)data, size);
    symbol[strcspn(symbol, "\n")] = '\0';
    char *name = demangle(symbol), *brief = demangle_short(name);
    size_t len;
    demangle_crate(name, &len);
    if (strlen(name) > DEMANGLE_OUTPUT_MAX && strcmp(name, symbol) != 0)
        abort();
    if (len > strlen(name) && len != 4)
        abort();
    mem_free(brief);
    mem_free(name);
    mem_free(symbol);
    return 0;
}
