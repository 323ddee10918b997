// agents/rust: what cargo prints (metadata, JSON messages, test output) and what Cargo.toml says.
#include "support/support.h"

#include "base/mem.h"
#include "base/str.h"
#include "rust/cargo_messages.h"
#include "rust/cargo_metadata.h"
#include "rust/manifest.h"
#include "rust/test_output.h"

#include <stdio.h>
#include <string.h>

static char *fixture(const char *name)
{
    char *relative = str_printf("tests/fixtures/rust/%s", name), *path = test_source_path(relative);
    char *text = test_read(path);
    mem_free(relative);
    mem_free(path);
    return text;
}

static const struct cargo_package *package(const struct cargo_metadata *m, const char *name, const char *version)
{
    for (size_t i = 0; i < m->package_count; i++)
        if (str_eq(m->packages[i].name, name) && (!version || str_eq(m->packages[i].version, version)))
            return &m->packages[i];
    fail_msg("no package %s", name);
    return NULL;
}

static void test_metadata_of_a_workspace(void **state)
{
    (void)state;
    struct cargo_metadata m;
    struct err err;
    char *text = fixture("metadata-small.json");
    assert_ok(cargo_metadata_parse(text, strlen(text), &m, &err), &err);
    assert_string_equal(m.workspace_root, "/home/user/small");
    assert_int_equal(m.member_count, 2);
    const struct cargo_package *a = package(&m, "a", NULL), *b = package(&m, "b", NULL);
    assert_true(a->is_member && a->is_local && b->is_member);
    assert_string_equal(b->edition, "2018");
    assert_true(cargo_package_has_target(a, "bench") && cargo_package_has_target(a, "bin") &&
                cargo_package_has_target(a, "lib"));
    assert_false(cargo_package_has_target(b, "bin"));
    for (size_t i = 0; i < a->dependency_count; i++) {
        const struct cargo_dependency *d = &a->dependencies[i];
        if (str_eq(d->name, "rustversion"))
            assert_false(d->default_features);
        if (str_eq(d->name, "memchr"))
            assert_string_equal(d->kind, "dev");
    }
    bool *normal = cargo_reachable_new(&m, CARGO_USE_NORMAL),
         *dev = cargo_reachable_new(&m, CARGO_USE_NORMAL | CARGO_USE_DEV);
    const struct cargo_package *memchr_ = package(&m, "memchr", NULL), *autocfg = package(&m, "autocfg", NULL);
    assert_false(normal[memchr_ - m.packages]);
    assert_true(dev[memchr_ - m.packages]);
    assert_false(normal[autocfg - m.packages]);
    assert_true(normal[package(&m, "bitflags", "2.13.2") - m.packages]);
    assert_ptr_equal(cargo_package_of_path(&m, "/home/user/small/b/src/x.rs"), b);
    assert_null(cargo_package_of_path(&m, "/home/user/small/c/x.rs"));
    mem_free(normal);
    mem_free(dev);
    cargo_metadata_free(&m);
    mem_free(text);
}

static void test_metadata_refuses_other_shapes(void **state)
{
    (void)state;
    struct cargo_metadata m;
    struct err err;
    static const char *const BAD[] = {"", "[]", "{\"workspace_root\":\"/x\"}",
                                      "{\"workspace_root\":\"/x\",\"target_directory\":\"/t\"}",
                                      "{\"workspace_root\":\"/x\",\"target_directory\":\"/t\",\"packages\":[{}]}"};
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++)
        assert_true(cargo_metadata_parse(BAD[i], strlen(BAD[i]), &m, &err) < 0);
}

static void test_metadata_argv(void **state)
{
    (void)state;
    const char **argv =
        cargo_metadata_argv(&(struct cargo_metadata_options){.locked = true, .platform = "x86_64-unknown-linux-gnu"});
    assert_string_equal(argv[4], "--locked");
    assert_string_equal(argv[5], "--filter-platform");
    assert_null(argv[7]);
    mem_free(argv);
}

