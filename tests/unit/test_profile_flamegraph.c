// flamegraph: well-formed XML whatever the names are, widths are shares, options, bounds. A small checker reads the
// SVG as an XML parser would; what it refuses, browsers refuse.
#include "support/support.h"

#include "profile/flamegraph.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Tags nest, attributes are quoted, '&' starts a known entity, all is UTF-8 without control characters.
static void assert_xml(const struct buf *b)
{
    char *stack[64];
    size_t depth = 0, elements = 0;
    assert_true(str_utf8_valid(b->data, b->len));
    for (const char *p = b->data; *p;) {
        unsigned char c = (unsigned char)*p;
        if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f)
            fail_msg("control character %u", c);
        if (c == '&' && strncmp(p, "&lt;", 4) && strncmp(p, "&gt;", 4) && strncmp(p, "&amp;", 5) &&
            strncmp(p, "&quot;", 6))
            fail_msg("bare '&' at: %.40s", p);
        if (c != '<') {
            p++;
            continue;
        }
        bool closing = p[1] == '/';
        const char *name = p + 1 + closing, *end = name + strcspn(name, " />\n");
        char *tag = str_ndup(name, (size_t)(end - name));
        for (p = end; *p && *p != '>' && *p != '/';) {
            if (*p == '"') {
                p = strchr(p + 1, '"');
                assert_non_null(p);
            } else if (*p == '<') {
                fail_msg("'<' inside of a tag: %.40s", p);
            }
            p++;
        }
        bool single = *p == '/';
        if (closing) {
            assert_true(depth > 0);
            assert_string_equal(stack[--depth], tag);
            mem_free(stack[depth]);
            mem_free(tag);
        } else if (single) {
            mem_free(tag);
        } else {
            assert_true(depth < ARRAY_LEN(stack));
            stack[depth++] = tag;
        }
        elements += !closing;
        p = strchr(p, '>');
        assert_non_null(p);
        p++;
    }
    assert_int_equal(depth, 0);
    assert_true(elements > 5);
}

static void draw(const char *text, const struct flamegraph_options *o, struct buf *out)
{
    struct err err;
    struct folded *f = folded_new();
    folded_read(f, text, strlen(text), NULL, NULL);
    assert_ok(flamegraph_write(f, o, out, &err), &err);
    folded_free(f);
    assert_xml(out);
}

static size_t count(const char *text, const char *what)
{
    size_t n = 0;
    for (const char *p = strstr(text, what); p; p = strstr(p + 1, what))
        n++;
    return n;
}

// The true width of the frame whose tooltip starts with `name`.
static double width_of(const char *svg, const char *name)
{
    struct buf mark = BUF_INIT;
    buf_printf(&mark, "<title>%s\n", name);
    const char *at = strstr(svg, mark.data);
    buf_free(&mark);
    if (!at)
        return -1;
    return strtod(strstr(at, "data-w=\"") + 8, NULL);
}

static void test_widths_are_shares(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    draw("main;a 25\nmain;b;a 50\nmain 25\nother 100\n", &(struct flamegraph_options){.width = 1024}, &b);
    assert_float_equal(width_of(b.data, "all"), 1000, 0.01);
    assert_float_equal(width_of(b.data, "main"), 500, 0.01);
    assert_float_equal(width_of(b.data, "b"), 250, 0.01);
    assert_float_equal(width_of(b.data, "other"), 500, 0.01);
    assert_int_equal(count(b.data, "class=\"bfg-f\""), 6);
    assert_non_null(strstr(b.data, "<title>main\n100 samples, 50.00 %</title>"));
    buf_free(&b);
}

static void test_hostile_names_are_escaped(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    draw("<script>alert(1)</script>;\"&'<a href=\"x\">;]]>-- 5\nbad\xff\xfe\xc0\x80utf\x01\x1b[0m "
         "3\n\xef\xbf\xbf\xc2\x85 2\n",
         &(struct flamegraph_options){
             .title = "</title><script>x</script>", .subtitle = "a & b \x02 \xe2\x82", .unit = "<u>"},
         &b);
    assert_int_equal(count(b.data, "<script>"), 1);
    assert_int_equal(count(b.data, "</script>"), 1);
    assert_non_null(strstr(b.data, "&lt;script&gt;alert(1)&lt;/script&gt;"));
    buf_free(&b);
}

