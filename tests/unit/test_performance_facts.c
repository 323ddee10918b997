// agents/performance: the report of cargo build --timings, and the candidates that come from findings and settings.
#include "held.h"
#include "support/support.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "buildinfo/timings.h"
#include "performance/candidates.h"

#include <string.h>

static json_t *timings(const char *html)
{
    json_t *v = NULL;
    struct err err;
    assert_ok(timings_parse(html, strlen(html), &v, &err), &err);
    return v;
}

// Written by cargo 1.95: units are not listed in the order of their numbers.
static void test_timings_of_a_real_build(void **state)
{
    (void)state;
    AUTO_FREE char *path = test_source_path("tests/fixtures/performance/cargo-timing.html");
    AUTO_FREE char *html = test_read(path);
    AUTO_JSON json_t *v = timings(html);
    assert_int_equal(json_int(v, "units", 0), 4);
    assert_float_equal((float)json_num(v, "total_s", 0), 1.24F, 0.001F);
    assert_float_equal((float)json_num(v, "build_script_s", 0), 0.37F, 0.001F);
    assert_string_equal(json_str(json_array_get(json_list(v, "slowest"), 0), "unit", ""), "top 0.1.0 top \"bin\"");
    static const char *const WAY[] = {"sub 0.2.0 build-script", "sub 0.2.0 build-script (run)", "sub 0.2.0",
                                      "top 0.1.0 top \"bin\""};
    const json_t *critical = json_list(v, "critical_path");
    assert_int_equal(json_array_size(critical), ARRAY_LEN(WAY));
    for (size_t i = 0; i < ARRAY_LEN(WAY); i++)
        assert_string_equal(json_str(json_array_get(critical, i), "unit", ""), WAY[i]);
}

static void test_timings_of_older_cargo(void **state)
{
    (void)state;
    AUTO_JSON json_t *v = timings(
        "const UNIT_DATA = [{\"i\": 0, \"name\": \"a\", \"version\": \"1\", \"target\": \" build script\", \"start\": "
        "0,"
        " \"duration\": 2.5, \"unlocked_units\": [1]}, {\"i\": 1, \"name\": \"b\", \"version\": \"2\", \"start\": 2.5,"
        " \"duration\": 1}];\nmore");
    assert_float_equal((float)json_num(v, "build_script_s", 0), 2.5F, 0.001F);
    assert_int_equal(json_array_size(json_list(v, "critical_path")), 2);
}

static void test_timings_odd_and_broken(void **state)
{
    (void)state;
    static const char *const ODD[] = {"UNIT_DATA = []", "UNIT_DATA = [1, null, {}]",
                                      "UNIT_DATA = [{\"unblocked_units\": [0, -1, 9, \"x\"]}]",
                                      "UNIT_DATA = [{\"i\": -5}, {\"i\": 99999999}, {\"i\": 0}, {\"i\": 0}]"};
    for (size_t i = 0; i < ARRAY_LEN(ODD); i++)
        json_decref(timings(ODD[i]));
    // a circle ends
    AUTO_JSON json_t *v = timings(
        "UNIT_DATA = [{\"i\": 0, \"duration\": 1, \"unblocked_units\": [1]}, {\"i\": 1, \"unblocked_units\": [0]}]");
    assert_true(json_array_size(json_list(v, "critical_path")) <= TIMINGS_WAY_MAX);
    static const char *const BROKEN[] = {"", "no data here", "UNIT_DATA = {}", "UNIT_DATA = [", "UNIT_DATA = "};
    for (size_t i = 0; i < ARRAY_LEN(BROKEN); i++) {
        json_t *none = NULL;
        struct err err;
        assert_int_equal(timings_parse(BROKEN[i], strlen(BROKEN[i]), &none, &err), -ERR_PARSE);
    }
}

// --- candidates ---

struct place {
    struct held held;
    char *root;
    struct cargo_metadata metadata;
};

static int set_up(void **state)
{
    struct place *p = mem_alloc(sizeof(*p));
    p->root = test_temp_dir();
    p->metadata = (struct cargo_metadata){.workspace_root = p->root};
    held_open(&p->held, p->root);
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct place *p = *state;
    held_close(&p->held);
    test_remove(p->root);
    mem_free(p);
    return 0;
}

static void write_manifest(const struct place *p, const char *text)
{
    AUTO_FREE char *path = path_join(p->root, "Cargo.toml");
    struct err err;
    assert_ok(file_write(path, text, strlen(text), false, &err), &err);
}

static json_t *candidates(const struct place *p, const json_t *findings, const json_t *build, bool runtime,
                          bool build_speed)
{
    struct candidate_facts facts = {.files = p->held.files,
                                    .checkout = p->root,
                                    .metadata = &p->metadata,
                                    .findings = findings,
                                    .build = build,
                                    .runtime = runtime,
                                    .build_speed = build_speed};
    return candidates_new(&facts);
}

