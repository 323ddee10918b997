// proto/base and proto/json: strings, UTF-8, files, ids, errors, canonical JSON.
#include "support/support.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/id.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "base/str.h"
#include "base/words.h"
#include "json/json.h"

#include <sodium.h>
#include <string.h>

static void test_buf_limit_keeps_what_fits(void **state)
{
    (void)state;
    struct buf b = BUF_MAX(5);
    buf_str_add(&b, "abc");
    buf_str_add(&b, "defg");
    assert_string_equal(buf_str(&b), "abcde");
    assert_true(b.cut);
    buf_free(&b);
}

static void test_str_utf8_rejects_bad_forms(void **state)
{
    (void)state;
    assert_true(str_utf8_valid("grün→", strlen("grün→")));
    assert_false(str_utf8_valid("\xC0\x80", 2));
    assert_false(str_utf8_valid("\xED\xA0\x80", 3));
    assert_false(str_utf8_valid("\xF4\x90\x80\x80", 4));
    assert_false(str_utf8_valid("\xE2\x82", 2));
    assert_int_equal(str_utf8_cut("aü", 2), 1);
}

static void test_str_make_plain_leaves_nothing_that_steers(void **state)
{
    (void)state;
    char text[] = "a\x1b[2J\xC2\x9b"
                  "b\x7f\xE2\x80\xAE"
                  "ü→\xFF\n";
    str_make_plain(text);
    assert_string_equal(text, "a [2J  b    ü→  ");
    struct err err = {0};
    err_set(&err, ERR_TOOL, "%s", "one\x1b]0;x\x07\n\ttwo");
    assert_string_equal(err.text, "one ]0;x \n\ttwo");
}

static void test_json_shown_has_the_same_values(void **state)
{
    (void)state;
    static const char *const TEXT = "\x1b[2J\xC2\x9b\x7f\xE2\x80\xAEü\xF0\x9F\x98\x80";
    AUTO_JSON json_t *value = json_object();
    json_put_str(value, TEXT, TEXT);
    AUTO_FREE char *shown = json_shown(value);
    AUTO_FREE char *pretty = json_shown_pretty(value);
    for (const char *p = shown; *p;) {
        size_t n = str_utf8_shown(p, strlen(p));
        assert_true(n > 0);
        p += n;
    }
    AUTO_JSON json_t *again = json_loads(shown, 0, NULL);
    AUTO_JSON json_t *pretty_again = json_loads(pretty, 0, NULL);
    assert_true(json_equal(value, again));
    assert_true(json_equal(value, pretty_again));
}

static void check_words(const char *text, const char *const *expected)
{
    char **words = NULL;
    struct err err;
    assert_int_equal(words_split(text, "the command", 8, &words, &err), 0);
    size_t i = 0;
    struct buf again = BUF_INIT;
    for (; expected[i]; i++) {
        assert_string_equal(words[i], expected[i]);
        assert_true(words_add(&again, words[i]));
    }
    assert_null(words[i]);
    str_list_free(words);
    assert_int_equal(words_split(buf_str(&again), "the command", 8, &words, &err), 0);
    for (i = 0; expected[i]; i++)
        assert_string_equal(words[i], expected[i]);
    assert_null(words[i]);
    str_list_free(words);
    buf_free(&again);
}

static void test_words(void **state)
{
    (void)state;
    check_words("  a\tb  c", (const char *const[]){"a", "b", "c", NULL});
    check_words("a 'b c' \"it's\" d'|'e", (const char *const[]){"a", "b c", "it's", "d|e", NULL});
    check_words("a '' b", (const char *const[]){"a", "", "b", NULL});
    check_words("sort -n < in.txt", (const char *const[]){"sort", "-n", "<", "in.txt", NULL});
    check_words("sort <in.txt", (const char *const[]){"sort", "<", "in.txt", NULL});
    static const char *const REFUSED[] = {
        "", " ", "a | b", "a > b", "a; b", "a *", "$HOME", "a 'b", "a`b`", "a\nb", "a b c d e f g h i", "a b<c"};
    for (size_t i = 0; i < ARRAY_LEN(REFUSED); i++) {
        char **words = NULL;
        struct err err = {0};
        assert_true(words_split(REFUSED[i], "the command", 8, &words, &err) < 0);
        assert_non_null(strstr(err.text, "the command"));
        assert_null(words);
    }
    struct buf none = BUF_INIT;
    assert_false(words_add(&none, "'\""));
    assert_int_equal(none.len, 0);
    buf_free(&none);
}

