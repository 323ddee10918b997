// Random documents and random edits: the edited text means the same with that one value changed, and every comment line
// and every line that the edit does not concern is still there.
#include "support/support.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "toml/toml.h"
#include "toml/toml_edit.h"

#include <stdio.h>
#include <string.h>

#define ROUNDS 6000

static uint64_t seed = 0x9E3779B97F4A7C15u;

static unsigned pick(unsigned n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)((seed >> 33) % n);
}

static const char *const KEYS[] = {"a", "b", "c", "lto", "x y", "0"};
static const char *const WRITTEN[] = {"a", "b", "\"c\"", "lto", "'x y'", "0"};
static const char *const VALUES[] = {
    "1",
    "-0x0",
    "\"s\"",
    "'l # no comment'",
    "true",
    "[1, 2]",
    "[\n  1, # inside\n  2,\n]",
    "{}",
    "{ a = 1, b.c = 2 }",
    "{a={b={}}}",
    "\"\"\"\nm\n\"\"\"",
    "1979-05-27 07:32:00Z",
    "1.5",
    "[{ a = 1 }, { lto = 2 }]",
};
static const char *const NEW_VALUES[] = {"2", "\"thin\"", "true", "[3]", "{ n = 1 }", "2.5", "'''\nx'''"};

static void add_key(struct buf *b, unsigned max_parts)
{
    for (unsigned n = 1 + pick(max_parts), i = 0; i < n; i++)
        buf_printf(b, "%s%s", i ? (pick(8) ? "." : " . ") : "", WRITTEN[pick(ARRAY_LEN(WRITTEN))]);
}

static void add_header(struct buf *b, bool array)
{
    buf_str_add(b, array ? "[[" : "[");
    add_key(b, 3);
    buf_str_add(b, array ? "]]" : "]");
}

static void document(struct buf *b)
{
    const char *newline = pick(3) ? "\n" : "\r\n";
    static int comment;
    for (unsigned n = pick(12), i = 0; i < n; i++) {
        switch (pick(6)) {
        case 0:
            add_header(b, pick(4) == 0);
            break;
        case 1:
            buf_printf(b, "%s# comment %d", pick(2) ? "" : "  ", comment++);
            break;
        case 2:
            break;
        default:
            buf_str_add(b, pick(4) ? "" : "\t");
            add_key(b, 3);
            buf_printf(b, " = %s%s", VALUES[pick(ARRAY_LEN(VALUES))], pick(3) ? "" : "  # why");
            break;
        }
        if (i + 1 < n || pick(4))
            buf_str_add(b, newline);
    }
}

static size_t random_path(const json_t *v, const char **path, size_t max)
{
    static char numbers[8][4];
    size_t n = 0;
    while (n < max) {
        const char *key = KEYS[pick(ARRAY_LEN(KEYS))];
        if (json_is_object(v) && json_object_size(v) && pick(5)) {
            void *it = json_object_iter((json_t *)(uintptr_t)v);
            for (unsigned skip = pick((unsigned)json_object_size(v)); skip > 0; skip--)
                it = json_object_iter_next((json_t *)(uintptr_t)v, it);
            key = json_object_iter_key(it);
        } else if (json_is_array(v) && json_array_size(v)) {
            snprintf(numbers[n], sizeof(numbers[n]), "%u", pick((unsigned)json_array_size(v)) % 100u);
            key = numbers[n];
        }
        int64_t i = 0;
        v = json_is_array(v) && str_to_i64(key, &i) ? json_array_get(v, (size_t)i) : json_object_get(v, key);
        path[n++] = key;
        if (n > 1 && !pick(4))
            break;
    }
    path[n] = NULL;
    return n;
}

