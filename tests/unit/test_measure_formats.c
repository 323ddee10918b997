// Criterion's files (captured from 0.3.0, 0.3.6, 0.5.1 and 0.8.2), harness outputs, host check, plots, exports.
#include "support/support.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "measure/bench_text.h"
#include "measure/criterion.h"
#include "measure/export.h"
#include "measure/host.h"
#include "measure/plot.h"
#include "measure/printed.h"

#include <math.h>
#include <string.h>

static char *fixture(const char *name)
{
    AUTO_FREE char *relative = path_join("tests/fixtures/measure", name);
    return test_source_path(relative);
}

static char *fixture_text(const char *name)
{
    AUTO_FREE char *path = fixture(name);
    return test_read(path);
}

static void test_criterion_reads_all_versions(void **state)
{
    (void)state;
    static const struct {
        const char *dir, *id;
        size_t benches;
        double ns;
    } CASES[] = {{"criterion-0.3.0", "grp/one/sum/10", 2, 9.3},
                 {"criterion-0.3.6", "sum small", 1, 107.5},
                 {"criterion-0.5.1", "grp/one/sum/10", 2, 6.85},
                 {"criterion-0.8.2", "grp/one/sum/10", 1, 6.39}};
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct criterion_list list;
        struct err err;
        AUTO_FREE char *dir = fixture(CASES[i].dir);
        assert_ok(criterion_list_read(dir, NULL, &list, &err), &err);
        assert_int_equal(list.len, CASES[i].benches);
        assert_int_equal(list.unreadable, 0);
        const struct criterion_bench *b = criterion_list_find(&list, CASES[i].id);
        assert_non_null(b);
        assert_true(b->linear);
        assert_int_equal(b->samples, 10);
        assert_true(fabs(criterion_time_ns(b) / CASES[i].ns - 1) < 0.05);
        // Our slope from the raw samples is criterion's.
        assert_true(fabs(b->slope_ns / b->estimate_ns - 1) < 1e-9);
        assert_true(b->estimate_low <= b->estimate_ns && b->estimate_ns <= b->estimate_high);
        AUTO_JSON json_t *v = criterion_bench_json_new(b);
        assert_string_equal(json_str(v, "mode", ""), "linear");
        criterion_list_free(&list);
    }
}

static void test_criterion_refuses_what_makes_no_sense(void **state)
{
    (void)state;
    static const char *const BAD[] = {"{}",
                                      "[]",
                                      "[[1],[]]",
                                      "{\"iters\":[0],\"times\":[1]}",
                                      "{\"iters\":[1],\"times\":[-1]}",
                                      "{\"iters\":[\"a\"],\"times\":[1]}",
                                      "{\"iters\":[1,2],\"times\":[1]}",
                                      "7"};
    struct err err;
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
        struct criterion_bench b = {0};
        AUTO_JSON json_t *v = json_loads(BAD[i], JSON_DECODE_ANY, NULL);
        assert_non_null(v);
        assert_int_equal(criterion_parse_sample(v, &b, &err), -ERR_INVALID);
        assert_int_equal(criterion_parse_benchmark(v, &b, &err), -ERR_INVALID);
        assert_int_equal(criterion_parse_estimates(v, &b, &err), -ERR_INVALID);
        criterion_bench_free(&b);
    }
    struct criterion_list list;
    assert_int_equal(criterion_list_read("/no/such/folder", NULL, &list, &err), -ERR_NOT_FOUND);
}

static void test_criterion_flat_sampling_uses_the_median(void **state)
{
    (void)state;
    struct criterion_bench b = {0};
    struct err err;
    AUTO_JSON json_t *v = json_loads("{\"sampling_mode\":\"Flat\",\"iters\":[2,2,2],\"times\":[20,22,90]}", 0, NULL);
    assert_ok(criterion_parse_sample(v, &b, &err), &err);
    assert_false(b.linear);
    assert_true(fabs(criterion_time_ns(&b) - 11) < 1e-9);
    criterion_bench_free(&b);
}

static void test_criterion_arguments_match_one_bench_only(void **state)
{
    (void)state;
    struct criterion_settings s = {.id = "a (b)/c+1.5", .measurement_s = 0.5};
    char **args = criterion_args(&s, true);
    size_t n = 0;
    bool half = false;
    for (; args[n]; n++)
        half |= str_eq(args[n], "0.5");
    assert_true(half);
    assert_string_equal(args[0], "--bench");
    assert_string_equal(args[n - 1], "^a \\(b\\)/c\\+1\\.5$");
    str_list_free(args);
    args = criterion_args(&s, false);
    assert_string_equal(args[n - 1], "a (b)/c+1.5");
    str_list_free(args);
}

