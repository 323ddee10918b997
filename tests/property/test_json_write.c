// proto/json: our writer gives the text of Jansson's, to the byte: compact and canonical, on random values.
#include "support/support.h"

#include "base/mem.h"
#include "json/json.h"

#include <stdlib.h>
#include <string.h>

#define VALUES 4000

static uint64_t seed = 0x9E3779B97F4A7C15u;

static unsigned pick(unsigned n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed % n);
}

static json_t *text_new(void)
{
    static const char *const PIECES[] = {"a", "Z9", " ", "\"", "\\", "/", "\b", "\f", "\n", "\r", "\t", "\x01", "\x1F", "\x7F",
                                         "ä", "€", "𝄞", "\u2028", "long plain text without anything special in it"};
    char text[1024] = "";
    for (unsigned n = pick(12); n > 0; n--)
        strcat(text, PIECES[pick(ARRAY_LEN(PIECES))]);
    return json_string(text);
}

static json_t *value_new(unsigned depth)
{
    static const double REALS[] = {0.0, -0.0, 1.0, 0.1, 1e21, -1.5e-9, 1e300, 5e-324, 123456789.125};
    switch (pick(depth ? 9 : 7)) {
    case 0:
        return json_null();
    case 1:
        return json_boolean(pick(2));
    case 2:
        return json_integer((json_int_t)((int64_t)pick(1000) - 500));
    case 3:
        return json_integer(pick(2) ? INT64_MIN : INT64_MAX);
    case 4:
        return json_real(REALS[pick(ARRAY_LEN(REALS))]);
    case 5:
    case 6:
        return text_new();
    case 7: {
        json_t *list = json_array();
        for (unsigned n = pick(6); n > 0; n--)
            json_array_append_new(list, value_new(depth - 1));
        return list;
    }
    default: {
        json_t *object = json_object();
        for (unsigned n = pick(3) ? pick(8) : 40; n > 0; n--) {
            json_t *key = text_new();
            json_object_set_new(object, json_string_value(key), value_new(depth - 1));
            json_decref(key);
        }
        return object;
    }
    }
}

static void check(const json_t *v, char *mine, size_t flags)
{
    char *theirs = json_dumps(v, flags | JSON_ENCODE_ANY);
    assert_non_null(theirs);
    assert_string_equal(mine, theirs);
    free(theirs);
    mem_free(mine);
}

static void test_json_write_is_jansson(void **state)
{
    (void)state;
    for (unsigned i = 0; i < VALUES; i++) {
        json_t *v = value_new(4);
        check(v, json_compact(v), JSON_COMPACT);
        check(v, json_canonical(v), JSON_COMPACT | JSON_SORT_KEYS);
        json_decref(v);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_json_write_is_jansson)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
