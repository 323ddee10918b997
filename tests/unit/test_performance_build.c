// agents/performance/build: unused dependencies, versions and who pulls them in, symbols and what a program is made of;
// and the removals that agents/performance/trim.c proposes for a manifest.
#include "held.h"
#include "support/support.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "buildinfo/bloat.h"
#include "buildinfo/pulled_in.h"
#include "buildinfo/symbols.h"
#include "buildinfo/unused.h"
#include "change/change.h"
#include "performance/trim.h"

#include <string.h>

static const char MANIFEST[] =
    "# the head\n[package]\nname = \"app\"\nversion = \"1.0.0\"\n\n[dependencies]\none-x = \"1\" # nobody uses it\n"
    "two = \"1\"   # stays\ntestonly = { version = \"1\", package = \"lib1\" }\nold.workspace = true\n\n"
    "[dev-dependencies]\ndev = \"1\"\n# the end\n";

struct place {
    struct held held;
    char *root;
    struct cargo_metadata metadata;
    struct cargo_messages messages;
    struct trim trim;
};

static char *fixture(const char *name)
{
    AUTO_FREE char *below = path_join("tests/fixtures/performance", name);
    AUTO_FREE char *path = test_source_path(below);
    return test_read(path);
}

static int set_up(void **state)
{
    struct place *p = mem_alloc(sizeof(*p));
    struct err err;
    p->root = test_temp_dir();
    AUTO_FREE char *manifest = path_join(p->root, "Cargo.toml");
    assert_ok(file_write(manifest, MANIFEST, strlen(MANIFEST), false, &err), &err);
    held_open(&p->held, p->root);
    AUTO_FREE char *text = fixture("metadata-trim.json");
    struct buf placed = BUF_INIT;
    for (const char *at = text; *at;) {
        bool here = str_starts(at, "@ROOT@");
        buf_add(&placed, here ? p->root : at, here ? strlen(p->root) : 1);
        at += here ? 6 : 1;
    }
    assert_ok(cargo_metadata_parse(buf_str(&placed), placed.len, &p->metadata, &err), &err);
    buf_free(&placed);
    AUTO_FREE char *lines = fixture("messages-unused.jsonl");
    cargo_messages_parse(lines, strlen(lines), &p->messages);
    p->trim = (struct trim){.files = p->held.files, .checkout = p->root, .metadata = &p->metadata};
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct place *p = *state;
    cargo_metadata_free(&p->metadata);
    cargo_messages_free(&p->messages);
    held_close(&p->held);
    test_remove(p->root);
    mem_free(p);
    return 0;
}

// --- unused dependencies ---

static const json_t *row_of(const json_t *rows, const char *key, const char *name)
{
    size_t i;
    json_t *row;
    json_array_foreach (rows, i, row)
        if (str_eq(json_str(row, key, ""), name))
            return row;
    return NULL;
}

// What each compilation says alone would be wrong for most: the tests use no dependency of the program.
static void test_unused_merges_the_targets_of_a_package(void **state)
{
    struct place *p = *state;
    AUTO_JSON json_t *rows = unused_new(&p->metadata, &p->messages);
    assert_int_equal(json_array_size(rows), 3);
    assert_string_equal(json_str(row_of(rows, "dependency", "one-x"), "verdict", ""), "unused");
    assert_string_equal(json_str(row_of(rows, "dependency", "one-x"), "crate", ""), "one_x");
    assert_string_equal(json_str(row_of(rows, "dependency", "testonly"), "verdict", ""), "tests only");
    assert_string_equal(json_str(row_of(rows, "dependency", "dev"), "verdict", ""), "unused");
    assert_null(row_of(rows, "dependency", "two"));
    assert_null(row_of(rows, "dependency", "win")); // another platform may use it
}