static void test_harness_is_recognised(void **state)
{
    (void)state;
    static const struct {
        const char *help, *list;
        enum bench_harness harness;
    } CASES[] = {{"criterion-0.3.6-help.txt", "criterion-0.3.6-list.txt", BENCH_CRITERION},
                 {"criterion-0.8.2-help.txt", "criterion-0.8.2-list.txt", BENCH_CRITERION},
                 {"divan-help.txt", "divan-list.txt", BENCH_DIVAN}};
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        AUTO_FREE char *help = fixture_text(CASES[i].help);
        AUTO_FREE char *list = fixture_text(CASES[i].list);
        assert_int_equal(bench_harness_detect(help, NULL, NULL), CASES[i].harness);
        assert_int_equal(bench_harness_detect(NULL, list, NULL), CASES[i].harness);
    }
    assert_int_equal(bench_harness_detect(NULL, "a: benchmark\n\n0 tests, 1 benchmark\n", NULL), BENCH_LIBTEST);
    assert_int_equal(bench_harness_detect("", "running the thing\n", NULL), BENCH_PLAIN);
    const char *const deps[] = {"rand", "divan", NULL};
    assert_int_equal(bench_harness_detect(NULL, NULL, deps), BENCH_DIVAN);
    assert_int_equal(bench_harness_detect("", "running\n", deps), BENCH_PLAIN);
    assert_int_equal(bench_harness_detect(NULL, NULL, NULL), BENCH_UNKNOWN);
}

static void assert_names(const char *text, const char *const *names)
{
    char **got = bench_list_parse(text, strlen(text));
    size_t i = 0;
    for (; names[i]; i++) {
        assert_non_null(got[i]);
        assert_string_equal(got[i], names[i]);
    }
    assert_null(got[i]);
    str_list_free(got);
}

static void test_bench_names_are_listed(void **state)
{
    (void)state;
    AUTO_FREE char *divan = fixture_text("divan-list.txt");
    AUTO_FREE char *old = fixture_text("criterion-0.3.6-list.txt");
    AUTO_FREE char *new = fixture_text("criterion-0.8.2-list.txt");
    assert_names(divan, (const char *const[]){"plain", "with_args", "inner::bytes", "inner::generic::u32::1",
                                              "inner::generic::u32::2", "inner::generic::u64::1",
                                              "inner::generic::u64::2", NULL});
    const char *const names[] = {"sum small", "grp/one/sum/10", "grp/one/sum/1000", NULL};
    assert_names(old, names);
    assert_names(new, names);
    assert_names("m::a: test\nm::b: benchmark\n\n1 test, 1 benchmark\n", (const char *const[]){"m::b", NULL});
    assert_names("", (const char *const[]){NULL});
}

static void test_divan_table(void **state)
{
    (void)state;
    AUTO_FREE char *text = fixture_text("divan-0.1.txt");
    struct bench_rows rows;
    bench_divan_parse(text, strlen(text), &rows);
    static const char *const IDS[] = {"plain",
                                      "with_args::10",
                                      "with_args::1000",
                                      "with_args::100000",
                                      "inner::bytes",
                                      "inner::generic::u32::1",
                                      "inner::generic::u32::2",
                                      "inner::generic::u64::1",
                                      "inner::generic::u64::2"};
    assert_int_equal(rows.len, ARRAY_LEN(IDS));
    for (size_t i = 0; i < rows.len; i++) {
        assert_string_equal(rows.items[i].id, IDS[i]);
        assert_int_equal(rows.items[i].samples, 10);
        assert_true(rows.items[i].fastest_ns <= rows.items[i].median_ns);
        assert_true(rows.items[i].median_ns <= rows.items[i].slowest_ns);
    }
    assert_true(rows.items[3].median_ns > 1e5 && rows.items[3].median_ns < 2e5); // given in µs
    bench_rows_free(&rows);
}

