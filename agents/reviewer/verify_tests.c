// The same tests pass on the branch as on the base, no fewer. What failed on the base is not held against the branch. A
// test that passed before and fails now gets a second run: one that passes then is unsteady, which is said, but not
// asked to be mended.
#include "base/mem.h"
#include "base/str.h"
#include "reviewer/verify.h"
#include "rust/test_output.h"

#include <string.h>

#define TEST_OUTPUT_MAX ((size_t)64 * 1024 * 1024)
#define LOST_NAMED_MAX  10

struct test_run {
    json_t *tests; // name -> "ok|failed|ignored"
    struct test_counts counts;
    int exit_code;
    bool compiled, timed_out;
    size_t receipt;
    char *complaint;
};

static void run_free(struct test_run *r)
{
    json_decref(r->tests);
    mem_free(r->complaint);
    *r = (struct test_run){0};
}

static int run_tests(const struct verify_request *request, const struct workplace *place, struct test_run *ret,
                     struct err *err)
{
    const char *argv[8] = {"cargo", "test", "--workspace", "--no-fail-fast"};
    size_t n = 4;
    if (place->has_metadata && !place->copied)
        argv[n++] = "--locked";
    argv[n] = NULL;
    const char *const env[] = {place->target.env, "RUST_TEST_THREADS=2", NULL};
    struct exec_result result;
    struct exec_call call = {.argv = argv, .cwd = place->dir, .env = env, .output_max = TEST_OUTPUT_MAX};
    int r = exec_run(request->exec, &call, &result, err);
    if (r == 0) {
        *ret =
            (struct test_run){.exit_code = result.exit_code, .timed_out = result.timed_out, .receipt = result.receipt};
        ret->tests = test_output_parse_new(buf_str(&result.out), result.out.len, &ret->counts);
        ret->compiled = result.exit_code == 0 || ret->counts.programs > 0;
        ret->complaint = last_line(&result.err);
    }
    exec_result_free(&result);
    return r;
}

static json_t *counts_json(const struct test_run *r)
{
    json_t *v = json_object();
    json_put_int(v, "passed", (int64_t)r->counts.passed);
    json_put_int(v, "failed", (int64_t)r->counts.failed);
    json_put_int(v, "ignored", (int64_t)r->counts.ignored);
    return v;
}

static void tell(const struct verify_request *request, double fraction, const char *text)
{
    if (request->progress)
        request->progress(request->user, fraction, text);
}

// Lost tests that the second run gets right are taken out and named in the limits.
static int try_again(const struct verify_request *request, const struct workplace *work, json_t **lost,
                     struct verification *v, struct err *err)
{
    struct test_run again = {0};
    tell(request, 0.9, "running the failed tests once more");
    int r = run_tests(request, work, &again, err);
    if (r < 0)
        return r;
    json_t *still = json_array(), *name;
    size_t i;
    json_array_foreach (*lost, i, name) {
        const char *text = json_string_value(name);
        if (!str_eq(json_str(again.tests, text, NULL), "ok")) {
            json_array_append(still, name);
            continue;
        }
        AUTO_FREE char *limit = str_printf("the test %s failed once and passed the second time: it is unsteady", text);
        json_add_str(v->limits, limit);
    }
    json_decref(*lost);
    *lost = still;
    run_free(&again);
    return 0;
}

static void ask_for_lost(const struct verify_request *request, const struct test_run *after, const json_t *lost,
                         struct verification *v)
{
    size_t i;
    json_t *name;
    json_array_foreach (lost, i, name) {
        const char *text = json_string_value(name);
        const char *how = json_str(after->tests, text, NULL);
        const char *says = !how ? "does not run any more" : str_eq(how, "ignored") ? "is ignored now" : "fails now";
        if (i >= LOST_NAMED_MAX) {
            verify_ask(v, request, NULL, NULL, 0, "critical", "make them pass, or drop the change",
                       "%zu further tests do not pass any more", json_array_size(lost) - i);
            return;
        }
        verify_ask(v, request, NULL, NULL, 0, "critical", "make it pass, or drop the change",
                   "the test %s passed on the base and %s", text, says);
    }
}

static int judge(const struct verify_request *request, const struct workplace *work, const struct test_run *before,
                 const struct test_run *after, struct verification *v, struct err *err)
{
    if (!after->compiled && before->compiled) {
        verify_ask(v, request, NULL, NULL, 0, "critical", "make the tests build again, or drop the change",
                   "the tests do not build on the branch: %s", after->complaint);
        return 0;
    }
    if (!before->compiled) {
        AUTO_FREE char *text = str_printf(
            "the tests do not build on the base, so they say nothing about the branch: %s", before->complaint);
        json_add_str(v->limits, text);
        return 0;
    }
    if (before->exit_code != 0) {
        AUTO_FREE char *text = str_printf("cargo test ends with status %d on the base already (%s): only the tests that pass there count",
                                          before->exit_code, before->complaint);
        json_add_str(v->limits, text);
    }
    json_t *lost = test_output_lost_new(before->tests, after->tests);
    int r = json_array_size(lost) > 0 ? try_again(request, work, &lost, v, err) : 0;
    bool any = r == 0 && json_array_size(lost) > 0;
    if (any)
        ask_for_lost(request, after, lost, v);
    else if (r == 0 && before->exit_code == 0 && after->exit_code != 0 && after->counts.failed == 0)
        verify_ask(v, request, NULL, NULL, 0, "critical", "find out which test program ends early",
                   "cargo test ends with status %d on the branch, and with 0 on the base: %s", after->exit_code,
                   after->complaint);
    json_decref(lost);
    return r;
}

int verify_tests(const struct verify_request *request, const struct workplace *base, const struct workplace *work,
                 struct verification *v, struct err *err)
{
    struct test_run before = {0}, after = {0};
    tell(request, 0.3, "running the tests on the base");
    int r = run_tests(request, base, &before, err);
    if (r == 0 && before.timed_out) { // like tests that do not build
        json_add_str(v->limits, "the tests do not end on the base, so they say nothing about the branch");
        run_free(&before);
        return 0;
    }
    if (r == 0) {
        tell(request, 0.6, "running the tests on the branch");
        r = run_tests(request, work, &after, err);
    }
    if (r == 0 && after.timed_out)
        r = err_set(err, ERR_TIMEOUT, "the tests took too long on the branch");
    if (r == 0) {
        json_t *tests = json_object();
        json_put(tests, "before", counts_json(&before));
        json_put(tests, "after", counts_json(&after));
        json_put_int(tests, "receipt", (int64_t)after.receipt);
        json_put_int(tests, "exit", after.exit_code);
        json_decref(v->tests);
        v->tests = tests;
        r = judge(request, work, &before, &after, v, err);
    }
    run_free(&before);
    run_free(&after);
    return r;
}
