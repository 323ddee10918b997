// JSON text -> Lua -> JSON: what is accepted comes back equal.
#include "script/value.h"

#include <lauxlib.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = {0};
    json_t *in = json_parse_new((const char *)data, size, "input", &err);
    if (!in)
        return 0;
    lua_State *L = luaL_newstate();
    if (!L)
        abort();
    value_open(L);
    if (value_push(L, in, true, &err) >= 0) {
        json_t *out = value_read_new(L, -1, &err);
        if (!out || !json_equal(in, out) || lua_gettop(L) != 1)
            abort();
        json_decref(out);
    }
    lua_close(L);
    json_decref(in);
    return 0;
}