// The model: sets the path in `v`; false when something on the way is not a table.
static bool model_set(json_t *v, const char *const *path, json_t *value)
{
    for (size_t i = 0; path[i]; i++) {
        bool last = path[i + 1] == NULL;
        int64_t at = 0;
        if (json_is_array(v)) {
            if (!str_to_i64(path[i], &at) || at < 0 || (size_t)at >= json_array_size(v))
                return false;
            if (last)
                return json_array_set(v, (size_t)at, value) == 0;
            v = json_array_get(v, (size_t)at);
            continue;
        }
        if (!json_is_object(v))
            return false;
        if (last)
            return json_object_set(v, path[i], value) == 0;
        if (!json_object_get(v, path[i]))
            json_object_set_new(v, path[i], json_object());
        v = json_object_get(v, path[i]);
    }
    return false;
}

static void check_comments(const char *before, const char *after)
{
    size_t n = 0;
    char **lines = str_split(before, "\n", true, &n);
    for (size_t i = 0; i < n; i++) {
        const char *line = lines[i] + strspn(lines[i], " \t");
        if (*line == '#' && !strstr(after, lines[i]))
            fail_msg("the comment '%s' is gone\nbefore:\n%s\nafter:\n%s", lines[i], before, after);
    }
    str_list_free(lines);
}

static unsigned changed, refused, removed;

static void one_set(const char *text, const json_t *doc, const char *const *path)
{
    const char *value = NEW_VALUES[pick(ARRAY_LEN(NEW_VALUES))];
    struct err err = {0};
    AUTO_FREE char *out = NULL;
    AUTO_FREE char *line = str_printf("v = %s", value);
    AUTO_JSON json_t *wrapped = toml_parse_new(line, strlen(line), "value", NULL);
    AUTO_JSON json_t *expected = json_deep_copy(doc);
    bool possible = model_set(expected, path, json_object_get(wrapped, "v"));
    int r = toml_edit_set(text, path, value, &out, &err);
    if (r < 0) {
        if (err.code != ERR_INVALID)
            fail_msg("%s in:\n%s", err.text, text);
        assert_null(out);
        refused++;
        return;
    }
    assert_true(possible);
    AUTO_JSON json_t *got = toml_parse_new(out, strlen(out), "result", &err);
    if (!got || !json_equal(got, expected))
        fail_msg("wrong result:\n%s\nfrom:\n%s", out, text);
    check_comments(text, out);
    changed++;
}

static void one_remove(const char *text, const char *const *path)
{
    struct err err = {0};
    AUTO_FREE char *out = NULL;
    int r = toml_edit_remove(text, path, &out, &err);
    if (r < 0) {
        if (!strstr(err.text, "expected a key with a value"))
            fail_msg("%s in:\n%s", err.text, text);
        return;
    }
    AUTO_JSON json_t *got = toml_parse_new(out, strlen(out), "result", &err);
    assert_non_null(got);
    if (r == 0)
        assert_string_equal(out, text);
    else if (strlen(out) >= strlen(text))
        fail_msg("nothing removed from:\n%s", text);
    const json_t *v = got;
    for (size_t i = 0; path[i] && v; i++) {
        int64_t at = 0;
        v = json_is_array(v) && str_to_i64(path[i], &at) ? json_array_get(v, (size_t)at) : json_object_get(v, path[i]);
    }
    assert_null(v);
    check_comments(text, out);
    removed += r == 1;
}

static void test_toml_edits_change_one_value(void **state)
{
    (void)state;
    for (unsigned round = 0; round < ROUNDS; round++) {
        AUTO_BUF struct buf text = BUF_INIT;
        document(&text);
        AUTO_JSON json_t *doc = toml_parse_new(buf_str(&text), text.len, "document", NULL);
        if (!doc)
            continue;
        const char *path[8];
        random_path(doc, path, 4);
        one_set(buf_str(&text), doc, path);
        one_remove(buf_str(&text), path);
    }
    // The generator must reach all outcomes often, or the test shows nothing.
    assert_true(changed > 500);
    assert_true(refused > 50);
    assert_true(removed > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_toml_edits_change_one_value)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
