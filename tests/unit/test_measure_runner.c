// Real processes. Nothing here depends on how fast the machine is.
#include "support/support.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "measure/ab.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

static int run(const char *const *argv, struct runner_result *r, struct err *err)
{
    return runner_run(&(struct runner_call){.argv = argv, .keep_output = true}, r, err);
}

static void test_runner_counts_the_tree_and_hashes_output(void **state)
{
    (void)state;
    struct runner_result direct, child, other;
    struct err err;
    assert_ok(run((const char *const[]){MEASURE_BUSY, "20000", NULL}, &direct, &err), &err);
    assert_ok(run((const char *const[]){MEASURE_BUSY, "20000", "child", NULL}, &child, &err), &err);
    assert_ok(run((const char *const[]){MEASURE_BUSY, "1", NULL}, &other, &err), &err);
    assert_int_equal(direct.exit_code, 0);
    assert_true(direct.output_bytes > 1);
    assert_string_equal(direct.output, child.output);
    assert_string_not_equal(direct.output, other.output);
    assert_true(child.cpu_ns > other.cpu_ns); // 20000 times the work, although in a child of the child
    assert_true(direct.max_rss_kb > 0);
}

static void test_runner_reports_exit_signal_and_last_words(void **state)
{
    (void)state;
    struct runner_result r;
    struct err err;
    assert_ok(run((const char *const[]){MEASURE_BUSY, "1", "exit3", NULL}, &r, &err), &err);
    assert_int_equal(r.exit_code, 3);
    AUTO_FREE char *text = runner_describe(&r);
    assert_string_equal(text, "exit 3: the reason");
    assert_ok(run((const char *const[]){MEASURE_BUSY, "1", "crash", NULL}, &r, &err), &err);
    assert_int_equal(r.exit_code, -1);
    assert_int_equal(r.signal, SIGABRT);
}

static void test_runner_says_why_it_cannot_start(void **state)
{
    (void)state;
    struct runner_result r;
    struct err err;
    assert_int_equal(run((const char *const[]){"no-such-program-anywhere", NULL}, &r, &err), -ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "no-such-program-anywhere"));
    assert_int_equal(run((const char *const[]){"/no/such/program", NULL}, &r, &err), -ERR_NOT_FOUND);
    struct runner_call call = {.argv = (const char *const[]){MEASURE_BUSY, NULL}, .cwd = "/no/such/folder"};
    assert_int_equal(runner_run(&call, &r, &err), -ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "working folder"));
    assert_int_equal(run((const char *const[]){NULL}, &r, &err), -ERR_INVALID);
}

