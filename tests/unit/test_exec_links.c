// agents/sandbox: what the worker opens itself for a call, and what a tool may leave where the worker works.
#include "support/support.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "policy/policy.h"
#include "sandbox/exec.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
    char *dir, *workspace, *spool, *secret, *script;
    struct policy *policy;
    struct exec_context *ctx;
};

static void begin(struct fixture *f, const char *script)
{
    struct err err;
    char *made = test_temp_dir();
    f->dir = path_real(made, &err);
    mem_free(made);
    f->workspace = path_join(f->dir, "work");
    f->spool = path_join(f->dir, "spool");
    f->secret = path_join(f->dir, "outside/secret");
    f->script = path_join(f->workspace, "script.sh");
    AUTO_FREE char *outside = path_join(f->dir, "outside"), *home = path_join(f->dir, "home");
    char *const folders[] = {f->workspace, f->spool, outside};
    for (size_t i = 0; i < ARRAY_LEN(folders); i++)
        assert_ok(file_make_dirs(folders[i], &err), &err);
    assert_ok(file_write(f->secret, "secret", 6, false, &err), &err);
    assert_ok(file_write(f->script, script, strlen(script), false, &err), &err);
    f->policy = policy_new("test-agent");
    assert_ok(policy_allow(f->policy, "Bash(sh *)", "agent.md", 5, &err), &err);
    const char *own[] = {f->spool, NULL}, *writable[] = {f->workspace, NULL};
    const struct exec_places places = {.workspace = f->workspace, .home = home, .own = own, .writable = writable};
    assert_ok(exec_context_new(f->policy, &places, &f->ctx, &err), &err);
}

static void finish(struct fixture *f)
{
    AUTO_FREE char *whole = test_read(f->secret);
    assert_string_equal(whole, "secret");
    exec_context_free(f->ctx);
    policy_free(f->policy);
    mem_free(f->workspace);
    mem_free(f->spool);
    mem_free(f->secret);
    mem_free(f->script);
    test_remove(f->dir);
}

static int run(struct fixture *f, const char *input, const char *output, const char *const *reach, char **ret_out,
               struct err *err)
{
    const char *argv[] = {"sh", f->script, NULL};
    const struct exec_call call = {.argv = argv, .reach = reach, .stdin_path = input, .stdout_path = output};
    struct exec_result result;
    int r = exec_check(f->ctx, &call, &result, err);
    *ret_out = str_dup(buf_str(&result.out));
    exec_result_free(&result);
    return r;
}

static void test_exec_input_is_not_led_out(void **state)
{
    (void)state;
    struct fixture f;
    struct err err;
    char *text = NULL;
    begin(&f, "cat\n");
    AUTO_FREE char *input = path_join(f.workspace, "input"), *plain = path_join(f.workspace, "plain");
    assert_int_equal(symlink(f.secret, input), 0);
    assert_ok(file_write(plain, "text", 4, false, &err), &err);
    assert_int_equal(run(&f, input, NULL, NULL, &text, &err), -ERR_DENIED);
    assert_string_equal(text, "");
    mem_free(text);
    assert_ok(run(&f, plain, NULL, NULL, &text, &err), &err);
    assert_string_equal(text, "text");
    mem_free(text);
    assert_ok(run(&f, f.secret, NULL, (const char *const[]){f.secret, NULL}, &text, &err), &err); // the user named it
    assert_string_equal(text, "secret");
    mem_free(text);
    finish(&f);
}

static void test_exec_output_is_not_led_out(void **state)
{
    (void)state;
    struct fixture f;
    struct err err;
    char *text = NULL;
    begin(&f, "echo overwritten\n");
    AUTO_FREE char *output = path_join(f.spool, "output");
    assert_int_equal(symlink(f.secret, output), 0);
    assert_true(run(&f, NULL, output, NULL, &text, &err) < 0);
    mem_free(text);
    finish(&f);
}

static void test_exec_planted_links_go(void **state)
{
    (void)state;
    struct fixture f;
    struct err err;
    struct stat st;
    char *text = NULL;
    begin(&f, "cd ../spool && ln -s ../outside planted && mkdir folder && ln -s x folder/kept && ls planted >&2; test "
              "-L planted\n");
    assert_ok(run(&f, NULL, NULL, NULL, &text, &err), &err);
    mem_free(text);
    AUTO_FREE char *planted = path_join(f.spool, "planted"), *kept = path_join(f.spool, "folder/kept");
    assert_int_not_equal(lstat(planted, &st), 0); // the worker has folders of its own there
    assert_int_equal(lstat(kept, &st), 0);
    finish(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exec_input_is_not_led_out),
        cmocka_unit_test(test_exec_output_is_not_led_out),
        cmocka_unit_test(test_exec_planted_links_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
