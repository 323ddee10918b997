// proto/json: our writer gives the text of Jansson's, to the byte: compact and canonical, on random values. Our reader
// reads what Jansson reads as the same value, and nothing that Jansson refuses: of texts as they are written, and
// damaged ones.
#include "support/support.h"

#include "base/mem.h"
#include "json/json.h"
#include "json/read.h"

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
    static const char *const PIECES[] = {"a",
                                         "Z9",
                                         " ",
                                         "\"",
                                         "\\",
                                         "/",
                                         "\b",
                                         "\f",
                                         "\n",
                                         "\r",
                                         "\t",
                                         "\x01",
                                         "\x1F",
                                         "\x7F",
                                         "ä",
                                         "€",
                                         "𝄞",
                                         "\u2028",
                                         "long plain text without anything special in it"};
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

static json_t *theirs_new(const char *text, size_t len)
{
    return json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
}

// 1: read by ours. What it is not sure of it leaves to Jansson.
static unsigned compare(const char *text, size_t len)
{
    json_t *mine = json_read_plain_new(text, len), *theirs = theirs_new(text, len);
    if (mine && (!theirs || !json_equal(mine, theirs)))
        fail_msg("read another value: %.*s", (int)len, text);
    unsigned read = mine != NULL;
    json_decref(mine);
    json_decref(theirs);
    return read;
}

static void test_json_read_is_jansson(void **state)
{
    static const size_t FORMS[] = {JSON_COMPACT, JSON_INDENT(2), JSON_ENSURE_ASCII, JSON_ESCAPE_SLASH};
    (void)state;
    unsigned plain = 0, damaged = 0;
    for (unsigned i = 0; i < VALUES; i++) {
        json_t *v = value_new(4);
        char *text = json_dumps(v, FORMS[pick(ARRAY_LEN(FORMS))] | JSON_ENCODE_ANY);
        size_t len = strlen(text);
        plain += compare(text, len);
        compare(text, pick((unsigned)len + 1));
        for (unsigned k = 0; k < 4; k++) {
            static const char BYTES[] = "{}[],:\"\\/019-+.eEtrufalsn \n\t\x01\x80\xC3\xE2\xED\xF4";
            text[pick((unsigned)len)] = BYTES[pick(sizeof(BYTES))];
            damaged += compare(text, len);
        }
        free(text);
        json_decref(v);
    }
    assert_true(plain > VALUES / 2 && damaged > 0);
}

static void test_json_read_edges(void **state)
{
    static const struct {
        const char *text;
        bool plain;
    } ROWS[] = {
        {"0", true},
        {"-0", true},
        {"-1", true},
        {"01", false},
        {"-", false},
        {"", false},
        {" ", false},
        {" 1 ", true},
        {"1 1", false},
        {"999999999999999999", true},
        {"9223372036854775808", false},
        {"1.", false},
        {".5", false},
        {"1.5e3", true},
        {"1e", false},
        {"1e999", false},
        {"truex", false},
        {"true", true},
        {"nul", false},
        {"\"a", false},
        {"\"\\u00e4\"", true},
        {"\"\\u0000\"", false},
        {"\"\\ud834\\udd1e\"", false},
        {"\"\xED\xA0\x80\"", false},
        {"\"\xC0\x80\"", false},
        {"\"\\x\"", false},
        {"\"\t\"", false},
        {"[1,]", false},
        {"[,1]", false},
        {"[1 2]", false},
        {"[ ]", true},
        {"{ }", true},
        {"{\"a\":1,}", false},
        {"{\"a\":1,\"a\":1}", false},
        {"{\"\\u0061\":1,\"a\":1}", false},
        {"{\"\":{}}", true},
        {"{\"\\n\":\"\\t\",\"b\":[]}", true},
        {"{1:2}", false},
        {"[", false},
        {"{\"a\"", false},
        {"{\"a\":", false},
        {"\xEF\xBB\xBF{}", false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
        unsigned plain = compare(ROWS[i].text, strlen(ROWS[i].text));
        if (plain != ROWS[i].plain)
            fail_msg("%s: read %u, expected %d", ROWS[i].text, plain, ROWS[i].plain);
    }
    assert_int_equal(compare("1\0", 2), 0);
    char deep[2000];
    memset(deep, '[', 1000);
    memset(deep + 1000, ']', 1000);
    assert_int_equal(compare(deep, sizeof(deep)), 0); // Jansson's
    assert_int_equal(compare(deep + 900, 200), 1);
    struct err err;
    json_t *v = json_parse_new(deep, sizeof(deep), "deep", &err);
    assert_non_null(v);
    json_decref(v);
    assert_null(json_parse_new("[1,\n 2 3]", 9, "it", &err));
    assert_non_null(strstr(err.text, "it is not JSON: line 2, column"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_json_write_is_jansson),
                                       cmocka_unit_test(test_json_read_is_jansson),
                                       cmocka_unit_test(test_json_read_edges)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
