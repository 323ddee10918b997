// proto/toml: what the grammar accepts and refuses, line numbers, edits that keep the rest of the text.
#include "support/support.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "toml/toml.h"
#include "toml/toml_edit.h"

#include <string.h>

static void check(const char *toml, const char *json)
{
    struct err err = {0};
    json_t *v = toml_parse_new(toml, strlen(toml), "test", &err);
    if (!v)
        fail_msg("%s: %s", toml, err.text);
    char *got = json_canonical(v);
    assert_string_equal(got, json);
    mem_free(got);
    json_decref(v);
}

static void refuse(const char *toml, const char *part_of_message)
{
    struct err err = {0};
    json_t *v = toml_parse_new(toml, strlen(toml), "test", &err);
    if (v)
        fail_msg("accepted: %s", toml);
    assert_int_equal(err.code, ERR_PARSE);
    if (!strstr(err.text, part_of_message))
        fail_msg("'%s' lacks '%s'", err.text, part_of_message);
}

static void test_toml_reads_scalars(void **state)
{
    (void)state;
    check("", "{}");
    check("\xEF\xBB\xBF"
          "a = 1",
          "{\"a\":1}");
    check("a = 1_000\nb = 0xDEAD_beef\nc = 0o17\nd = 0b101\ne = -9223372036854775808\nf = +7",
          "{\"a\":1000,\"b\":3735928559,\"c\":15,\"d\":5,\"e\":-9223372036854775808,\"f\":7}");
    check("a = 1.5\nb = -2e+02\nc = 6.626e-34\nd = inf\ne = -inf\nf = +nan",
          "{\"a\":1.5,\"b\":-200.0,\"c\":6.6259999999999998e-34,\"d\":\"inf\",\"e\":\"-inf\",\"f\":\"nan\"}");
    check("a = true\nb = false", "{\"a\":true,\"b\":false}");
    check("a = 1979-05-27T07:32:00Z\nb = 1979-05-27 07:32:00.99-07:00\nc = 1979-05-27\nd = 07:32:00\ne=1979-05-27 # x",
          "{\"a\":\"1979-05-27T07:32:00Z\",\"b\":\"1979-05-27 "
          "07:32:00.99-07:00\",\"c\":\"1979-05-27\",\"d\":\"07:32:00\","
          "\"e\":\"1979-05-27\"}");
}

static void test_toml_reads_strings(void **state)
{
    (void)state;
    check("a = \"tab\\t\\u00e9\\U0001F600\"\nb = 'C:\\x'", "{\"a\":\"tab\\té😀\",\"b\":\"C:\\\\x\"}");
    check("a = \"\"\"\nx \\\n   y\"\"\"\nb = '''\nit''s'''", "{\"a\":\"x y\",\"b\":\"it''s\"}");
    check("a = \"\"\"\"\"two\"\"\"\"\"", "{\"a\":\"\\\"\\\"two\\\"\\\"\"}");
    check("a = \"\"\"x\r\ny\"\"\"", "{\"a\":\"x\\r\\ny\"}");
    check("\"\" = 1\n'a b' = 2\n\"\\u0041\" = 3", "{\"\":1,\"A\":3,\"a b\":2}");
}

static void test_toml_reads_tables(void **state)
{
    (void)state;
    check("a.b.c = 1\na.b.d = 2\n[x.y]\nz = {p = 1, q.r = [1, [2, # c\n 3,],]}\n[x]\nw = 1",
          "{\"a\":{\"b\":{\"c\":1,\"d\":2}},\"x\":{\"w\":1,\"y\":{\"z\":{\"p\":1,\"q\":{\"r\":[1,[2,3]]}}}}}");
    check("[[p]]\nn = 1\n[p.s]\nt = 1\n[[p]]\nn = 2\n[[p.q]]\n[[p.q]]\nm = 1\r\n",
          "{\"p\":[{\"n\":1,\"s\":{\"t\":1}},{\"n\":2,\"q\":[{},{\"m\":1}]}]}");
    check("[fruit]\napple.color = 1\n[fruit.apple.taste]\nsweet = true",
          "{\"fruit\":{\"apple\":{\"color\":1,\"taste\":{\"sweet\":true}}}}");
    check("3.14159 = \"pi\"", "{\"3\":{\"14159\":\"pi\"}}");
    check("[ a . \"b c\" ] # c\n x = 1", "{\"a\":{\"b c\":{\"x\":1}}}");
}

