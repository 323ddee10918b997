#include "performance/tests.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

#define TESTS_WALL_NS (15 * 60 * NS_PER_SEC)
#define LOST_NAMES    5

static void on_line(void *user, const char *line)
{
    struct job *job = user;
    while (*line == ' ')
        line++;
    if (str_starts(line, "Compiling ") || str_starts(line, "Downloading ") || str_starts(line, "Running ") ||
        str_starts(line, "Doc-tests "))
        job_progress(job, -1, "tests: %s", line);
}

// Base and branch have target directories of their own: cargo takes two checkouts of a workspace for the same packages and judges
// by time which is newer, so that the base's tests could link the branch's library.
static int run_tests(struct job *job, const char *root, const char *target_dir, struct exec_result *result, struct err *err)
{
    AUTO_FREE char *target = str_printf("CARGO_TARGET_DIR=%s", target_dir);
    const char *const env[] = {target, NULL};
    const char *const argv[] = {"cargo", "test", "--workspace", "--no-fail-fast", NULL};
    struct exec_call call = {.argv = argv,
                             .cwd = root,
                             .env = env,
                             .output_max = (size_t)64 << 20,
                             .wall_ns = TESTS_WALL_NS,
                             .on_line = on_line,
                             .user = job};
    return exec_run(job_exec(job), &call, result, err);
}

int tests_baseline(struct job *job, const char *root, const char *cache, struct tests *ret, struct err *err)
{
    *ret = (struct tests){0};
    job_progress(job, -1, "running the tests of the base");
    struct exec_result result = {0};
    AUTO_FREE char *target = path_join(cache, "target-test-base");
    int r = run_tests(job, root, target, &result, err);
    if (r == -ERR_DENIED || r == -ERR_NOT_FOUND) {
        ret->limit = str_printf("tests were not run: %s", err ? err->text : "refused");
        r = 0;
    } else if (r == 0) {
        ret->outcomes = test_output_parse_new(buf_str(&result.out), result.out.len, &ret->counts);
        if (ret->counts.binaries == 0)
            ret->limit = str_printf("the tests of the base %s", result.timed_out ? "do not end within 15 minutes" : "do not build");
    }
    exec_result_free(&result);
    return r;
}

int tests_check(struct job *job, const char *root, const char *cache, const struct tests *before, char **ret_lost,
                struct err *err)
{
    *ret_lost = NULL;
    if (before->limit)
        return 0;
    job_progress(job, -1, "running the tests with the change");
    struct exec_result result = {0};
    AUTO_FREE char *target = path_join(cache, "target-test-work");
    int r = run_tests(job, root, target, &result, err);
    if (r == 0) {
        struct test_counts counts;
        AUTO_JSON json_t *after = test_output_parse_new(buf_str(&result.out), result.out.len, &counts);
        AUTO_JSON json_t *lost = test_output_lost_new(before->outcomes, after);
        size_t i, n = json_array_size(lost);
        json_t *name;
        struct buf b = BUF_INIT;
        if (n)
            buf_printf(&b, "%zu test%s passed before and %s not now:", n, n == 1 ? "" : "s", n == 1 ? "does" : "do");
        json_array_foreach (lost, i, name)
            if (i < LOST_NAMES)
                buf_printf(&b, " %s", json_string_value(name));
        if (n)
            *ret_lost = buf_steal(&b);
        buf_free(&b);
    }
    exec_result_free(&result);
    return r;
}

void tests_free(struct tests *t)
{
    json_decref(t->outcomes);
    mem_free(t->limit);
    *t = (struct tests){0};
}

json_t *tests_json_new(const struct tests *t)
{
    json_t *v = json_object();
    json_put_int(v, "passed", (int64_t)t->counts.passed);
    json_put_int(v, "failed", (int64_t)t->counts.failed);
    json_put_int(v, "ignored", (int64_t)t->counts.ignored);
    json_put_str(v, "limit", t->limit);
    return v;
}
