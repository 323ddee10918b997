// Any JSON value within the limits comes back from Lua unchanged; what passes the limits is refused and changes
// nothing.
#include "support/support.h"

#include "base/mem.h"
#include "script/script.h"
#include "script/value.h"

#include <inttypes.h>
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct random {
    uint64_t state;
};

static uint64_t next(struct random *r) // xorshift64*
{
    r->state ^= r->state >> 12;
    r->state ^= r->state << 25;
    r->state ^= r->state >> 27;
    return r->state * UINT64_C(2685821657736338717);
}

static json_t *text_value(struct random *r)
{
    static const char *const PIECES[] = {"a", "key", "ü", "→", "\n", "\"", "\\", " ", "0", "🙂", ".", "[1]"};
    char text[64] = "";
    for (uint64_t n = next(r) % 6; n > 0; n--)
        strcat(text, PIECES[next(r) % 12]);
    return json_string(text);
}

static json_t *value(struct random *r, int depth)
{
    switch (next(r) % (depth > 0 ? 9 : 7)) {
    case 0:
        return json_null();
    case 1:
        return json_boolean(next(r) & 1);
    case 2:
        return json_integer((json_int_t)next(r));
    case 3:
        return json_integer((json_int_t)(next(r) % 10));
    case 4:
        return json_real((double)(int64_t)next(r) / 1024.0);
    case 5:
        return json_real((double)(next(r) % 100));
    case 6:
        return text_value(r);
    case 7: {
        json_t *list = json_array();
        for (uint64_t n = next(r) % 5; n > 0; n--)
            json_array_append_new(list, value(r, depth - 1));
        return list;
    }
    default: {
        json_t *object = json_object();
        for (uint64_t n = 1 + next(r) % 4; n > 0; n--) {
            json_t *key = text_value(r);
            json_object_set_new(object, json_string_value(key), value(r, depth - 1));
            json_decref(key);
        }
        return object;
    }
    }
}

static lua_State *new_state(void)
{
    lua_State *L = luaL_newstate();
    assert_non_null(L);
    value_open(L);
    return L;
}

static void test_value_round_trip(void **state)
{
    (void)state;
    const char *given = getenv("BATON_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
    struct random r = {seed | 1};
    lua_State *L = new_state();
    for (int i = 0; i < 3000; i++) {
        AUTO_JSON json_t *in = value(&r, 6);
        struct err err = {0};
        assert_ok(value_push(L, in, true, &err), &err);
        AUTO_JSON json_t *out = value_read_new(L, -1, &err);
        if (!out || !json_equal(in, out)) {
            char *a = json_compact(in), *b = out ? json_compact(out) : NULL;
            fail_msg("BATON_SEED=%" PRIu64 ": %s became %s (%s)", seed, a, b ? b : "nothing", err.text);
        }
        lua_pop(L, 1);
        assert_int_equal(lua_gettop(L), 0);
    }
    lua_close(L);
}

static json_t *nested(int depth)
{
    json_t *v = json_integer(1);
    for (int i = 0; i < depth; i++) {
        json_t *list = json_array();
        json_array_append_new(list, v);
        v = list;
    }
    return v;
}

static void test_value_limits(void **state)
{
    (void)state;
    lua_State *L = new_state();
    struct err err = {0};
    AUTO_JSON json_t *deep = nested(SCRIPT_DEPTH_MAX);
    assert_ok(value_push(L, deep, true, &err), &err);
    AUTO_JSON json_t *back = value_read_new(L, -1, &err);
    assert_true(json_equal(deep, back));
    AUTO_JSON json_t *deeper = nested(SCRIPT_DEPTH_MAX + 1);
    assert_int_equal(value_push(L, deeper, true, &err), -ERR_LIMIT);
    assert_int_equal(lua_gettop(L), 1);
    AUTO_JSON json_t *wide = json_array();
    for (int i = 0; i < SCRIPT_NODES_MAX; i++)
        json_array_append_new(wide, json_null());
    assert_int_equal(value_push(L, wide, true, &err), -ERR_LIMIT);
    // A table that holds another one twice, 40 levels: small in memory, endless as JSON.
    lua_settop(L, 0);
    lua_newtable(L);
    for (int i = 0; i < 40; i++) {
        lua_newtable(L);
        lua_pushvalue(L, -2);
        lua_setfield(L, -2, "a");
        lua_pushvalue(L, -2);
        lua_setfield(L, -2, "b");
        lua_remove(L, -2);
    }
    assert_null(value_read_new(L, -1, &err));
    assert_int_equal(err.code, ERR_LIMIT);
    assert_int_equal(lua_gettop(L), 1);
    lua_close(L);
}

static void test_value_null_in_objects_is_absent_for_scripts(void **state)
{
    (void)state;
    lua_State *L = new_state();
    struct err err = {0};
    AUTO_JSON json_t *in = json_pack("{s:n, s:[n,i], s:[]}", "gone", "list", 1, "empty");
    assert_ok(value_push(L, in, false, &err), &err);
    AUTO_JSON json_t *out = value_read_new(L, -1, &err);
    AUTO_JSON json_t *want = json_pack("{s:[n,i], s:[]}", "list", 1, "empty");
    assert_true(json_equal(out, want));
    lua_close(L);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_value_round_trip),
        cmocka_unit_test(test_value_limits),
        cmocka_unit_test(test_value_null_in_objects_is_absent_for_scripts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