static void test_toml_refuses_what_the_grammar_forbids(void **state)
{
    (void)state;
    refuse("a = 1\na = 2", "line 2, column 3: 'a' is defined already in line 1");
    refuse("[a]\n[a]", "defined already in line 1");
    refuse("a.b = 1\n[a]", "defined already");
    refuse("[a]\nb.c = 1\n[a.b]", "defined already");
    refuse("[a.b.c]\nz = 9\n[a]\nb.c.t = 1", "complete since line 1");
    refuse("[[a.b]]\n[a]\nb.y = 2", "not a table");
    refuse("a = []\n[[a]]", "not an array of tables");
    refuse("a = [1]\n[a.b]", "cannot get a table");
    refuse("a = {b = 1}\n[a.c]", "cannot get a table");
    refuse("a = {b = 1}\na.c = 2", "complete since line 1");
    refuse("[a]\n[[a]]", "not an array of tables");
    refuse("a = {b = 1,}", "expected a key");
    refuse("a = {b = 1\n}", "one line");
    refuse("a = 01", "not a value");
    refuse("a = 1__0", "not a value");
    refuse("a = _1", "not a value");
    refuse("a = 1.", "not a value");
    refuse("a = .5", "not a value");
    refuse("a = 1.e5", "not a value");
    refuse("a = +0x1", "not a value");
    refuse("a = 9223372036854775808", "does not fit into 64 bits");
    refuse("a = 0x8000000000000000", "does not fit into 64 bits");
    refuse("a = 1e999", "out of range");
    refuse("a = True", "not a value");
    refuse("a = 2021-02-29", "not a value");
    refuse("a = 2021-01-01T25:00:00", "not a value");
    refuse("a = 2021-01-01T00:00:00+25:00", "not a value");
    refuse("a = \"x\ny\"", "not closed");
    refuse("a = \"\\x41\"", "unknown escape");
    refuse("a = \"\\uD800\"", "no Unicode character");
    refuse("a = 'x\x01'", "control character");
    refuse("a = 1 # \x7F", "control character");
    refuse("a = 1 b = 2", "line 1, column 7: expected the end of the line");
    refuse("a = 1\rb = 2", "expected the end of the line");
    refuse("a", "expected '='");
    refuse("= 1", "expected a key");
    refuse("a = ", "expected a value");
    refuse("[a", "expected ']'");
    refuse("[[a]", "expected ']]'");
    refuse("[]", "expected a key");
    refuse("\"\"\"a\"\"\" = 1", "cannot be a multi-line string");
    refuse("x = 1\na = \"\xFF\"", "line 2, column 1: the line is not UTF-8");
}

static void test_toml_is_bounded(void **state)
{
    (void)state;
    AUTO_BUF struct buf b = BUF_INIT;
    buf_str_add(&b, "a = ");
    for (int i = 0; i < 100000; i++)
        buf_char(&b, '[');
    refuse(buf_str(&b), "64 levels");
    buf_clear(&b);
    for (int i = 0; i < 100; i++)
        buf_str_add(&b, "a.");
    buf_str_add(&b, "a = 1");
    refuse(buf_str(&b), "64 levels");
    struct err err = {0};
    assert_null(toml_parse_new("", TOML_TEXT_MAX + 1, "test", &err));
    assert_int_equal(err.code, ERR_LIMIT);
}