static void test_libtest_table(void **state)
{
    (void)state;
    static const char TEXT[] = "running 2 tests\n"
                               "test a::old   ... bench:       1,234 ns/iter (+/- 56)\n"
                               "test a::old ... bench:       1,234 ns/iter (+/- 56)\r\n"
                               "test new      ... bench:           0.31 ns/iter (+/- 0.02) = 12 MB/s\n"
                               "test broken ... bench: x ns/iter (+/- 0)\n"
                               "test t ... ok\n";
    struct bench_rows rows;
    bench_libtest_parse(TEXT, sizeof(TEXT) - 1, &rows);
    assert_int_equal(rows.len, 3);
    assert_string_equal(rows.items[0].id, "a::old");
    assert_string_equal(rows.items[1].id, "a::old");
    assert_true(fabs(rows.items[1].median_ns - 1234) < 1e-9 && fabs(rows.items[1].spread_ns - 56) < 1e-9);
    assert_true(fabs(rows.items[2].median_ns - 0.31) < 1e-9);
    bench_rows_free(&rows);
}

static void test_printed_time(void **state)
{
    (void)state;
    static const char TEXT[] = "\nrunning 3 tests\n"
                               "test short_ascii ... bench:         210 ns/iter (+/- 12) = 95 MB/s\n"
                               "test short       ... bench:         120 ns/iter (+/- 1)\n"
                               "test broken      ... bench: x ns/iter (+/- 0)\n"
                               "\ntest result: ok. 0 passed; 0 failed; 0 ignored; 3 measured\n";
    assert_float_equal(printed_time_ns(TEXT, sizeof(TEXT) - 1, "short"), 120, 1e-9); // not the one it is a part of
    assert_float_equal(printed_time_ns(TEXT, sizeof(TEXT) - 1, "broken"), 0, 1e-9);
    assert_float_equal(printed_time_ns(TEXT, sizeof(TEXT) - 1, "absent"), 0, 1e-9);
    static const char NONE[] = "\nrunning 0 tests\n\ntest result: ok. 0 passed; 0 failed; 0 ignored; 0 measured\n\n";
    assert_int_equal(bench_harness_detect(NULL, NONE, NULL), BENCH_LIBTEST); // what bencher answers to --list
}

static void test_host_says_what_disturbs(void **state)
{
    (void)state;
    AUTO_FREE char *root = fixture("host-noisy");
    AUTO_JSON json_t *h = host_check_new(root);
    assert_string_equal(json_str(h, "cpu", ""), "Example CPU @ 2.00GHz");
    assert_int_equal(json_int(h, "cores", 0), 2);
    assert_string_equal(json_str(h, "governor", ""), "powersave");
    assert_string_equal(json_str(h, "virt", ""), "kvm");
    assert_int_equal(json_int(h, "swap_used_kb", 0), 524288);
    assert_true(fabs(json_num(h, "steal_pct", 0) - 10) < 1e-9);
    assert_false(json_flag(h, "perf_user", true));
    assert_int_equal(json_array_size(json_list(h, "warnings")), 6);
    char id[65], again[65];
    host_fingerprint(h, id);
    AUTO_JSON json_t *here = host_check_new("");
    assert_true(json_int(here, "cores", 0) > 0);
    host_fingerprint(here, again);
    assert_string_not_equal(id, again);
    AUTO_JSON json_t *nothing = host_check_new("/no/such/folder");
    assert_true(json_is_null(json_object_get(nothing, "cpu")));
}

static struct ab_result *example(void)
{
    AUTO_FREE char *text = fixture_text("comparison.json");
    struct err err;
    struct ab_result *r = NULL;
    AUTO_JSON json_t *v = json_parse_new(text, strlen(text), "comparison", &err);
    assert_non_null(v);
    assert_ok(ab_result_parse(v, &r, &err), &err);
    return r;
}

static void test_plot_line_and_box(void **state)
{
    (void)state;
    struct ab_result *r = example();
    struct buf b = BUF_INIT;
    plot_line(&b, r, false);
    assert_string_equal(buf_str(&b), "faster: -20.2 % [-23.2, -14.3] CPU time, 20 pairs, p = 0.0002");
    buf_clear(&b);
    plot_box(&b, r, 60, false);
    size_t lines = 0;
    for (const char *p = buf_str(&b); *p; p++) {
        lines += *p == '\n';
        assert_true((unsigned char)*p < 0x80);
    }
    assert_int_equal(lines, 3);
    assert_int_equal(strcspn(buf_str(&b), "\n"), 60);
    buf_clear(&b);
    plot_box(&b, r, 60, true);
    assert_true(str_utf8_valid(buf_str(&b), b.len));
    buf_free(&b);
    ab_result_free(r);
}