static char *changed(struct place *p, json_t *candidate)
{
    struct err err;
    json_t *files = NULL;
    AUTO_JSON json_t *list = json_array();
    json_put_str(candidate, "id", "B1");
    json_array_append(list, candidate);
    assert_ok(change_render(p->held.files, list, &files, &err), &err);
    char *text = str_dup(json_str(files, "Cargo.toml", "?"));
    json_decref(files);
    return text;
}

static void assert_removed(struct place *p, const char *name, const char *kind, const char *verdict, const char *line,
                           const char *added)
{
    AUTO_FREE char *path = path_join(p->root, "Cargo.toml"), *why = NULL;
    AUTO_JSON json_t *row = json_object();
    json_put_str(row, "dependency", name);
    json_put_str(row, "package", "app");
    json_put_str(row, "manifest", path);
    json_put_str(row, "kind", kind);
    json_put_str(row, "verdict", verdict);
    AUTO_JSON json_t *candidate = trim_removal_new(&p->trim, row, &why);
    assert_non_null(candidate);
    assert_null(why);
    AUTO_FREE char *text = changed(p, candidate);
    const char *at = strstr(MANIFEST, line);
    assert_non_null(at);
    AUTO_FREE char *wanted = str_printf("%.*s%s", (int)(at - MANIFEST), MANIFEST, at + strlen(line));
    if (!added) {
        assert_string_equal(text, wanted);
        return;
    }
    assert_true(strstr(text, line) > strstr(text, "[dev-dependencies]"));
    assert_non_null(strstr(text, added));
    assert_non_null(strstr(text, "# nobody uses it"));
    assert_true(str_ends(text, "# the end\n"));
}

// Byte for byte: every comment and blank of the rest stays.
static void test_trim_removes_a_line_and_nothing_else(void **state)
{
    struct place *p = *state;
    assert_removed(p, "one-x", "normal", "unused", "one-x = \"1\" # nobody uses it\n", NULL);
    assert_removed(p, "two", "normal", "unused", "two = \"1\"   # stays\n", NULL);
    assert_removed(p, "old", "normal", "unused", "old.workspace = true\n", NULL);
    assert_removed(p, "dev", "dev", "unused", "dev = \"1\"\n", NULL);
    assert_removed(p, "testonly", "normal", "tests only", "testonly = { version = \"1\", package = \"lib1\" }\n",
                   "dev = \"1\"\ntestonly = { version = \"1\", package = \"lib1\" }\n");
}

static void test_trim_says_what_it_cannot_remove(void **state)
{
    struct place *p = *state;
    AUTO_JSON json_t *row = json_object();
    AUTO_FREE char *why = NULL, *other = NULL;
    json_put_str(row, "dependency", "one-x");
    json_put_str(row, "manifest", "/elsewhere/Cargo.toml");
    assert_null(trim_removal_new(&p->trim, row, &why));
    assert_non_null(strstr(why, "outside of the project"));
    AUTO_FREE char *path = path_join(p->root, "Cargo.toml");
    json_put_str(row, "manifest", path);
    json_put_str(row, "dependency", "absent");
    assert_null(trim_removal_new(&p->trim, row, &other));
    assert_non_null(strstr(other, "'absent' is not in [dependencies]"));
}

static void test_trim_switches_default_features_off(void **state)
{
    struct place *p = *state;
    AUTO_JSON json_t *rows = trim_defaults_new(&p->trim);
    assert_int_equal(json_array_size(rows), 1);
    const json_t *row = json_array_get(rows, 0);
    assert_string_equal(json_str(row, "dependency", ""), "two");
    AUTO_FREE char *why = NULL;
    AUTO_JSON json_t *none = trim_features_new(&p->trim, row, NULL, &why), *keep = json_array();
    AUTO_FREE char *text = changed(p, none);
    assert_non_null(strstr(text, "two = { version = \"1\", default-features = false }   # stays\n"));
    json_add_str(keep, "extra");
    AUTO_JSON json_t *some = trim_features_new(&p->trim, row, keep, &why);
    AUTO_FREE char *with = changed(p, some);
    assert_non_null(strstr(with, "two = { version = \"1\", default-features = false, features = [\"extra\"] }"));
}