static void test_messages_of_clippy(void **state)
{
    (void)state;
    struct cargo_messages m;
    char *text = fixture("clippy-wordmill.jsonl");
    cargo_messages_parse(text, strlen(text), &m);
    assert_true(m.finished && m.succeeded);
    assert_int_equal(m.diagnostic_count, 3);
    const struct cargo_diagnostic *d = &m.diagnostics[0];
    assert_string_equal(d->code, "clippy::cmp_owned");
    assert_string_equal(d->target_kind, "lib");
    assert_int_equal(d->suggestion_count, 1);
    assert_string_equal(d->spans[d->span_count].replacement, "word");
    assert_string_equal(d->spans[d->span_count].applicability, "MachineApplicable");
    assert_string_equal(d->help, "try");
    const struct cargo_span *s = cargo_primary_span(d);
    assert_string_equal(s->file, "src/lib.rs");
    assert_int_equal(s->line, 33);
    assert_int_equal(s->column, 45);
    assert_int_equal(s->byte_end - s->byte_start, strlen("word.to_string()"));
    assert_false(cargo_from_macro(d));
    assert_int_equal(m.artifact_count, 2);
    assert_string_equal(m.artifacts[1].target_kind, "bin");
    assert_string_equal(m.artifacts[1].debuginfo, "2");
    assert_null(cargo_executable(&m, "wordmill", "bin"));
    cargo_messages_free(&m);
    mem_free(text);
}

static void test_messages_tolerate_noise(void **state)
{
    (void)state;
    static const char TEXT[] =
        "hello\n\n  "
        "\r\n{\"reason\":\"new-thing\"}\n{\"no\":1}\n{broken\n{\"reason\":\"compiler-message\",\"message\":5}\n"
        "{\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"x\",\"kind\":[\"example\"]},\"executable\":\"/t/"
        "x\"}\n"
        "{\"reason\":\"build-finished\",\"success\":false}";
    struct cargo_messages m;
    cargo_messages_parse(TEXT, strlen(TEXT), &m);
    assert_int_equal(m.bad_lines, 3);
    assert_int_equal(m.diagnostic_count, 0);
    assert_true(m.finished && !m.succeeded);
    assert_string_equal(cargo_executable(&m, "x", "example"), "/t/x");
    assert_null(cargo_executable(&m, "x", "bin"));
    cargo_messages_free(&m);
}

static void test_manifest_profiles(void **state)
{
    (void)state;
    static const char TEXT[] = "[package]\nname = \"x\"\n[profile.release]\nlto = true\nopt-level = \"s\"\n"
                               "[profile.bench]\nopt-level = 2\n[profile.slow]\ninherits = \"release\"\ncodegen-units "
                               "= 1\ndebug = \"line-tables-only\"\n"
                               "[profile.lost]\n[profile.a]\ninherits = \"b\"\n[profile.b]\ninherits = \"a\"\n"
                               "[[bench]]\nname = \"speed\"\nharness = false\n";
    struct manifest m;
    struct profile p;
    struct err err;
    assert_ok(manifest_parse(TEXT, strlen(TEXT), "Cargo.toml", &m, &err), &err);
    assert_ok(manifest_profile(&m, "release", &p, &err), &err);
    assert_true(p.exists && p.opt_level_set && p.lto_set && !p.codegen_units_set);
    assert_string_equal(p.opt_level, "s");
    assert_string_equal(p.lto, "fat");
    assert_int_equal(p.codegen_units, 16);
    assert_int_equal(p.line, 3);
    assert_ok(manifest_profile(&m, "bench", &p, &err), &err);
    assert_string_equal(p.opt_level, "2");
    assert_string_equal(p.lto, "fat");
    assert_false(p.lto_set);
    assert_ok(manifest_profile(&m, "slow", &p, &err), &err);
    assert_int_equal(p.codegen_units, 1);
    assert_string_equal(p.debug, "line-tables-only");
    assert_ok(manifest_profile(&m, "dev", &p, &err), &err);
    assert_false(p.exists);
    assert_string_equal(p.opt_level, "0");
    assert_true(p.overflow_checks && p.debug_assertions);
    assert_int_equal(manifest_profile(&m, "lost", &p, &err), -ERR_NOT_FOUND);
    assert_int_equal(manifest_profile(&m, "none", &p, &err), -ERR_NOT_FOUND);
    assert_int_equal(manifest_profile(&m, "a", &p, &err), -ERR_INVALID);
    assert_false(manifest_harness(&m, "bench", "speed"));
    assert_true(manifest_harness(&m, "bench", "other"));
    manifest_free(&m);
}