static void test_runner_timeout_kills_the_group(void **state)
{
    (void)state;
    struct runner_result r;
    struct err err;
    struct runner_call call = {.argv = (const char *const[]){MEASURE_BUSY, "1", "hang", NULL}, .timeout_ns = NS_PER_MS};
    assert_int_equal(runner_run(&call, &r, &err), -ERR_TIMEOUT);
    errno = 0;
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static bool at_once(void *user)
{
    (void)user;
    return true;
}

static void test_runner_cancel(void **state)
{
    (void)state;
    struct runner_result r;
    struct err err;
    struct runner_call call = {.argv = (const char *const[]){MEASURE_BUSY, "1", "hang", NULL}, .cancelled = at_once};
    assert_int_equal(runner_run(&call, &r, &err), -ERR_CANCELLED);
}

static void test_runner_prefix_padding_and_streams(void **state)
{
    (void)state;
    struct runner_result padded, plain, in;
    struct err err;
    const char *const env[] = {"A=b", NULL};
    struct runner_call call = {.argv_prefix = (const char *const[]){"env", "--", NULL},
                               .argv = (const char *const[]){MEASURE_BUSY, "1", "env", NULL},
                               .env = env,
                               .padding = 123,
                               .keep_output = true};
    char expected[HASH_TEXT];
    assert_ok(runner_run(&call, &padded, &err), &err);
    hash_bytes("123\n", 4, expected);
    assert_string_equal(padded.output, expected);
    size_t bytes = runner_stack_bytes(&call);
    const char *const more[] = {"A=b", "C=1", NULL};
    call.env = more;
    assert_int_equal(runner_stack_bytes(&call), bytes + sizeof("C=1"));
    call.argv_prefix = NULL;
    call.padding = 0;
    assert_ok(runner_run(&call, &plain, &err), &err);
    hash_bytes("0\n", 2, expected);
    assert_string_equal(plain.output, expected);

    char *dir = test_temp_dir();
    AUTO_FREE char *path = path_join(dir, "in");
    assert_ok(file_write(path, "text", 4, false, &err), &err);
    struct runner_call cat = {.argv = (const char *const[]){"cat", NULL}, .stdin_path = path, .keep_output = true};
    assert_ok(runner_run(&cat, &in, &err), &err);
    hash_bytes("text", 4, expected);
    assert_string_equal(in.output, expected);
    test_remove(dir);
}

static void test_ab_commands_see_a_slower_program(void **state)
{
    (void)state;
    struct err err;
    struct ab_result *r = NULL;
    // 200 times the work, some hundred milliseconds against a few: no load of the machine turns this around.
    struct ab_subject a = {.name = "short", .argv = (const char *const[]){MEASURE_BUSY, "300", NULL}};
    struct ab_subject b = {.name = "long", .argv = (const char *const[]){MEASURE_BUSY, "60000", NULL}};
    struct ab_command_options o = {.common = {.seed = 1, .max_pairs = 8, .stop_at_detection = true}, .repeat = 1};
    assert_ok(ab_compare_commands(&a, &b, NULL, &o, &r, &err), &err);
    assert_int_equal(r->verdict, VERDICT_SLOWER);
    assert_int_equal(r->outputs, AB_OUTPUTS_DIFFER);
    assert_int_equal(r->repeat, 1);
    assert_string_equal(r->name_b, "long");
    ab_result_free(r);
    o.common.max_pairs = 8;
    o.repeat = 0;
    o.ignore_output = true;
    struct ab_subject t = {.name = "true", .argv = (const char *const[]){"true", NULL}};
    assert_ok(ab_compare_commands(&t, &t, &t, &o, &r, &err), &err);
    assert_true(r->repeat >= 1 && r->repeat <= AB_REPEAT_MAX);
    assert_true(r->aa.done);
    assert_int_equal(r->outputs, AB_OUTPUTS_NOT_COMPARED);
    ab_result_free(r);
}

static void test_ab_commands_name_the_failing_side(void **state)
{
    (void)state;
    struct err err;
    struct ab_result *r = NULL;
    struct ab_subject a = {.name = "base", .argv = (const char *const[]){MEASURE_BUSY, "1", NULL}};
    struct ab_subject b = {.name = "candidate", .argv = (const char *const[]){MEASURE_BUSY, "1", "exit3", NULL}};
    struct ab_command_options o = {.common = {.max_pairs = 8}};
    assert_int_equal(ab_compare_commands(&a, &b, NULL, &o, &r, &err), -ERR_TOOL);
    assert_non_null(strstr(err.text, "candidate"));
    assert_non_null(strstr(err.text, "the reason"));
    o.any_exit = true;
    assert_ok(ab_compare_commands(&a, &b, NULL, &o, &r, &err), &err);
    assert_int_equal(r->outputs, AB_OUTPUTS_DIFFER); // the exit status counts as output
    ab_result_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runner_counts_the_tree_and_hashes_output),
        cmocka_unit_test(test_runner_reports_exit_signal_and_last_words),
        cmocka_unit_test(test_runner_says_why_it_cannot_start),
        cmocka_unit_test(test_runner_timeout_kills_the_group),
        cmocka_unit_test(test_runner_cancel),
        cmocka_unit_test(test_runner_prefix_padding_and_streams),
        cmocka_unit_test(test_ab_commands_see_a_slower_program),
        cmocka_unit_test(test_ab_commands_name_the_failing_side),
    };
    return cmocka_run_group_tests_name("measure_runner", tests, NULL, NULL);
}
