// proto/json against the Jansson library, whose place it took: our writer gives the same text to the byte, in every
// form, on random values; our reader reads what Jansson reads as the same value and refuses what it refuses: texts as
// they are written, and damaged ones. And objects against a plain list of their members.
#include "support/support.h"

#include "base/mem.h"
#include "json/json.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALUES 4000

// It is loaded beside ours, which has the same names. Its values are only passed on.
static struct {
    void *library;
    void *(*loadb)(const char *text, size_t len, size_t flags, void *error);
    char *(*dumps)(const void *v, size_t flags);
    void (*delete)(void *v);
} jansson;

static int load_jansson(void **state)
{
    (void)state;
    jansson.library = dlopen("libjansson.so.4", RTLD_NOW | RTLD_LOCAL);
    if (!jansson.library)
        return 0;
    *(void **)&jansson.loadb = dlsym(jansson.library, "json_loadb");
    *(void **)&jansson.dumps = dlsym(jansson.library, "json_dumps");
    *(void **)&jansson.delete = dlsym(jansson.library, "json_delete");
    return jansson.loadb && jansson.dumps && jansson.delete ? 0 : -1;
}

static int close_jansson(void **state)
{
    (void)state;
    return jansson.library ? dlclose(jansson.library) : 0;
}

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

static const size_t FORMS[] = {JSON_COMPACT,
                               JSON_INDENT(2),
                               JSON_ENSURE_ASCII,
                               0,
                               JSON_COMPACT | JSON_SORT_KEYS,
                               JSON_INDENT(3) | JSON_ENSURE_ASCII};

enum { READ = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY };

// What Jansson makes of the text; NULL: it refuses it.
static char *theirs_new(const char *text, size_t len, size_t read, size_t form)
{
    char error[1024]; // no smaller than its json_error_t
    void *v = jansson.loadb(text, len, read, error);
    char *out = v ? jansson.dumps(v, form | JSON_ENCODE_ANY) : NULL;
    if (v)
        jansson.delete(v);
    return out;
}

static void test_json_write_is_jansson(void **state)
{
    (void)state;
    if (!jansson.library)
        skip();
    for (unsigned i = 0; i < VALUES; i++) {
        json_t *v = value_new(4);
        size_t form = FORMS[pick(ARRAY_LEN(FORMS))];
        char *mine = json_dumps(v, form), *plain = json_compact(v),
             *theirs = theirs_new(plain, strlen(plain), READ, form);
        assert_string_equal(mine, theirs);
        free(theirs);
        mem_free(mine);
        mem_free(plain);
        json_decref(v);
    }
}

// 1: both read it, and the same value.
static unsigned compare_as(const char *text, size_t len, size_t flags)
{
    json_t *v = json_loadb(text, len, flags, NULL);
    char *theirs = theirs_new(text, len, flags, JSON_COMPACT), *mine = v ? json_dumps(v, JSON_COMPACT) : NULL;
    if (!mine != !theirs || (mine && strcmp(mine, theirs) != 0))
        fail_msg("flags %zu, read %s, expected %s: %.*s", flags, mine ? mine : "nothing", theirs ? theirs : "nothing",
                 (int)len, text);
    unsigned read = mine != NULL;
    json_decref(v);
    mem_free(mine);
    free(theirs);
    return read;
}

static unsigned compare(const char *text, size_t len)
{
    compare_as(text, len, JSON_DECODE_ANY | JSON_ALLOW_NUL);
    compare_as(text, len, JSON_DISABLE_EOF_CHECK);
    return compare_as(text, len, READ);
}

static void test_json_read_is_jansson(void **state)
{
    (void)state;
    unsigned whole = 0, damaged = 0;
    if (!jansson.library)
        skip();
    for (unsigned i = 0; i < VALUES; i++) {
        json_t *v = value_new(4);
        char *text = json_dumps(v, FORMS[pick(ARRAY_LEN(FORMS))]);
        size_t len = strlen(text);
        whole += compare(text, len);
        compare(text, pick((unsigned)len + 1));
        for (unsigned k = 0; k < 4; k++) {
            static const char BYTES[] = "{}[],:\"\\/019-+.eEtrufalsn \n\t\x01\x80\xC3\xE2\xED\xF4";
            text[pick((unsigned)len)] = BYTES[pick(sizeof(BYTES) - 1)]; // Jansson passes over zero bytes, we do not
            damaged += compare(text, len);
        }
        mem_free(text);
        json_decref(v);
    }
    assert_true(whole == VALUES && damaged > 0);
}

