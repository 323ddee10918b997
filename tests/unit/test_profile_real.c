// The whole way on this machine: rustc builds a program, perf records it, the library names the function to fix.
// Skipped with a message where there is no rustc or perf may not record.
#include "support/support.h"

#include "profile/perf_command.h"
#include "profile/profile.h"
#include "profile/symbolize.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <fcntl.h>
#include <linux/perf_event.h>
#include <spawn.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char *work; // folder of the test, the program is work/hot
static char *fixtures;

// Exit status; -1 when it could not be started. Output goes to the file, or nowhere.
static int run(const char *const *argv, const char *output)
{
    posix_spawn_file_actions_t actions;
    pid_t child;
    int status;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, output ? output : "/dev/null", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    char **copy = mem_array(64, sizeof(*copy));
    for (size_t i = 0; argv[i] && i < 63; i++)
        copy[i] = str_dup(argv[i]);
    int started = posix_spawnp(&child, argv[0], &actions, NULL, copy, environ);
    posix_spawn_file_actions_destroy(&actions);
    str_list_free(copy);
    if (started != 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status))
        return -1;
    return WEXITSTATUS(status);
}

static int run_consumed(char **argv, const char *output)
{
    const char *borrowed[64] = {NULL};
    for (size_t i = 0; argv[i] && i < 63; i++)
        borrowed[i] = argv[i];
    int status = run(borrowed, output);
    str_list_free(argv);
    return status;
}

static bool build(const char *extra, const char *program)
{
    char *source = path_join(fixtures, "hot.rs");
    const char *argv[] = {"rustc", "--edition", "2021", "-O", "-Cdebuginfo=1", "-Cforce-frame-pointers=yes", source,
                          "-o",    program,     extra,  NULL};
    int status = run(argv, NULL);
    mem_free(source);
    return status == 0;
}

static int set_up(void **state)
{
    (void)state;
    work = test_temp_dir();
    fixtures = test_source_path("tests/fixtures/profile");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_remove(work);
    mem_free(fixtures);
    return 0;
}

static char *record(const char *program, enum perf_unwind unwind)
{
    char *data = path_join(work, "perf.data"), *text = path_join(work, "perf.txt");
    const char *const command[] = {program, NULL};
    struct perf_record_options o = {.output = data, .unwind = unwind};
    bool ok = run_consumed(profile_perf_record_argv(&o, command), NULL) == 0 &&
              run_consumed(profile_perf_script_argv(NULL, data), text) == 0;
    mem_free(data);
    assert_true(ok);
    return text;
}

static bool can_sample(void)
{
    struct perf_event_attr attr = {
        .type = PERF_TYPE_SOFTWARE, .size = sizeof(attr), .config = PERF_COUNT_SW_CPU_CLOCK, .exclude_kernel = 1};
    int fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

// The only reasons to skip: what is wrong with a build or a recording after that is ours.
static void need_profiles(void)
{
    const char *missing = run((const char *const[]){"rustc", "-V", NULL}, NULL) != 0         ? "there is no rustc"
                          : run((const char *const[]){"perf", "--version", NULL}, NULL) != 0 ? "there is no perf"
                          : !can_sample() ? "perf may not record (kernel.perf_event_paranoid)"
                                          : NULL;
    if (!missing)
        return;
    print_message("skipped: %s\n", missing);
    skip();
}

static const struct hot_function *row_of(const struct hot_function *rows, size_t n, const char *function)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(rows[i].function, function) == 0)
            return &rows[i];
    fail_msg("no row of %s", function);
    return NULL;
}

// Not inlined: test_symbolize_this_program looks it up by name.
__attribute__((noinline, used)) static int line_of(const char *needle)
{
    char *path = path_join(fixtures, "hot.rs"), *text = test_read(path);
    char *at = strstr(text, needle);
    assert_non_null(at);
    int line = 1;
    for (char *p = text; p < at; p++)
        line += *p == '\n';
    mem_free(text);
    mem_free(path);
    return line;
}