struct seen {
    const struct manifest *m;
    char text[600];
};

static void see(void *user, const struct manifest_dependency *d)
{
    struct seen *s = user;
    size_t n = strlen(s->text);
    snprintf(s->text + n, sizeof(s->text) - n, "%s/%s/%s/%d%s%s ", d->name, d->package, d->kind,
             manifest_line(s->m, d->toml_path), d->default_features ? "" : "-nodefault",
             manifest_has_feature(d, "full") ? "+full" : "");
}

static void test_manifest_dependencies(void **state)
{
    (void)state;
    static const char TEXT[] = "[dependencies]\na = \"1\"\nt = { package = \"tokio\", version = \"1\", features = "
                               "[\"full\"], default-features = false }\n"
                               "[dev-dependencies]\nb = \"1\"\n[target.'cfg(unix)'.dependencies]\nc = \"1\"\n"
                               "[workspace.dependencies]\nd = \"1\"\n[dependencies.e]\nversion = \"2\"\n";
    struct manifest m;
    struct err err;
    assert_ok(manifest_parse(TEXT, strlen(TEXT), "Cargo.toml", &m, &err), &err);
    struct seen s = {.m = &m};
    manifest_dependencies(&m, see, &s);
    assert_string_equal(
        s.text, "a/a/normal/2 t/tokio/normal/3-nodefault+full e/e/normal/10 b/b/dev/5 c/c/normal/7 d/d/workspace/9 ");
    manifest_free(&m);
    assert_int_equal(manifest_parse("[a", 2, "Cargo.toml", &m, &err), -ERR_PARSE);
}

static void test_output_ignores_line_numbers_of_doc_tests(void **state)
{
    (void)state;
    static const char BEFORE[] =
        "running 2 tests\ntest src/lib.rs - add (line 12) ... ok\ntest src/lib.rs - add (line 20) - compile ... ok\n"
        "test src/lib.rs - add (line 30) ... ok\n\ntest result: ok. 3 passed; 0 failed; 1 ignored; 0 measured\n";
    static const char AFTER[] =
        "running 2 tests\ntest src/lib.rs - add (line 14) ... ok\ntest src/lib.rs - add (line 22) - compile ... ok\n"
        "test result: ok. 2 passed; 0 failed; 0 ignored\n";
    struct test_counts before, after;
    json_t *a = test_output_parse_new(BEFORE, strlen(BEFORE), &before),
           *b = test_output_parse_new(AFTER, strlen(AFTER), &after);
    json_t *same = test_output_lost_new(b, a), *lost = test_output_lost_new(a, b);
    assert_int_equal(before.passed, 3);
    assert_int_equal(json_array_size(same), 0);
    assert_int_equal(json_array_size(lost), 1);
    assert_string_equal(json_string_value(json_array_get(lost, 0)), "1::src/lib.rs - add #2");
    json_decref(a);
    json_decref(b);
    json_decref(same);
    json_decref(lost);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_metadata_of_a_workspace), cmocka_unit_test(test_metadata_refuses_other_shapes),
        cmocka_unit_test(test_metadata_argv),           cmocka_unit_test(test_messages_of_clippy),
        cmocka_unit_test(test_messages_tolerate_noise), cmocka_unit_test(test_manifest_profiles),
        cmocka_unit_test(test_manifest_dependencies),   cmocka_unit_test(test_output_ignores_line_numbers_of_doc_tests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
