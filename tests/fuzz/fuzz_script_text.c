// Any bytes as a workflow script, with small limits; what runs is answered at once with an empty object.
#include "script/script.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int on_call(void *ctx, uint64_t id, const char *task, unsigned n, const char *op, const json_t *args,
                   json_t **ret, struct err *err)
{
    (void)id;
    (void)task;
    (void)n;
    (void)op;
    (void)args;
    if (++*(unsigned *)ctx > 100) // a script may ask for ever
        return err_set(err, ERR_CANCELLED, "enough");
    *ret = json_object();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct script *s = NULL;
    struct err err = {0};
    struct script_limits limits = {.memory = (size_t)4 << 20, .instructions = 100000};
    unsigned calls = 0;
    struct script_host host = {.ctx = &calls, .call = on_call};
    if (script_load((const char *)data, size, "fuzz.lua", &limits, &s, &err) < 0)
        return 0;
    if (script_start(s, NULL, &host, &err) >= 0 && script_state(s) != SCRIPT_DONE && script_state(s) != SCRIPT_FAILED)
        abort();
    script_free(s);
    return 0;
}