static size_t count(const char *text, const char *word)
{
    size_t n = 0;
    for (const char *p = text; (p = strstr(p, word)) != NULL; p++)
        n++;
    return n;
}

static void test_plot_svg_has_every_sample_and_escapes(void **state)
{
    (void)state;
    struct ab_result *r = example();
    str_set(&r->name_b, "a<b&\"c\"");
    struct buf b = BUF_INIT;
    plot_svg(&b, r, "parse <input>");
    assert_true(str_starts(buf_str(&b), "<svg "));
    assert_int_equal(count(buf_str(&b), "<circle"), 2 * r->pairs + 1);
    assert_non_null(strstr(buf_str(&b), "a&lt;b&amp;&quot;c&quot;"));
    assert_null(strstr(buf_str(&b), "<input>"));
    assert_null(strstr(buf_str(&b), "nan"));
    assert_null(strstr(buf_str(&b), "http://www.w3.org/2000/svg' xlink"));
    buf_clear(&b);
    mem_free(r->samples); // read back without samples: medians and interval are still drawn
    r->samples = NULL;
    plot_svg(&b, r, NULL);
    assert_int_equal(count(buf_str(&b), "<circle"), 1);
    buf_free(&b);
    ab_result_free(r);
}

static void test_plot_value_units(void **state)
{
    (void)state;
    char out[32];
    plot_value(AB_CPU, 999, out);
    assert_string_equal(out, "999 ns");
    plot_value(AB_WALL, 12345678, out);
    assert_string_equal(out, "12.3 ms");
    plot_value(AB_RSS, 2048, out);
    assert_string_equal(out, "2.00 MiB");
    plot_value(AB_SIZE, 512, out);
    assert_string_equal(out, "512 B");
    plot_value(AB_CALLS, 71, out);
    assert_string_equal(out, "71");
    plot_value(AB_ALLOCATIONS, 8030, out);
    assert_string_equal(out, "8.03 k");
}

static void test_metrics_are_found_by_both_names(void **state)
{
    (void)state;
    for (int m = 0; m < AB_METRIC_COUNT; m++) {
        enum ab_metric found = AB_METRIC_COUNT;
        assert_true(ab_metric_find(ab_metric_name((enum ab_metric)m), &found));
        assert_int_equal(found, m);
    }
    enum ab_metric found = AB_CPU;
    assert_true(ab_metric_find("incremental", &found) && found == AB_REBUILD);
    assert_false(ab_metric_find("luck", &found) || ab_metric_find(NULL, &found));
    assert_true(ab_metric_is_time(AB_BUILD) && !ab_metric_is_time(AB_RSS));
}

static void test_export_formats(void **state)
{
    (void)state;
    struct ab_result *r = example();
    struct export_value v = export_of(r, "bench one");
    AUTO_JSON json_t *bencher = export_bencher_new(&v, 1);
    AUTO_JSON json_t *github = export_github_new(&v, 1);
    const json_t *latency = json_obj(json_obj(bencher, "bench one"), "latency");
    assert_true(json_num(latency, "lower_value", 0) < json_num(latency, "value", 0));
    assert_string_equal(json_str(json_array_get(github, 0), "unit", ""), "ns");
    assert_true(str_starts(json_str(json_array_get(github, 0), "range", ""), "± "));
    ab_result_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_criterion_reads_all_versions),
        cmocka_unit_test(test_criterion_refuses_what_makes_no_sense),
        cmocka_unit_test(test_criterion_flat_sampling_uses_the_median),
        cmocka_unit_test(test_criterion_arguments_match_one_bench_only),
        cmocka_unit_test(test_harness_is_recognised),
        cmocka_unit_test(test_bench_names_are_listed),
        cmocka_unit_test(test_divan_table),
        cmocka_unit_test(test_libtest_table),
        cmocka_unit_test(test_printed_time),
        cmocka_unit_test(test_host_says_what_disturbs),
        cmocka_unit_test(test_plot_line_and_box),
        cmocka_unit_test(test_plot_svg_has_every_sample_and_escapes),
        cmocka_unit_test(test_plot_value_units),
        cmocka_unit_test(test_metrics_are_found_by_both_names),
        cmocka_unit_test(test_export_formats),
    };
    return cmocka_run_group_tests_name("measure_formats", tests, NULL, NULL);
}