static void test_toml_finds_lines(void **state)
{
    (void)state;
    const char *t = "[package]\nname = 'x'\n\n[profile.release]\nlto = true\n[[bin]]\nname = 'a'\n[[bin]]\nname = 'b'\n"
                    "[target.\"cfg(unix)\".dependencies]\nlibc = { version = '0.2',\tfeatures = [] }\n";
    size_t n = strlen(t);
    assert_int_equal(toml_line_of(t, n, "profile.release.lto"), 5);
    assert_int_equal(toml_line_of(t, n, "profile.release"), 4);
    assert_int_equal(toml_line_of(t, n, "profile.bench"), 0);
    assert_int_equal(toml_line_near(t, n, "profile.release.debug"), 4);
    assert_int_equal(toml_line_of(t, n, "bin.1.name"), 9);
    assert_int_equal(toml_line_of(t, n, "bin.2.name"), 0);
    assert_int_equal(toml_line_of(t, n, "target.\"cfg(unix)\".dependencies.libc.version"), 11);
    assert_int_equal(toml_line_of("[", 1, "a"), 0);
    assert_int_equal(toml_line_of(t, n, ""), 0);
    assert_int_equal(toml_line_of(t, n, "profile."), 0);
}

#define PATH(...) ((const char *const[]){__VA_ARGS__, NULL})

static void check_set(const char *text, const char *const *path, const char *value, const char *expected)
{
    struct err err = {0};
    char *out = NULL;
    assert_ok(toml_edit_set(text, path, value, &out, &err), &err);
    assert_string_equal(out, expected);
    mem_free(out);
}

static void check_remove(const char *text, const char *const *path, int found, const char *expected)
{
    struct err err = {0};
    char *out = NULL;
    int r = toml_edit_remove(text, path, &out, &err);
    assert_ok(r, &err);
    assert_int_equal(r, found);
    assert_string_equal(out, expected);
    mem_free(out);
}

static void test_toml_edit_replaces_in_place(void **state)
{
    (void)state;
    const char *const *lto = PATH("profile", "release", "lto");
    check_set("# top\n[profile.release]\n  lto = false # why\nx = 1\n", lto, "\"thin\"",
              "# top\n[profile.release]\n  lto = \"thin\" # why\nx = 1\n");
    check_set("[profile]\nrelease = { lto = false, debug = 1 }", lto, "true",
              "[profile]\nrelease = { lto = true, debug = 1 }");
    check_set("profile.release.lto = [\n 1, # one\n]\r\ny = 2", lto, "1", "profile.release.lto = 1\r\ny = 2");
    check_set("[[bin]]\nname = 'a'\n[[bin]]\nname = 'b'\n", PATH("bin", "1", "name"), "'c'",
              "[[bin]]\nname = 'a'\n[[bin]]\nname = 'c'\n");
}

static void test_toml_edit_adds_keys_where_they_belong(void **state)
{
    (void)state;
    const char *const *lto = PATH("profile", "release", "lto");
    check_set("", lto, "true", "[profile.release]\nlto = true\n");
    check_set("[package]\nname = 'x'", lto, "true", "[package]\nname = 'x'\n\n[profile.release]\nlto = true\n");
    check_set("[package]\r\nname = 'x'\r\n", lto, "true",
              "[package]\r\nname = 'x'\r\n\r\n[profile.release]\r\nlto = true\r\n");
    check_set("[profile.release]\n  debug = 1 # d\n\n# next\n[lib]\n", lto, "true",
              "[profile.release]\n  debug = 1 # d\n  lto = true\n\n# next\n[lib]\n");
    check_set("[profile.release] # r\n[lib]", lto, "true", "[profile.release] # r\nlto = true\n[lib]");
    check_set("[profile.release]", lto, "true", "[profile.release]\nlto = true\n");
    check_set("[profile.release.package.x]\nopt-level = 1\n", lto, "true",
              "[profile.release.package.x]\nopt-level = 1\n\n[profile.release]\nlto = true\n");
    check_set("profile.release.debug = 1\n[lib]\n", lto, "true",
              "profile.release.debug = 1\nprofile.release.lto = true\n[lib]\n");
    check_set("[profile]\nrelease.debug = 1\n", lto, "true", "[profile]\nrelease.debug = 1\nrelease.lto = true\n");
    check_set("[profile]\nrelease = { debug = 1 } # c\n", lto, "true",
              "[profile]\nrelease = { debug = 1, lto = true } # c\n");
    check_set("profile = {}\n", lto, "true", "profile = { release.lto = true }\n");
    check_set("profile = { release.debug = 1 }\n", lto, "true",
              "profile = { release.debug = 1, release.lto = true }\n");
    check_set("# licence\n\n# about\n[a]\n", PATH("k"), "1", "# licence\n\nk = 1\n\n# about\n[a]\n");
    check_set("[[bin]]\nname = 'a'\n[bin.x.y]\n[[bin]]\n", PATH("bin", "0", "x", "z"), "1",
              "[[bin]]\nname = 'a'\nx.z = 1\n[bin.x.y]\n[[bin]]\n");
    check_set("", PATH("a b", "c\"d", ""), "1", "[\"a b\".\"c\\\"d\"]\n\"\" = 1\n");
}

