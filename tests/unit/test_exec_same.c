// agents/sandbox: same command, same rule, same box. What else an agent may do changes nothing about the box of a call.
#include "support/support.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "policy/policy.h"
#include "sandbox/exec.h"

#include <string.h>

// The box as it looks from inside, but for a port that is another one for each call: mounts without their numbers,
// rights, limits, environment, and what can be started and written.
static const char LOOK[] =
    "sed 's/^[0-9]* [0-9]* [0-9]*:[0-9]* //' /proc/self/mountinfo | sort\n"
    "grep -E '^(Cap|NoNewPrivs|Seccomp|NSpid|Uid|Gid)' /proc/self/status\n"
    "ulimit -a; env | grep -v SCCACHE_SERVER_PORT= | sort; cat /proc/net/dev | wc -l\n"
    "for p in git cargo rustc cc ld python3 perl curl ssh; do \"$p\" --version >/dev/null 2>&1 && echo \"starts $p\"; "
    "done\n"
    "for f in .git/config .git/new Cargo.toml new src/new target/new .cargo/config.toml ../outside; do\n"
    "  (echo x >> $f) 2>/dev/null && echo \"writes $f\"\n"
    "done; rm -f new src/new target/new; exit 0\n";

static const char *const ALONE[] = {"Bash(sh *)", NULL};
static const char *const MANY[] = {
    "Bash(git *)", "Bash(cargo *)", "Bash(python3 *)", "Bash(sh *)", "Bash(cc *)", "Read",
    "Read(//**)",  "Edit",          "WebFetch",        "Task",       NULL};

struct fixture {
    char *dir, *workspace;
    struct policy *policy;
    struct exec_context *ctx;
};

static void begin(struct fixture *f)
{
    static const char *const FILES[] = {"Cargo.toml", "src/lib.rs", "target/x", ".git/config"};
    struct err err;
    char *made = test_temp_dir();
    *f = (struct fixture){.dir = path_real(made, &err)};
    mem_free(made);
    f->workspace = path_join(f->dir, "work");
    for (size_t i = 0; i < ARRAY_LEN(FILES); i++) {
        AUTO_FREE char *path = path_join(f->workspace, FILES[i]);
        AUTO_FREE char *folder = path_dir(path);
        assert_ok(file_make_dirs(folder, &err), &err);
        assert_ok(file_write(path, "", 0, false, &err), &err);
    }
}

static void end_stage(struct fixture *f)
{
    exec_context_free(f->ctx);
    policy_free(f->policy);
    f->ctx = NULL;
    f->policy = NULL;
}

static void open_stage(struct fixture *f, const char *const *rules)
{
    struct err err;
    AUTO_FREE char *home = path_join(f->dir, "home");
    const struct exec_places places = {.workspace = f->workspace, .home = home};
    end_stage(f);
    f->policy = policy_new("test-agent");
    for (int line = 1; rules[line - 1]; line++)
        assert_ok(policy_allow(f->policy, rules[line - 1], "agent.md", line, &err), &err);
    assert_ok(exec_context_new(f->policy, &places, &f->ctx, &err), &err);
}

static int start(struct fixture *f, const char *const *argv, char **ret_said)
{
    struct err err = {0};
    const struct exec_call call = {.argv = argv};
    struct exec_result result;
    int r = exec_run(f->ctx, &call, &result, &err);
    int code = r < 0 ? r : result.exit_code;
    if (ret_said)
        *ret_said = str_dup(buf_str(&result.out));
    exec_result_free(&result);
    return code;
}

static char *box(struct fixture *f)
{
    char *text = NULL;
    assert_int_equal(start(f, (const char *const[]){"sh", "-c", LOOK, NULL}, &text), 0);
    return text;
}

// Names the first line that differs: the texts are longer than what cmocka shows.
static void assert_same(const char *first, const char *other)
{
    char **a = str_split(first, "\n", false, NULL), **b = str_split(other, "\n", false, NULL);
    size_t i = 0;
    while (a[i] && b[i] && str_eq(a[i], b[i]))
        i++;
    if (a[i] || b[i])
        fail_msg("'%s' has become '%s'", a[i] ? a[i] : "", b[i] ? b[i] : "");
    str_list_free(a);
    str_list_free(b);
}

static void test_exec_same_command_same_rule_same_box(void **state)
{
    (void)state;
    static const char *const GIT[] = {"git", "--version", NULL};
    struct fixture f;
    begin(&f);
    open_stage(&f, ALONE);
    AUTO_FREE char *first = box(&f), *second = box(&f);
    assert_non_null(strstr(first, "writes new\n")); // ordinary work goes on, and the rest of the look sees something
    assert_non_null(strstr(first, "NoNewPrivs:\t1\n"));
    assert_null(strstr(first, "writes .git"));
    assert_same(first, second);
    assert_int_equal(start(&f, GIT, NULL), -ERR_DENIED);
    open_stage(&f, MANY);
    assert_int_equal(start(&f, GIT, NULL), 0); // these rules do mean something
    AUTO_FREE char *among_others = box(&f);
    assert_same(first, among_others);
    open_stage(&f, ALONE);
    AUTO_FREE char *again = box(&f);
    assert_same(first, again);
    AUTO_FREE char *outside = path_join(f.dir, "outside");
    assert_false(file_exists(outside)); // it was written to the box's own folder of that name
    end_stage(&f);
    mem_free(f.workspace);
    test_remove(f.dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_exec_same_command_same_rule_same_box)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
