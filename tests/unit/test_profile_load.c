// profile: recorded scripts to the whole result. The programs of the recordings are gone, so names come from perf;
// what needs the program itself is in test_profile_real.c.
#include "support/support.h"

#include "profile/profile.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

static const char *const roots[] = {"/example/src", NULL};
static const char *const targets[] = {"/example/target", NULL};

static struct profile *load(const char *name)
{
    struct err err;
    struct profile *p = NULL;
    char *relative = path_join("tests/fixtures/profile", name), *path = test_source_path(relative);
    const char *const paths[] = {path};
    struct profile_options o = {.project_roots = roots, .target_dirs = targets};
    assert_ok(profile_load(paths, 1, &o, &p, &err), &err);
    mem_free(relative);
    mem_free(path);
    return p;
}

static const struct hot_function *row_of(const struct hot_function *rows, size_t n, const char *function)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(rows[i].function, function) == 0)
            return &rows[i];
    fail_msg("no row of %s", function);
    abort(); // not reached: fail_msg leaves the test
}

static void test_recorded_with_frame_pointers(void **state)
{
    (void)state;
    struct profile *p = load("fp.perf.txt");
    const struct perf_script_stats *s = perf_script_stats(p->script);
    assert_int_equal(s->samples, 160);
    assert_int_equal(s->bad_lines, 0);
    assert_string_equal(s->event, "cpu-clock:u");
    assert_int_equal(s->weight, 160 * UINT64_C(1003009));
    assert_string_equal(p->unit, "samples");
    assert_false(p->kernel);
    assert_int_equal(folded_total(p->folded), 160);
    size_t n;
    struct hot_function *rows = hot_rank(p->hot, &n);
    assert_string_equal(rows[0].function, "hot::count_words"); // the crate has the name of the program
    assert_int_equal(rows[0].kind, CRATE_PROJECT);
    assert_true(rows[0].owned_pct > 50 && rows[0].total_pct >= rows[0].owned_pct);
    assert_true(row_of(rows, n, "hot::main")->total_pct > 80);
    assert_int_equal(row_of(rows, n, "__libc_start_call_main")->kind, CRATE_SYSTEM);
    assert_int_equal(row_of(rows, n, "hashbrown::raw::RawTable<T,A>::reserve_rehash")->kind, CRATE_STD);
    mem_free(rows);
    profile_free(p);
}

// perf's own inlined frames and demangled names, hashes left behind by it.
static void test_recorded_with_dwarf_and_names_of_perf(void **state)
{
    (void)state;
    struct profile *p = load("dwarf_demangled.perf.txt");
    assert_int_equal(perf_script_stats(p->script)->samples, 40);
    assert_int_equal(perf_script_stats(p->script)->bad_lines, 0);
    size_t n;
    struct hot_function *rows = hot_rank(p->hot, &n);
    assert_string_equal(rows[0].function, "hot::count_words");
    assert_true(rows[0].owned_pct > 50);
    for (size_t i = 0; i < n; i++)
        assert_null(strstr(rows[i].function, "::h0"));
    mem_free(rows);
    profile_free(p);
}

static void test_recorded_with_kernel_frames(void **state)
{
    (void)state;
    struct profile *p = load("kernel.perf.txt");
    assert_int_equal(perf_script_stats(p->script)->bad_lines, 0);
    assert_true(p->kernel);
    json_t *summary = profile_summary_new(p);
    assert_true(json_flag(summary, "kernel", false));
    assert_true(json_num(summary, "kernel_pct", 0) > 99);
    assert_true(json_num(summary, "unowned_pct", 0) > 99);
    json_decref(summary);
    profile_free(p);
}

static void test_json_and_flame_graph(void **state)
{
    (void)state;
    struct err err;
    struct profile *p = load("fp.perf.txt");
    json_t *all = profile_json_new(p, 5), *summary = json_obj(all, "summary");
    assert_int_equal(json_array_size(json_list(all, "hot_paths")), 5);
    assert_int_equal(json_int(summary, "samples", 0), 160);
    assert_int_equal(json_int(summary, "lost", -1), 0);
    assert_string_equal(json_str(summary, "event", ""), "cpu-clock:u");
    assert_true(json_is_null(json_object_get(summary, "first_bad")));
    assert_string_equal(json_string_value(json_array_get(json_list(summary, "without_lines"), 0)),
                        "/example/target/profiling/hot");
    json_decref(all);
    struct buf svg = BUF_INIT;
    assert_ok(profile_flamegraph(p, &(struct flamegraph_options){.title = "hot"}, &svg, &err), &err);
    assert_non_null(strstr(svg.data, "<title>hot::count_words\n"));
    assert_non_null(strstr(svg.data, "<title>[thread start]\n"));
    assert_null(strstr(svg.data, "lang_start_internal"));
    buf_free(&svg);
    profile_free(p);
}

static struct profile *load_text(const char *text, const char *event, int expected, struct err *err)
{
    char *dir = test_temp_dir(), *path = path_join(dir, "perf.txt");
    const char *const paths[] = {path, path};
    struct profile *p = NULL;
    struct profile_options o = {.project_roots = roots, .event = event};
    struct err ignored;
    assert_ok(file_write(path, text, strlen(text), false, &ignored), &ignored);
    assert_int_equal(profile_load(paths, 2, &o, &p, err), expected);
    mem_free(path);
    test_remove(dir);
    return p;
}

static void test_two_parts_threads_and_noise(void **state)
{
    (void)state;
    struct err err;
    struct profile *p = load_text("a 1 1.000: 10 cycles: \n\t 10 leaf+0x1 (/gone/a)\n\t ff [unknown] ([unknown])\n"
                                  "\t 20 _ZN1a4main17h28c0ab870516aaa7E+0x2 (/gone/a)\n\n"
                                  "b 2 1.000: 30 cycles: \n\t 30 [unknown] (/lib/libx.so)\n",
                                  NULL, 0, &err);
    assert_string_equal(p->unit, "cycles");
    struct buf b = BUF_INIT;
    folded_write(p->folded, &b);
    assert_string_equal(b.data, "a;a::main;leaf 20\nb;[libx.so] 60\n");
    buf_free(&b);
    profile_free(p);
}

static void test_errors_say_what_is_wrong(void **state)
{
    (void)state;
    struct err err;
    struct profile *p = NULL;
    const char *const missing[] = {"/nonexistent/x"};
    struct profile_options o = {.project_roots = roots};
    assert_int_equal(profile_load(missing, 1, &o, &p, &err), -ERR_NOT_FOUND);
    load_text("hello\n", NULL, -ERR_PARSE, &err);
    assert_non_null(strstr(err.text, "\"hello\""));
    load_text("", NULL, -ERR_NOT_FOUND, &err);
    load_text("a 1 1.000: 10 cycles: \n\t 10 leaf+0x1 (/gone/a)\n", "branches", -ERR_NOT_FOUND, &err);
    assert_non_null(strstr(err.text, "branches"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recorded_with_frame_pointers),
        cmocka_unit_test(test_recorded_with_dwarf_and_names_of_perf),
        cmocka_unit_test(test_recorded_with_kernel_frames),
        cmocka_unit_test(test_json_and_flame_graph),
        cmocka_unit_test(test_two_parts_threads_and_noise),
        cmocka_unit_test(test_errors_say_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