static char *titles(const json_t *list)
{
    struct buf b = BUF_INIT;
    size_t i;
    json_t *c;
    json_array_foreach (list, i, c)
        buf_printf(&b, "%s%s %s", i ? "; " : "", json_str(c, "id", ""), json_str(c, "title", ""));
    return buf_steal(&b);
}

static json_t *finding(const char *lint, const char *applicability, double share, const char *scope)
{
    return json_pack("{s:s, s:s, s:s, s:i, s:s, s:f, s:s, s:{s:s, s:[{s:s, s:i, s:i, s:s}]}}", "id", lint, "lint", lint,
                     "file", "src/lib.rs", "line", 7, "function", "f", "share_pct", share, "scope", scope, "fix",
                     "applicability", applicability, "edits", "file", "src/lib.rs", "byte_start", 1, "byte_end", 2,
                     "text", "x");
}

static void test_only_hot_machine_fixes_become_candidates(void **state)
{
    const struct place *p = *state;
    write_manifest(p, "[package]\nname = \"x\"\n\n[profile.release]\ncodegen-units = 1\nlto = \"fat\"\n");
    AUTO_JSON json_t *findings = json_array();
    json_array_append_new(findings, finding("hot", "machine", 40, "runtime"));
    json_array_append_new(findings, finding("maybe", "maybe", 40, "runtime"));
    json_array_append_new(findings, finding("cold", "machine", 0.4, "runtime"));
    json_array_append_new(findings, finding("build", "machine", 40, "build"));
    AUTO_JSON json_t *list = candidates(p, findings, NULL, true, false);
    AUTO_FREE char *text = titles(list);
    assert_string_equal(text, "C1 fix hot in f (src/lib.rs:7)");
    assert_float_equal((float)json_num(json_obj(json_array_get(list, 0), "evidence"), "share_pct", 0), 40.0F, 0.01F);
    AUTO_JSON json_t *none = candidates(p, findings, NULL, false, false);
    assert_int_equal(json_array_size(none), 0);
}

static void test_settings_of_the_release_profile(void **state)
{
    static const struct {
        const char *manifest, *expected;
    } CASES[] = {
        {"[package]\nname = \"x\"\n",
         "C1 codegen-units = 1 in the release profile; C2 lto = \"thin\" in the release profile; "
         "C3 lto = \"fat\" in the release profile"},
        {"[profile.release]\nopt-level = \"s\"\nlto = true\n",
         "C1 opt-level = 3 in the release profile; C2 codegen-units = 1 in the release profile"},
        {"[profile.release]\nlto = \"thin\"\ncodegen-units = 1\n", "C1 lto = \"fat\" in the release profile"},
        {"[profile.release]\nlto = \"fat\"\ncodegen-units = 1\nopt-level = 3\n", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        write_manifest(*state, CASES[i].manifest);
        AUTO_JSON json_t *list = candidates(*state, NULL, NULL, true, false);
        AUTO_FREE char *text = titles(list);
        assert_string_equal(text, CASES[i].expected);
    }
}

static void test_build_tools_only_when_there_and_not_yet_used(void **state)
{
    const struct place *p = *state;
    write_manifest(p, "[package]\nname = \"x\"\n");
    AUTO_JSON json_t *build =
        json_pack("{s:{s:b, s:b}, s:{s:s, s:s, s:b}}", "sccache", "available", 1, "configured", 0, "linker", "mold",
                  "/usr/bin/mold", "target", "x86_64-unknown-linux-gnu", "configured", 0);
    AUTO_JSON json_t *list = candidates(p, NULL, build, false, true);
    AUTO_FREE char *text = titles(list);
    assert_string_equal(text, "C1 sccache as rustc-wrapper; C2 mold as linker");
    assert_string_equal(json_str(json_array_get(json_list(json_array_get(list, 0), "set"), 0), "file", ""),
                        ".cargo/config.toml");
    AUTO_JSON json_t *used = json_pack("{s:{s:b, s:b}, s:{s:s, s:s, s:b}}", "sccache", "available", 1, "configured", 1,
                                       "linker", "mold", "/usr/bin/mold", "target", "x", "configured", 1);
    AUTO_JSON json_t *none = candidates(p, NULL, used, false, true);
    assert_int_equal(json_array_size(none), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timings_of_a_real_build), cmocka_unit_test(test_timings_of_older_cargo),
        cmocka_unit_test(test_timings_odd_and_broken),  T(test_only_hot_machine_fixes_become_candidates),
        T(test_settings_of_the_release_profile),        T(test_build_tools_only_when_there_and_not_yet_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