static void test_json_read_edges(void **state)
{
    static const struct {
        const char *text;
        bool good;
    } ROWS[] = {
        {"0", true},
        {"-0", true},
        {"-1", true},
        {"01", false},
        {"-01", false},
        {"-", false},
        {"", false},
        {" ", false},
        {" 1 ", true},
        {"1 1", false},
        {"999999999999999999", true},
        {"9223372036854775807", true},
        {"-9223372036854775808", true},
        {"9223372036854775808", false},
        {"-9223372036854775809", false},
        {"1.", false},
        {".5", false},
        {"1.5e3", true},
        {"-0.0", true},
        {"1E+2", true},
        {"1e", false},
        {"1e+", false},
        {"1e999", false},
        {"1e-999", true},
        {"0.1000000000000000055511151231257827021181583404541015625", true},
        {"truex", false},
        {"true", true},
        {"nul", false},
        {"\"a", false},
        {"\"\\", false},
        {"\"\\u00e4\"", true},
        {"\"\\u00e\"", false},
        {"\"\\u0000\"", false},
        {"\"\\ud834\\udd1e\"", true},
        {"\"\\ud834\"", false},
        {"\"\\udd1e\"", false},
        {"\"\\ud834\\u0041\"", false},
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
        AUTO_JSON json_t *v = json_loads(ROWS[i].text, READ, NULL);
        if (jansson.library)
            compare(ROWS[i].text, strlen(ROWS[i].text));
        if ((v != NULL) != ROWS[i].good)
            fail_msg("%s: expected %d", ROWS[i].text, ROWS[i].good);
    }
    struct err err;
    assert_null(json_parse_new("1\0", 2, "it", &err));
    assert_null(json_parse_new("[1,\n 2 3]", 9, "it", &err));
    assert_string_equal(err.text, "it is not JSON: line 2, column 4: expected ',' or ']'");
    assert_null(json_parse_new("{\"a\":1,\"a\":2}", 13, "it", &err));
    assert_non_null(strstr(err.text, "column 11: the same key stands twice"));
}

static void test_json_read_depth(void **state)
{
    (void)state;
    enum { MOST = 2048 };
    char deep[2 * (MOST + 1)];
    for (size_t n = MOST; n <= MOST + 1; n++) {
        memset(deep, '[', n);
        memset(deep + n, ']', n);
        AUTO_JSON json_t *v = json_loadb(deep, 2 * n, 0, NULL);
        assert_true((v != NULL) == (n == MOST));
        if (jansson.library)
            compare(deep, 2 * n);
    }
}

// --- objects ---

enum { NAMES = 60 };

struct plain { // what an object must be: its members in their order
    char names[NAMES][32];
    json_int_t values[NAMES];
    size_t n;
};

static size_t place_of(const struct plain *p, const char *name)
{
    size_t i = 0;
    while (i < p->n && strcmp(p->names[i], name) != 0)
        i++;
    return i;
}

static void plain_set(struct plain *p, const char *name, json_int_t value)
{
    size_t at = place_of(p, name);
    if (at == p->n)
        strcpy(p->names[p->n++], name);
    p->values[at] = value;
}

static void plain_del(struct plain *p, size_t at)
{
    p->n--;
    memmove(p->names[at], p->names[at + 1], (p->n - at) * sizeof(p->names[0]));
    memmove(&p->values[at], &p->values[at + 1], (p->n - at) * sizeof(p->values[0]));
}

static void same_members(const json_t *object, const struct plain *p)
{
    const char *key;
    json_t *value;
    size_t i = 0;
    assert_int_equal(json_object_size(object), p->n);
    json_object_foreach (object, key, value) {
        assert_string_equal(key, p->names[i]);
        assert_int_equal(json_integer_value(value), p->values[i]);
        assert_ptr_equal(json_object_get(object, key), value);
        i++;
    }
    assert_int_equal(i, p->n);
}

static void test_json_objects_are_lists(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 40; round++) {
        struct plain p = {.n = 0};
        json_t *object = json_object();
        unsigned names = 1 + pick(NAMES - 1), dels = 1 + pick(5);
        for (unsigned step = 0; step < 600; step++) {
            char name[32];
            snprintf(name, sizeof(name), "%.*s%u", (int)pick(12), "a long name to have", pick(names) / 3);
            size_t at = place_of(&p, name);
            if (at < p.n && pick(dels) == 0) {
                assert_int_equal(json_object_del(object, name), 0);
                plain_del(&p, at);
            } else if (p.n < NAMES - 1) {
                assert_int_equal(json_object_set_new(object, name, json_integer(step)), 0);
                plain_set(&p, name, step);
            }
            if (pick(300) == 0) {
                json_object_clear(object);
                p.n = 0;
            }
            assert_true((json_object_get(object, name) != NULL) == (place_of(&p, name) < p.n));
            if (step % 16 == 0)
                same_members(object, &p);
        }
        assert_int_equal(json_object_del(object, "none"), -1);
        json_t *copy = json_deep_copy(object), *shallow = json_copy(object);
        same_members(copy, &p);
        assert_true(json_equal(copy, object) && json_equal(shallow, object));
        json_object_set_new(copy, "one more", json_null());
        assert_false(json_equal(copy, object));
        json_decref(shallow);
        json_decref(copy);
        json_decref(object);
    }
}

static void test_json_pack(void **state)
{
    (void)state;
    AUTO_JSON json_t *v = json_pack("{s:i, ss, s[f,b,n], s{}, so}", "a", 1, "b", "text", "c", 0.5, 1, "d", "e",
                                    json_pack("[I]", (json_int_t)INT64_MAX));
    AUTO_FREE char *text = json_compact(v);
    assert_string_equal(text, "{\"a\":1,\"b\":\"text\",\"c\":[0.5,true,null],\"d\":{},\"e\":[9223372036854775807]}");
    assert_null(json_pack("{s:i", "a", 1));
    assert_null(json_pack("[s]", "\xFF"));
    assert_null(json_pack("?"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_write_is_jansson),  cmocka_unit_test(test_json_read_is_jansson),
        cmocka_unit_test(test_json_read_edges),        cmocka_unit_test(test_json_read_depth),
        cmocka_unit_test(test_json_objects_are_lists), cmocka_unit_test(test_json_pack)};
    return cmocka_run_group_tests(tests, load_jansson, close_jansson);
}