static void test_str_split_and_trim(void **state)
{
    (void)state;
    size_t n = 0;
    char **list = str_split("a,,b", ",", true, &n);
    assert_int_equal(n, 2);
    assert_string_equal(list[1], "b");
    str_list_free(list);
    char text[] = " x y \r\n";
    assert_string_equal(str_trim(text), "x y");
}

static void test_file_write_is_atomic_and_read_is_bounded(void **state)
{
    (void)state;
    struct err err;
    char *dir = test_temp_dir();
    char *path = path_join(dir, "f");
    assert_ok(file_write(path, "hello", 5, true, &err), &err);
    char *text = NULL;
    assert_int_equal(file_read(path, 4, &text, NULL, &err), -ERR_LIMIT);
    assert_ok(file_read(path, 5, &text, NULL, &err), &err);
    assert_string_equal(text, "hello");
    mem_free(text);
    mem_free(path);
    test_remove(dir);
}

static void test_path_arithmetic(void **state)
{
    (void)state;
    assert_string_equal(path_below("/a/b/c", "/a/b"), "c");
    assert_null(path_below("/a/bc", "/a/b"));
    assert_string_equal(path_below("/a/b", "/a/b/"), "");
    char *joined = path_join("/a/", "b");
    assert_string_equal(joined, "/a/b");
    mem_free(joined);
}

static void test_err_wrap_and_cut(void **state)
{
    (void)state;
    struct err err;
    assert_int_equal(err_set(&err, ERR_LIMIT, "'%s' is too long", "x"), -ERR_LIMIT);
    assert_int_equal(err_wrap(&err, "stage %d", 3), -ERR_LIMIT);
    assert_string_equal(err.text, "stage 3: 'x' is too long");
    char long_text[3000];
    memset(long_text, 'a', sizeof(long_text));
    long_text[sizeof(long_text) - 1] = '\0';
    err_set(&err, ERR_IO, "%s", long_text);
    assert_true(str_utf8_valid(err.text, strlen(err.text)));
    assert_true(str_ends(err.text, "…"));
}

static void test_json_canonical_is_order_free(void **state)
{
    (void)state;
    struct err err;
    json_t *a = json_parse_new("{\"b\":1,\"a\":[true,null]}", 23, "a", &err);
    json_t *b = json_parse_new("{ \"a\":[true,null], \"b\":1 }", 26, "b", &err);
    char ha[65], hb[65];
    json_hash(a, ha);
    json_hash(b, hb);
    assert_string_equal(ha, hb);
    json_decref(a);
    json_decref(b);
    assert_null(json_parse_new("{\"a\":1,\"a\":2}", 13, "twice", &err));
    assert_int_equal(err.code, ERR_PARSE);
}

static void test_json_text_replaces_bad_bytes(void **state)
{
    (void)state;
    json_t *v = json_text_new("a\xFF\x62", 3);
    assert_string_equal(json_string_value(v), "a\xEF\xBF\xBD\x62");
    json_decref(v);
}

