// proto/json/yaml: YAML to JSON, bounded, with lines.
#include "support/support.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"
#include "json/yaml.h"

#include <string.h>

static void check(const char *yaml, const struct yaml_options *options, const char *json)
{
    struct err err = {0};
    json_t *v = yaml_parse_new(yaml, strlen(yaml), "test", options, &err);
    if (!v)
        fail_msg("%s: %s", yaml, err.text);
    char *text = json_compact(v);
    assert_string_equal(text, json);
    mem_free(text);
    json_decref(v);
}

static void test_yaml_core_schema(void **state)
{
    (void)state;
    check("a: 1\nb: -2.5\nc: yes\nd: true\ne: ~\nf:\ng: '1'\nh: 1e3\ni: 0x10\nj: 007\nk: !!str 12\n", NULL,
          "{\"a\":1,\"b\":-2.5,\"c\":\"yes\",\"d\":true,\"e\":null,\"f\":null,\"g\":\"1\",\"h\":1000.0,"
          "\"i\":\"0x10\",\"j\":\"007\",\"k\":\"12\"}");
    check("- a\n- [b, {c: d}]\n- |\n  x\n  y\n", NULL, "[\"a\",[\"b\",{\"c\":\"d\"}],\"x\\ny\\n\"]");
    check("", NULL, "null");
    check("# only a comment\n", NULL, "null");
    check("99999999999999999999\n", NULL, "\"99999999999999999999\"");
    check("a: &x [1, 2]\nb: *x\n", NULL, "{\"a\":[1,2],\"b\":[1,2]}");
}

static void test_yaml_as_text_keeps_what_was_written(void **state)
{
    (void)state;
    struct yaml_options options = {.as_text = true};
    check("a: 1.0\nb: yes\nc: true\nd: null\ne: 'null'\n", &options,
          "{\"a\":\"1.0\",\"b\":\"yes\",\"c\":\"true\",\"d\":null,\"e\":\"null\"}");
}

static void test_yaml_lines_and_duplicates(void **state)
{
    (void)state;
    struct yaml_options options = {.first_line = 10, .lines = json_object(), .duplicates = json_array()};
    check("a: 1\nlist:\n  - x\n  - y\na: 2\n", &options, "{\"a\":2,\"list\":[\"x\",\"y\"]}");
    assert_int_equal(json_int(options.lines, "/list", 0), 11);
    assert_int_equal(json_int(options.lines, "/list/1", 0), 13);
    assert_int_equal(json_array_size(options.duplicates), 1);
    const json_t *twice = json_array_get(options.duplicates, 0);
    assert_string_equal(json_str(twice, "path", ""), "/a");
    assert_int_equal(json_int(twice, "line", 0), 14);
    assert_int_equal(json_int(twice, "first", 0), 10);
    json_decref(options.lines);
    json_decref(options.duplicates);
}

static void refused(const char *yaml, enum err_code code, const char *part)
{
    struct err err = {0};
    assert_null(yaml_parse_new(yaml, strlen(yaml), "test", NULL, &err));
    assert_int_equal(err.code, code);
    if (!str_has_nocase(err.text, part))
        fail_msg("'%s' is not in '%s'", part, err.text);
}

static void test_yaml_refuses_with_a_line(void **state)
{
    (void)state;
    refused("a: 1\nb: c: d\n", ERR_PARSE, "line 2");
    refused("a: *nothing\n", ERR_PARSE, "nothing");
    refused("a: 1\n---\nb: 2\n", ERR_PARSE, "second document");
    refused("? [a, b]\n: c\n", ERR_PARSE, "key");
    refused("a: \"\\0\"\n", ERR_PARSE, "line 1");
    refused("a: \xff\n", ERR_PARSE, "line 1");
    refused("a: [1, 2\n", ERR_PARSE, "line");
}

static void test_yaml_is_bounded(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    for (int i = 0; i < 100; i++)
        buf_char(&b, '[');
    refused(buf_str(&b), ERR_LIMIT, "deeper");
    buf_clear(&b);
    buf_str_add(&b, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for (int i = 1; i < 12; i++) {
        buf_printf(&b, "a%d: &a%d [", i, i);
        for (int k = 0; k < 9; k++)
            buf_printf(&b, "*a%d, ", i - 1);
        buf_str_add(&b, "x]\n");
    }
    refused(buf_str(&b), ERR_LIMIT, "values");
    buf_clear(&b);
    buf_str_add(&b, "a0: &a0 [[[[[[[[[[x]]]]]]]]]]\n");
    for (int i = 1; i < 12; i++)
        buf_printf(&b, "a%d: &a%d [[[[[[[[[[*a%d]]]]]]]]]]\n", i, i, i - 1);
    refused(buf_str(&b), ERR_LIMIT, "deeper");
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_yaml_core_schema),          cmocka_unit_test(test_yaml_as_text_keeps_what_was_written),
        cmocka_unit_test(test_yaml_lines_and_duplicates), cmocka_unit_test(test_yaml_refuses_with_a_line),
        cmocka_unit_test(test_yaml_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