static void test_toml_edit_removes(void **state)
{
    (void)state;
    check_remove("a = 1 # gone\n# stays\nb = 2\n", PATH("a"), 1, "# stays\nb = 2\n");
    check_remove("a = 1\nb = 2", PATH("b"), 1, "a = 1\n");
    check_remove("a.b.c = 1\nd = 1\n", PATH("a", "b", "c"), 1, "d = 1\n");
    check_remove("a = 1\n", PATH("b", "c"), 0, "a = 1\n");
    check_remove("t = { a = 1, b.c = 2, d = 3 }\n", PATH("t", "a"), 1, "t = { b.c = 2, d = 3 }\n");
    check_remove("t = { a = 1, b.c = 2, d = 3 }\n", PATH("t", "b", "c"), 1, "t = { a = 1, d = 3 }\n");
    check_remove("t = { a = 1, b.c = 2, d = 3 }\n", PATH("t", "d"), 1, "t = { a = 1, b.c = 2 }\n");
    check_remove("[x]\nt = { a = 1 }\n", PATH("x", "t"), 1, "[x]\n");
}

static void test_toml_edit_refuses_and_changes_nothing(void **state)
{
    (void)state;
    struct err err = {0};
    char *out = NULL;
    assert_int_equal(toml_edit_set("[a.b]\n", PATH("a", "b"), "1", &out, &err), -ERR_INVALID);
    assert_int_equal(toml_edit_set("[[a]]\n", PATH("a", "x"), "1", &out, &err), -ERR_INVALID);
    assert_int_equal(toml_edit_set("a = 1\n", PATH("a", "b"), "1", &out, &err), -ERR_INVALID);
    assert_int_equal(toml_edit_set("a = 1\n", PATH("a"), "1 # c", &out, &err), -ERR_INVALID);
    assert_int_equal(toml_edit_set("a = 1\n", PATH("a"), "1\nb = 2", &out, &err), -ERR_INVALID);
    assert_int_equal(toml_edit_set("a = 1\n", PATH("a"), "yes", &out, &err), -ERR_PARSE);
    assert_int_equal(toml_edit_set("a = \n", PATH("a"), "1", &out, &err), -ERR_PARSE);
    assert_int_equal(toml_edit_set("", (const char *const[]){NULL}, "1", &out, &err), -ERR_INVALID);
    assert_int_equal(toml_edit_remove("[a]\nb = 1\n", PATH("a"), &out, &err), -ERR_UNSUPPORTED);
    assert_int_equal(toml_edit_remove("a = [1, 2]\n", PATH("a", "0"), &out, &err), -ERR_UNSUPPORTED);
    assert_null(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_toml_reads_scalars),
        cmocka_unit_test(test_toml_reads_strings),
        cmocka_unit_test(test_toml_reads_tables),
        cmocka_unit_test(test_toml_refuses_what_the_grammar_forbids),
        cmocka_unit_test(test_toml_is_bounded),
        cmocka_unit_test(test_toml_finds_lines),
        cmocka_unit_test(test_toml_edit_replaces_in_place),
        cmocka_unit_test(test_toml_edit_adds_keys_where_they_belong),
        cmocka_unit_test(test_toml_edit_removes),
        cmocka_unit_test(test_toml_edit_refuses_and_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