static void check_profile(struct profile *p)
{
    size_t n;
    struct hot_function *rows = hot_rank(p->hot, &n);
    assert_true(n > 3);
    assert_string_equal(rows[0].function, "hot::count_words");
    assert_int_equal(rows[0].kind, CRATE_PROJECT);
    assert_true(rows[0].owned_pct > 40);
    assert_true(rows[0].self_pct < rows[0].owned_pct / 2); // its time is below std
    assert_string_equal(rows[0].file, "hot.rs");
    assert_int_equal(rows[0].line, line_of("fn count_words"));
    assert_int_equal(rows[0].hot_line, line_of("*seen.entry"));
    assert_int_equal(rows[0].line_end, line_of("seen.len()") + 1);
    // the helper is inlined everywhere and yet has its row, inside of its caller
    const struct hot_function *mix = row_of(rows, n, "hot::mix"), *sum = row_of(rows, n, "hot::checksum");
    assert_int_equal(mix->line, line_of("fn mix"));
    assert_true(mix->total_pct > 0 && mix->total_pct <= sum->total_pct);
    int inside = line_of("rotate_left");
    assert_float_equal(hot_share_of_lines(p->hot, "hot.rs", inside, inside), mix->total_pct, 1e-6);
    const char *name;
    double share = hot_share_of_function(p->hot, "hot.rs", line_of("seen.len()"), &name);
    assert_string_equal(name, "hot::count_words");
    assert_float_equal(share, rows[0].total_pct, 1e-6);
    mem_free(rows);
}

static void profile_program(const char *program, enum perf_unwind unwind)
{
    struct err err;
    struct profile *p = NULL;
    char *text = record(program, unwind);
    const char *const paths[] = {text}, *const roots[] = {fixtures, NULL}, *const targets[] = {work, NULL};
    struct profile_options o = {.project_roots = roots, .target_dirs = targets};
    assert_ok(profile_load(paths, 1, &o, &p, &err), &err);
    check_profile(p);
    json_t *summary = profile_summary_new(p);
    assert_int_equal(json_int(summary, "bad_lines", -1), 0);
    assert_true(json_num(summary, "resolved_pct", 0) > 50);
    assert_int_equal(json_array_size(json_list(summary, "without_lines")), 0);
    json_decref(summary);
    struct buf svg = BUF_INIT;
    assert_ok(profile_flamegraph(p, &(struct flamegraph_options){.title = "hot"}, &svg, &err), &err);
    assert_non_null(strstr(svg.data, "<title>hot::count_words\n"));
    assert_non_null(strstr(svg.data, "<title>hot::mix\n"));
    buf_free(&svg);
    profile_free(p);
    mem_free(text);
}

static void test_legacy_names_and_frame_pointers(void **state)
{
    (void)state;
    need_profiles();
    char *program = path_join(work, "hot");
    assert_true(build(NULL, program));
    profile_program(program, PERF_UNWIND_FP);
    mem_free(program);
}

static void test_v0_names_and_dwarf_stacks(void **state)
{
    (void)state;
    need_profiles();
    char *program = path_join(work, "hot");
    assert_true(build("-Csymbol-mangling-version=v0", program));
    profile_program(program, PERF_UNWIND_DWARF);
    mem_free(program);
}

// This test program itself: C, with debug information, and known to be there.
static void test_symbolize_this_program(void **state)
{
    (void)state;
    struct symbolizer *s = symbolizer_new();
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
    assert_true(n > 0);
    path[n] = '\0';
    struct symbolize_query q[] = {
        {.dso = path, .symbol = "line_of", .offset = 0, .has_offset = true},
        {.dso = path, .symbol = "no_such_function", .offset = 1, .has_offset = true},
        {.dso = "/nonexistent/program", .symbol = "main", .has_offset = true},
        {.dso = "[vdso]", .file_offset = 4096},
        {.dso = fixtures, .file_offset = 4096},
    };
    struct source_chain chains[ARRAY_LEN(q)];
    symbolize_batch(s, q, ARRAY_LEN(q), chains);
    assert_true(chains[0].count >= 1);
    const struct source_frame *outer = &chains[0].frames[chains[0].count - 1];
    assert_string_equal(outer->function, "line_of");
    if (symbolizer_has_lines(s, path)) {
        assert_true(str_ends(outer->file, "test_profile_real.c"));
        assert_true(outer->function_line > 0);
        assert_true(outer->function_end > outer->function_line);
    }
    for (size_t i = 1; i < ARRAY_LEN(q); i++)
        assert_int_equal(chains[i].count, 0);
    assert_false(symbolizer_has_lines(s, "/nonexistent/program"));
    symbolizer_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_symbolize_this_program),
        cmocka_unit_test(test_legacy_names_and_frame_pointers),
        cmocka_unit_test(test_v0_names_and_dwarf_stacks),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