static void test_hash_and_ids(void **state)
{
    (void)state;
    char h[HASH_TEXT];
    hash_bytes("abc", 3, h);
    assert_string_equal(h, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    char id[ID_UUID_TEXT];
    id_uuid7(clock_wall_ns(), id);
    assert_int_equal(strlen(id), 36);
    assert_int_equal(id[14], '7');
}

// Both ways of computing it, in pieces of all sizes, against libsodium.
static void test_sha256_is_sha256(void **state)
{
    (void)state;
    unsigned char data[700], theirs[SHA256_BYTES], mine[SHA256_BYTES];
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (unsigned char)(i * 131 + i / 7);
    for (size_t len = 0; len <= sizeof(data); len++) {
        crypto_hash_sha256(theirs, data, len);
        for (size_t piece = 1; piece <= 130; piece += 43) {
            for (int portable = 0; portable < 2; portable++) {
                struct sha256 h;
                sha256_init(&h);
                h.portable = h.portable || portable;
                for (size_t at = 0; at < len; at += piece)
                    sha256_add(&h, data + at, len - at < piece ? len - at : piece);
                sha256_finish(&h, mine);
                assert_memory_equal(mine, theirs, sizeof(mine));
            }
        }
    }
}

static void test_str_plain_ends_before_what_json_escapes(void **state)
{
    (void)state;
    static const char SPECIAL[] = "\"\\\n\x1F\x80\xFF";
    char text[40];
    for (size_t at = 0; at < sizeof(text); at++) {
        for (size_t i = 0; i < sizeof(SPECIAL); i++) { // the last one is NUL
            memset(text, i & 1 ? ' ' : '~', sizeof(text));
            assert_int_equal(str_plain(text, sizeof(text)), sizeof(text));
            text[at] = SPECIAL[i];
            assert_int_equal(str_plain(text, sizeof(text)), at);
        }
    }
}

static void test_clock_left(void **state)
{
    (void)state;
    assert_int_equal(clock_left_ns(100, 40, 80), 60);
    assert_int_equal(clock_left_ns(100, 100, 80), 0);
    assert_int_equal(clock_left_ns(100, 5000, 80), 0);   // the clock was set forward
    assert_int_equal(clock_left_ns(100, -5000, 80), 80); // the clock was set back
    assert_int_equal(clock_left_ns(INT64_MAX, 1, 80), 80);
}

// Against a plain table; the keys collide often and many are removed.
static void test_map_puts_gets_and_removes(void **state)
{
    (void)state;
    enum { KEYS = 2000 };
    static uint64_t values[KEYS + 1]; // 0: not there
    struct map map = {0};
    size_t len = 0;
    uint64_t random = 88172645463325252u;
    for (int i = 0; i < 200000; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17; // xorshift64
        uint64_t at = random % KEYS + 1, key = at << 20;
        if (random >> 40 & 1) {
            len += values[at] == 0;
            values[at] = random | 1;
            map_put(&map, key, &values[at]);
        } else {
            assert_ptr_equal(map_remove(&map, key), values[at] ? &values[at] : NULL);
            len -= values[at] != 0;
            values[at] = 0;
        }
        assert_int_equal(map.len, len);
        uint64_t other = random >> 20 & 1023;
        assert_ptr_equal(map_get(&map, other << 20), values[other] && other ? &values[other] : NULL);
    }
    size_t seen = 0, at = 0;
    for (const uint64_t *value; (value = map_next(&map, &at)); seen++)
        assert_true(*value != 0);
    assert_int_equal(seen, len);
    assert_null(map_get(&map, 0));
    map_free(&map);
    assert_null(map_get(&map, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buf_limit_keeps_what_fits),
        cmocka_unit_test(test_str_utf8_rejects_bad_forms),
        cmocka_unit_test(test_str_make_plain_leaves_nothing_that_steers),
        cmocka_unit_test(test_json_shown_has_the_same_values),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_str_split_and_trim),
        cmocka_unit_test(test_file_write_is_atomic_and_read_is_bounded),
        cmocka_unit_test(test_path_arithmetic),
        cmocka_unit_test(test_err_wrap_and_cut),
        cmocka_unit_test(test_json_canonical_is_order_free),
        cmocka_unit_test(test_json_text_replaces_bad_bytes),
        cmocka_unit_test(test_hash_and_ids),
        cmocka_unit_test(test_sha256_is_sha256),
        cmocka_unit_test(test_str_plain_ends_before_what_json_escapes),
        cmocka_unit_test(test_clock_left),
        cmocka_unit_test(test_map_puts_gets_and_removes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