// Style and script mean the same inside of XML and of HTML only without '<' and '&'.
static void test_fixed_text_needs_no_escaping(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    draw("a 1\n", &(struct flamegraph_options){.id = "before_1"}, &b);
    const char *from[] = {"<style>", "<script>"};
    for (size_t i = 0; i < 2; i++) {
        const char *p = strstr(b.data, from[i]) + strlen(from[i]);
        size_t len = (size_t)(strstr(p, "</s") - p);
        assert_null(memchr(p, '<', len));
        assert_null(memchr(p, '&', len));
    }
    assert_non_null(strstr(b.data, "id=\"before_1\""));
    assert_non_null(strstr(b.data, "var id = \"before_1\";"));
    assert_null(strstr(b.data, "href"));
    assert_null(strstr(b.data, "url("));
    buf_free(&b);
}

static void test_orientation(void **state)
{
    (void)state;
    for (int icicle = 0; icicle < 2; icicle++) {
        struct buf b = BUF_INIT;
        draw("main;a 1\n", &(struct flamegraph_options){.icicle = icicle == 1}, &b);
        int y_main = atoi(strstr(strstr(b.data, "<title>main\n"), " y=\"") + 4);
        int y_a = atoi(strstr(strstr(b.data, "<title>a\n"), " y=\"") + 4);
        assert_true(icicle ? y_a > y_main : y_a < y_main);
        buf_free(&b);
    }
}

static void test_narrow_frames_are_left_out_and_labels_cut(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    draw("main;wide_function_with_a_long_name 60\nmain;small 1\nmain;rest 100000\n", &(struct flamegraph_options){0},
         &b);
    assert_float_equal(width_of(b.data, "small"), -1, 0);
    buf_clear(&b);
    draw("m;wide_function_with_a_long_name 6\nm;rest 100\n", &(struct flamegraph_options){.width = 1200}, &b);
    assert_non_null(strstr(b.data, ">wide_fu…</text>"));
    buf_clear(&b);
    draw("m;<a::b::C as d::E>::clone 5\nm;rest 100\n", &(struct flamegraph_options){0}, &b);
    assert_non_null(strstr(b.data, ">clone</text>"));
    assert_non_null(strstr(b.data, "data-s=\"&lt;C as E&gt;::clone\""));
    buf_free(&b);
}

static void test_refuses_bad_options(void **state)
{
    (void)state;
    struct err err;
    struct buf b = BUF_INIT;
    struct folded *f = folded_new();
    assert_int_equal(flamegraph_write(f, &(struct flamegraph_options){0}, &b, &err), -ERR_NOT_FOUND);
    folded_read(f, "a 1\n", 4, NULL, NULL);
    static const char *const ids[] = {"", "1a", "-a", "a b", "a\"", "a>b"};
    for (size_t i = 0; i < ARRAY_LEN(ids); i++)
        assert_int_equal(flamegraph_write(f, &(struct flamegraph_options){.id = ids[i]}, &b, &err), -ERR_INVALID);
    assert_int_equal(flamegraph_write(f, &(struct flamegraph_options){.width = 10}, &b, &err), -ERR_INVALID);
    assert_int_equal(b.len, 0);
    folded_free(f);
}

static void test_many_stacks(void **state)
{
    (void)state;
    struct buf text = BUF_INIT, b = BUF_INIT;
    for (unsigned i = 0; i < 20000; i++)
        buf_printf(&text, "main;m%u;f%u;g%u %u\n", i % 7, i % 311, i, i % 5 + 1);
    draw(text.data, &(struct flamegraph_options){0}, &b);
    assert_true(count(b.data, "class=\"bfg-f\"") > 1000);
    buf_free(&text);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_widths_are_shares),
        cmocka_unit_test(test_hostile_names_are_escaped),
        cmocka_unit_test(test_fixed_text_needs_no_escaping),
        cmocka_unit_test(test_orientation),
        cmocka_unit_test(test_narrow_frames_are_left_out_and_labels_cut),
        cmocka_unit_test(test_refuses_bad_options),
        cmocka_unit_test(test_many_stacks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