// --- versions ---

static void test_pulled_in_names_the_way_to_each_version(void **state)
{
    struct place *p = *state;
    AUTO_JSON json_t *rows = pulled_in_new(&p->metadata);
    assert_int_equal(json_array_size(rows), 1);
    const json_t *versions = json_list(json_array_get(rows, 0), "versions");
    const json_t *deep = row_of(versions, "version", "0.1.0"), *direct = row_of(versions, "version", "0.2.0");
    AUTO_FREE char *way = json_compact(json_list(deep, "way")), *users = json_compact(json_list(direct, "users"));
    assert_string_equal(way, "[\"app 1.0.0\",\"two 1.0.0\",\"old 0.1.0\"]");
    assert_string_equal(users, "[\"app 1.0.0\"]");
    AUTO_JSON json_t *macros = proc_macros_new(&p->metadata);
    AUTO_FREE char *text = json_compact(macros);
    assert_string_equal(text, "{\"mac 3.0.0\":true}");
}

// --- what a program is made of ---

static void test_bloat_plain_name(void **state)
{
    (void)state;
    static const char *const NAMES[][2] = {{"core::ptr::drop_in_place::<app::X>", "core::ptr::drop_in_place"},
                                           {"<alloc::vec::Vec<u8>>::push", "<alloc::vec::Vec>::push"},
                                           {"<a::B<fn(u8) -> u8> as c::D<E>>::f::<G<H>>", "<a::B as c::D>::f"},
                                           {"app::main", "app::main"},
                                           {"unclosed::<a<b", "unclosed"},
                                           {"", ""}};
    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++) {
        AUTO_FREE char *plain = bloat_plain_name(NAMES[i][0]);
        assert_string_equal(plain, NAMES[i][1]);
    }
}

// This test itself is a program with symbols.
static void test_symbols_of_a_real_program(void **state)
{
    (void)state;
    struct err err;
    struct symbols s;
    char *data = NULL;
    size_t len = 0;
    bool found = false;
    assert_ok(file_read("/proc/self/exe", BLOAT_FILE_MAX, &data, &len, &err), &err);
    assert_ok(symbols_read(data, len, &s, &err), &err);
    uint64_t sum = 0;
    for (size_t i = 0; i < s.count; i++) {
        found = found || str_eq(s.items[i].name, "symbols_read");
        assert_true(i == 0 || s.items[i].start >= s.items[i - 1].start + s.items[i - 1].size);
        sum += s.items[i].size;
    }
    assert_true(found);
    assert_true(sum <= s.text_bytes);
    symbols_free(&s);
    json_t *v = NULL;
    assert_ok(bloat_parse(data, len, &v, &err), &err);
    assert_int_equal(json_int(v, "symbol_bytes", 0), (int64_t)sum);
    assert_string_equal(json_str(json_array_get(json_list(v, "crates"), 0), "crate", ""), "not Rust");
    assert_int_equal(json_array_size(json_list(v, "largest")), BLOAT_ROWS_MAX);
    json_decref(v);
    mem_free(data);
}

static void test_symbols_of_no_program(void **state)
{
    (void)state;
    static const char WRONG[200] = "\177ELF\1\1\1";
    struct symbols s;
    struct err err;
    assert_int_equal(symbols_read("text", 4, &s, &err), -ERR_PARSE);
    assert_int_equal(symbols_read("", 0, &s, &err), -ERR_PARSE);
    assert_int_equal(symbols_read(WRONG, sizeof(WRONG), &s, &err), -ERR_PARSE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_unused_merges_the_targets_of_a_package, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_trim_removes_a_line_and_nothing_else, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_trim_says_what_it_cannot_remove, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_trim_switches_default_features_off, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_pulled_in_names_the_way_to_each_version, set_up, tear_down),
        cmocka_unit_test(test_bloat_plain_name),
        cmocka_unit_test(test_symbols_of_a_real_program),
        cmocka_unit_test(test_symbols_of_no_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
