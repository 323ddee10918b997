// agents/sandbox: real tools under baton-exec. Nothing outlives a call; limits, caps, environment, receipts.
#include "support/support.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "policy/policy.h"
#include "sandbox/exec.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct fixture {
    char *dir, *workspace, *home;
    struct policy *policy;
    struct exec_context *ctx;
};

static void begin(struct fixture *f, const char *const *rules)
{
    struct err err;
    char *made = test_temp_dir();
    f->dir = path_real(made, &err);
    mem_free(made);
    f->workspace = path_join(f->dir, "work");
    f->home = path_join(f->dir, "home");
    assert_ok(file_make_dirs(f->workspace, &err), &err);
    f->policy = policy_new("test-agent");
    for (; *rules; rules++)
        assert_ok(policy_allow(f->policy, *rules, "agent.md", 5, &err), &err);
    const struct exec_places places = {.workspace = f->workspace, .home = f->home};
    assert_ok(exec_context_new(f->policy, &places, &f->ctx, &err), &err);
}

static void finish(struct fixture *f)
{
    exec_context_free(f->ctx);
    policy_free(f->policy);
    mem_free(f->workspace);
    mem_free(f->home);
    test_remove(f->dir);
}

static const char *const SHELL[] = {"Bash(sh *)", "Bash(sleep *)", "Bash(no-such-program-of-baton *)", NULL};

// Scripts are files: a rule can say nothing about `sh -c`, and it is refused as long as there is no sandbox for it.
static char *script_file(const struct fixture *f, const char *text)
{
    struct err err;
    static unsigned count;
    AUTO_FREE char *name = str_printf("script-%u.sh", count++);
    char *path = path_join(f->workspace, name);
    assert_ok(file_write(path, text, strlen(text), false, &err), &err);
    return path;
}

static int run_sh(struct fixture *f, const char *script, int64_t wall_ns, size_t output_max, struct exec_result *ret,
                  struct err *err)
{
    AUTO_FREE char *path = script_file(f, script);
    const char *argv[] = {"sh", path, NULL};
    const struct exec_call call = {.argv = argv, .wall_ns = wall_ns, .output_max = output_max};
    return exec_run(f->ctx, &call, ret, err);
}

// Whether any process has `word` among its arguments (each test uses its own, as the duration of a sleep).
static bool someone_runs(const char *word)
{
    DIR *proc = opendir("/proc");
    struct dirent *e;
    bool found = false;
    while (proc && (e = readdir(proc)) != NULL && !found) {
        char path[300], text[4096] = {0};
        if (e->d_name[0] < '1' || e->d_name[0] > '9')
            continue;
        snprintf(path, sizeof(path), "/proc/%s/cmdline", e->d_name);
        FILE *file = fopen(path, "r");
        if (!file)
            continue;
        size_t n = fread(text, 1, sizeof(text) - 1, file);
        fclose(file);
        for (size_t i = 0; i < n; i += strlen(text + i) + 1)
            found = found || str_eq(text + i, word);
    }
    if (proc)
        closedir(proc);
    return found;
}

// One scan can miss a process that is just replacing itself, so it must be missed twice.
static void wait_until_gone(const char *word)
{
    for (int i = 0; i < 20000; i++) {
        if (!someone_runs(word) && !someone_runs(word))
            return;
        usleep(1000);
    }
    fail_msg("a process with the argument '%s' is left", word);
}

static void wait_until_there(const char *word)
{
    for (int i = 0; i < 20000; i++) {
        if (someone_runs(word))
            return;
        usleep(1000);
    }
    fail_msg("no process with the argument '%s' came", word);
}

static void test_exec_output_exit_and_receipt(void **state)
{
    (void)state;
    struct fixture f;
    struct exec_result r;
    struct err err;
    begin(&f, SHELL);
    assert_ok(run_sh(&f, "echo hello; echo oops >&2; exit 3", 0, 0, &r, &err), &err);
    assert_int_equal(r.exit_code, 3);
    assert_int_equal(r.signal, 0);
    assert_string_equal(buf_str(&r.out), "hello\n");
    assert_string_equal(buf_str(&r.err), "oops\n");
    assert_true(r.wall_ns > 0 && r.max_rss_kb > 0);
    const json_t *receipt = json_array_get(exec_receipts(f.ctx), r.receipt);
    assert_int_equal(json_int(receipt, "exit", -1), 3);
    assert_string_equal(json_str(receipt, "cwd", ""), f.workspace);
    assert_int_equal(json_int(json_obj(receipt, "stdout"), "bytes", -1), 6);
    assert_string_equal(json_str(json_obj(receipt, "stdout"), "hash", ""),
                        "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");
    assert_string_not_equal(json_str(json_obj(receipt, "decision"), "decision", ""), "deny");
    exec_result_free(&r);
    finish(&f);
}

static void test_exec_denied_call_leaves_a_receipt(void **state)
{
    (void)state;
    static const char *const RULES[] = {"Bash(cargo *)", NULL};
    struct fixture f;
    struct exec_result r;
    struct err err;
    begin(&f, RULES);
    assert_int_equal(run_sh(&f, "touch made", 0, 0, &r, &err), -ERR_DENIED);
    assert_non_null(strstr(err.text, "sh"));
    exec_result_free(&r);
    AUTO_FREE char *made = path_join(f.workspace, "made");
    assert_false(file_exists(made));
    assert_int_equal(json_array_size(exec_receipts(f.ctx)), 1);
    const json_t *receipt = json_array_get(exec_receipts(f.ctx), 0);
    assert_true(json_is_null(json_object_get(receipt, "exit")));
    assert_string_equal(json_str(json_obj(receipt, "decision"), "decision", ""), "deny");
    const char *argv[] = {"sh", NULL};
    assert_false(exec_possible(f.ctx, argv, &err));
    assert_int_equal(err.code, ERR_DENIED);
    finish(&f);
}

static void test_exec_missing_program(void **state)
{
    (void)state;
    struct fixture f;
    struct exec_result r;
    struct err err;
    begin(&f, SHELL);
    const char *argv[] = {"no-such-program-of-baton", NULL};
    const struct exec_call call = {.argv = argv};
    assert_int_equal(exec_run(f.ctx, &call, &r, &err), -ERR_NOT_FOUND);
    exec_result_free(&r);
    assert_false(exec_possible(f.ctx, argv, &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    const char *there[] = {"sleep", "1", NULL};
    assert_true(exec_possible(f.ctx, there, &err));
    finish(&f);
}

static void test_exec_environment_is_constructed(void **state)
{
    (void)state;
    struct fixture f;
    struct exec_result r;
    struct err err;
    begin(&f, SHELL);
    setenv("SECRET_OF_THE_WORKER", "1", 1);
    AUTO_FREE char *script = script_file(&f, "env\n");
    const char *argv[] = {"sh", script, NULL};
    const char *env[] = {"RUSTFLAGS=-g", "TERM=other", NULL};
    const struct exec_call call = {.argv = argv, .env = env};
    assert_ok(exec_check(f.ctx, &call, &r, &err), &err);
    const char *text = buf_str(&r.out);
    assert_null(strstr(text, "SECRET_OF_THE_WORKER"));
    assert_non_null(strstr(text, "RUSTFLAGS=-g\n"));
    assert_non_null(strstr(text, "TERM=other\n"));
    assert_null(strstr(text, "TERM=dumb"));
    assert_non_null(strstr(text, "LANG=C.UTF-8\n"));
    AUTO_FREE char *home = str_printf("HOME=%s/home\n", f.home);
    AUTO_FREE char *tmp = str_printf("TMPDIR=%s/tmp\n", f.home);
    assert_non_null(strstr(text, home));
    assert_non_null(strstr(text, tmp));
    char **lines = str_split(text, "\n", true, NULL);
    static const char *const KNOWN[] = {"PATH=",
                                        "HOME=",
                                        "TMPDIR=",
                                        "LANG=",
                                        "TERM=",
                                        "CARGO_HOME=",
                                        "RUSTUP_HOME=",
                                        "RUSTUP_AUTO_INSTALL=",
                                        "CARGO_NET_OFFLINE=",
                                        "RUSTFLAGS=",
                                        "SCCACHE_SERVER_PORT=",
                                        "PWD=",
                                        "_="}; // the last two are the shell's own
    for (char **l = lines; *l; l++) {
        bool known = false;
        for (size_t i = 0; i < ARRAY_LEN(KNOWN); i++)
            known = known || str_starts(*l, KNOWN[i]);
        if (!known)
            fail_msg("'%s' was inherited", *l);
    }
    str_list_free(lines);
    exec_result_free(&r);
    unsetenv("SECRET_OF_THE_WORKER");
    finish(&f);
}

static void test_exec_limits_are_set_and_descriptors_closed(void **state)
{
    (void)state;
    struct fixture f;
    struct exec_result r;
    struct err err;
    begin(&f, SHELL);
    int leak = dup(1); // not close-on-exec
    assert_ok(run_sh(&f, "ulimit -c; ls /proc/self/fd; grep NoNewPrivs /proc/self/status; cat", 0, 0, &r, &err), &err);
    assert_true(str_starts(buf_str(&r.out), "0\n0\n1\n2\n3\n")); // 3 is the folder that ls reads
    assert_null(strstr(buf_str(&r.out), "\n4\n"));
    assert_non_null(strstr(buf_str(&r.out), "NoNewPrivs:\t1"));
    exec_result_free(&r);
    close(leak);
    finish(&f);
}

// Each of the processes says that it is there, and they stay until all have been started.
static const char FORKS[] = "i=0; while [ $i -lt 40 ]; do sleep 7103 & i=$((i+1)); done; echo all";

static void test_exec_wall_of_processes(void **state)
{
    (void)state;
    struct fixture f;
    struct exec_result r;
    struct err err;
    begin(&f, SHELL);
    exec_limit_processes(f.ctx, 50);
    if (!test_can_limit_processes()) { // then it is refused
        assert_int_equal(run_sh(&f, "true", 0, 0, &r, &err), -ERR_UNSUPPORTED);
        exec_result_free(&r);
        finish(&f);
        return;
    }
    assert_ok(run_sh(&f, FORKS, 0, 0, &r, &err), &err); // what fits runs
    assert_string_equal(buf_str(&r.out), "all\n");
    exec_result_free(&r);
    for (int round = 0; round < 2; round++) { // also when the numbers of processes have come round
        exec_limit_processes(f.ctx, 20);
        assert_ok(run_sh(&f, round ? "i=0; while [ $i -lt 600 ]; do (:); i=$((i+1)); done; . ./forks.sh" : FORKS, 0, 0,
                         &r, &err),
                  &err);
        assert_null(strstr(buf_str(&r.out), "all"));
        assert_true(r.exit_code != 0);
        assert_false(someone_runs("7103"));
        exec_result_free(&r);
        AUTO_FREE char *forks = path_join(f.workspace, "forks.sh");
        assert_ok(file_write(forks, FORKS, strlen(FORKS), false, &err), &err);
    }
    exec_limit_processes(f.ctx, 1); // the tool itself is one
    assert_ok(run_sh(&f, "echo alone", 0, 0, &r, &err), &err);
    assert_string_equal(buf_str(&r.out), "alone\n");
    exec_result_free(&r);
    finish(&f);
}

static int64_t processes_of(struct fixture *f, const char *script)
{
    struct exec_result r;
    struct err err;
    assert_ok(run_sh(f, script, 0, 0, &r, &err), &err);
    int64_t begun = json_int(json_array_get(exec_receipts(f->ctx), r.receipt), "processes", 0);
    exec_result_free(&r);
    return begun;
}

// A sanitizer may have a thread of its own in the helper: it is in both counts.
static void test_exec_receipt_counts_processes(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, SHELL);
    int64_t alone = processes_of(&f, ":"), more = processes_of(&f, "(:); (:); (:)");
    const json_t *receipt = json_array_get(exec_receipts(f.ctx), json_array_size(exec_receipts(f.ctx)) - 1);
    AUTO_FREE char *text = json_compact(json_obj(receipt, "box"));
    bool counted = strstr(text, "\"processes\"") != NULL; // the layer: a host without namespaces counts nothing
    assert_true(counted ? alone > 0 && more == alone + 3 : alone == 0 && more == 0);
    finish(&f);
}

static void test_exec_timeout_ends_grandchildren(void **state)
{
    (void)state;
    struct fixture f;
    struct exec_result r;
    struct err err;
    begin(&f, SHELL);
    assert_ok(run_sh(&f, "trap '' TERM; sh -c 'sleep 7101 & sleep 7101 & wait' & wait", 300 * NS_PER_MS, 0, &r, &err),
              &err);
    assert_true(r.timed_out);
    assert_int_equal(r.signal, SIGKILL);
    assert_false(someone_runs("7101")); // gone before the call returns
    const json_t *receipt = json_array_get(exec_receipts(f.ctx), r.receipt);
    assert_true(json_flag(receipt, "timed_out", false));
    exec_result_free(&r);
    const char *argv[] = {"sleep", "7102", NULL};
    const struct exec_call call = {.argv = argv, .wall_ns = 100 * NS_PER_MS};
    assert_int_equal(exec_check(f.ctx, &call, &r, &err), -ERR_TIMEOUT);
    exec_result_free(&r);
    finish(&f);
}

static void test_exec_daemons_do_not_outlive_the_call(void **state)
{
    (void)state;
    struct fixture f;
    struct exec_result r;
    struct err err;
    begin(&f, SHELL);
    // A daemon by the book: double fork, own session, streams kept open.
    assert_ok(run_sh(&f,
                     "setsid sh -c 'setsid sleep 7201 & setsid sleep 7201 >/dev/null 2>&1 </dev/null &' ; echo started",
                     0, 0, &r, &err),
              &err);
    assert_int_equal(r.exit_code, 0);
    assert_string_equal(buf_str(&r.out), "started\n");
    assert_false(someone_runs("7201"));
    exec_result_free(&r);
    finish(&f);
}

static void test_exec_output_is_capped_at_both_ends(void **state)
{
    (void)state;
    struct fixture f;
    struct exec_result r;
    struct err err;
    begin(&f, SHELL);
    assert_ok(run_sh(&f, "echo FIRST; i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done; echo LAST", 0,
                     1000, &r, &err),
              &err);
    assert_true(r.out.cut);
    assert_true(r.out.len < 1100);
    assert_true(str_starts(buf_str(&r.out), "FIRST\n"));
    assert_true(str_ends(buf_str(&r.out), "line 1999\nLAST\n"));
    assert_non_null(strstr(buf_str(&r.out), "bytes left out here"));
    const json_t *receipt = json_array_get(exec_receipts(f.ctx), r.receipt);
    assert_int_equal(json_int(json_obj(receipt, "stdout"), "bytes", 0), 6 + 5 + 10 * 7 + 90 * 8 + 900 * 9 + 1000 * 10);
    exec_result_free(&r);
    // Exactly the cap: nothing is left out.
    assert_ok(run_sh(&f, "printf 0123456789", 0, 10, &r, &err), &err);
    assert_string_equal(buf_str(&r.out), "0123456789");
    assert_false(r.out.cut);
    exec_result_free(&r);
    finish(&f);
}

static void count_line(void *user, const char *line)
{
    buf_printf(user, "%s|", line);
}

static void test_exec_files_and_lines(void **state)
{
    (void)state;
    struct fixture f;
    struct exec_result r;
    struct err err;
    begin(&f, SHELL);
    AUTO_FREE char *in = path_join(f.dir, "in");
    AUTO_FREE char *out = path_join(f.dir, "out");
    assert_ok(file_write(in, "input\n", 6, false, &err), &err);
    AUTO_FREE char *script = script_file(&f, "cat; echo a >&2; printf 'b\\rc\\nd' >&2");
    const char *argv[] = {"sh", script, NULL};
    struct buf lines = BUF_INIT;
    const struct exec_call call = {
        .argv = argv, .cwd = f.workspace, .stdin_path = in, .stdout_path = out, .on_line = count_line, .user = &lines};
    assert_ok(exec_check(f.ctx, &call, &r, &err), &err);
    assert_string_equal(buf_str(&lines), "a|b|c|d|");
    assert_int_equal(r.out.len, 0);
    AUTO_FREE char *text = test_read(out);
    assert_string_equal(text, "input\n");
    const json_t *receipt = json_array_get(exec_receipts(f.ctx), r.receipt);
    char hash[65];
    assert_ok(file_hash(out, hash, &err), &err);
    assert_string_equal(json_str(json_obj(receipt, "stdout"), "hash", ""), hash);
    buf_free(&lines);
    exec_result_free(&r);
    finish(&f);
}

static void test_exec_check_tells_the_last_lines(void **state)
{
    (void)state;
    struct fixture f;
    struct exec_result r;
    struct err err;
    begin(&f, SHELL);
    AUTO_FREE char *fails = script_file(&f, "echo reason >&2; exit 9");
    const char *argv[] = {"sh", fails, NULL};
    const struct exec_call call = {.argv = argv};
    assert_int_equal(exec_check(f.ctx, &call, &r, &err), -ERR_TOOL);
    assert_non_null(strstr(err.text, "status 9: reason"));
    exec_result_free(&r);
    AUTO_FREE char *kills = script_file(&f, "kill -SEGV $$");
    const char *killed[] = {"sh", kills, NULL};
    const struct exec_call second = {.argv = killed};
    assert_int_equal(exec_check(f.ctx, &second, &r, &err), -ERR_TOOL);
    assert_int_equal(r.signal, SIGSEGV);
    assert_int_equal(r.exit_code, -1);
    exec_result_free(&r);
    const char *nowhere[] = {"sleep", "1", NULL};
    AUTO_FREE char *missing = path_join(f.workspace, "missing");
    AUTO_FREE char *kept = path_join(f.dir, "kept"), *fresh = path_join(f.dir, "fresh");
    assert_ok(file_write(kept, "text\n", 5, false, &err), &err);
    const struct exec_call third = {.argv = nowhere, .cwd = missing, .stdout_path = kept, .stderr_path = fresh};
    assert_int_equal(exec_run(f.ctx, &third, &r, &err), -ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "missing' does not exist"));
    AUTO_FREE char *text = test_read(kept);
    assert_string_equal(text, "text\n"); // no place to run in: nothing is truncated or made
    assert_false(file_exists(fresh));
    exec_result_free(&r);
    finish(&f);
}

static void *cancel_when_running(void *user)
{
    wait_until_there("7301");
    exec_cancel(user);
    return NULL;
}

static void test_exec_cancel_from_another_thread(void **state)
{
    (void)state;
    struct fixture f;
    struct exec_result r;
    struct err err;
    begin(&f, SHELL);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, cancel_when_running, f.ctx), 0);
    assert_int_equal(run_sh(&f, "sleep 7301 & sleep 7301", 0, 0, &r, &err), -ERR_CANCELLED);
    pthread_join(thread, NULL);
    exec_result_free(&r);
    assert_false(someone_runs("7301"));
    assert_int_equal(run_sh(&f, "true", 0, 0, &r, &err), -ERR_CANCELLED);
    exec_result_free(&r);
    finish(&f);
}

// A worker that is killed with kill -9 while a tool and its daemon run.
static void test_exec_nothing_outlives_a_killed_worker(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, SHELL);
    pid_t pid = fork();
    if (pid == 0) {
        struct exec_result r;
        struct err err;
        prctl(PR_SET_PDEATHSIG, SIGKILL); // when the test fails
        run_sh(&f, "setsid setsid sleep 7401 & sleep 7401", 0, 0, &r, &err);
        _exit(0);
    }
    wait_until_there("7401");
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    wait_until_gone("7401");
    finish(&f);
}

// --- folders that somebody has prepared ---

static char *layers_of(const struct fixture *f, const struct exec_result *r)
{
    const json_t *box = json_obj(json_array_get(exec_receipts(f->ctx), r->receipt), "box");
    return json_dumps(json_object_get(box, "layers"), JSON_COMPACT);
}

// A repository with links where files that steer tools are looked for gets the same box as one without, and keeps them.
static void test_exec_links_do_not_weaken_the_box(void **state)
{
    (void)state;
    struct fixture f;
    struct exec_result r;
    struct err err;
    begin(&f, SHELL);
    AUTO_FREE char *src = path_join(f.workspace, "src");
    AUTO_FREE char *cargo = path_join(f.workspace, ".cargo");
    AUTO_FREE char *notes = path_join(f.workspace, "AGENTS.md");
    AUTO_FREE char *planted = path_join(src, "config.toml");
    assert_ok(file_make_dirs(src, &err), &err);
    assert_int_equal(symlink("src", cargo), 0);
    assert_int_equal(symlink("notes", notes), 0);
    assert_ok(run_sh(&f, "echo x > .cargo/config.toml", 0, 0, &r, &err), &err);
    char *with = layers_of(&f, &r);
    exec_result_free(&r);
    assert_false(file_exists(planted));
    assert_ok(run_sh(&f, "rm .cargo AGENTS.md; mkdir .cargo; echo x > .cargo/config.toml; echo x > AGENTS.md", 0, 0, &r,
                     &err),
              &err);
    exec_result_free(&r);
    char now[100] = {0};
    assert_int_equal(readlink(cargo, now, sizeof(now) - 1), 3);
    assert_string_equal(now, "src");
    assert_int_equal(readlink(notes, now, sizeof(now) - 1), 5);
    assert_int_equal(unlink(cargo) + unlink(notes), 0);
    assert_ok(run_sh(&f, "true", 0, 0, &r, &err), &err);
    char *without = layers_of(&f, &r);
    exec_result_free(&r);
    assert_string_equal(with, without);
    free(with);
    free(without);
    finish(&f);
}

// What cannot be shown is no reason to show more.
static void test_exec_refuses_what_the_box_cannot_show(void **state)
{
    (void)state;
    struct fixture f;
    struct exec_result r;
    struct err err;
    begin(&f, SHELL);
    assert_ok(run_sh(&f, "true", 0, 0, &r, &err), &err);
    char *layers = layers_of(&f, &r);
    bool shown = strstr(layers, "files") != NULL;
    free(layers);
    exec_result_free(&r);
    if (shown) {
        AUTO_FREE char *git = path_join(f.workspace, ".git");
        AUTO_FREE char *hooks = path_join(git, "hooks");
        assert_ok(file_make_dirs(git, &err), &err);
        assert_int_equal(symlink("..", hooks), 0);
        assert_int_equal(run_sh(&f, "true", 0, 0, &r, &err), -ERR_DENIED);
        assert_non_null(strstr(err.text, "its box cannot be made"));
        exec_result_free(&r);
    }
    finish(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exec_output_exit_and_receipt),
        cmocka_unit_test(test_exec_denied_call_leaves_a_receipt),
        cmocka_unit_test(test_exec_missing_program),
        cmocka_unit_test(test_exec_environment_is_constructed),
        cmocka_unit_test(test_exec_limits_are_set_and_descriptors_closed),
        cmocka_unit_test(test_exec_wall_of_processes),
        cmocka_unit_test(test_exec_receipt_counts_processes),
        cmocka_unit_test(test_exec_timeout_ends_grandchildren),
        cmocka_unit_test(test_exec_daemons_do_not_outlive_the_call),
        cmocka_unit_test(test_exec_output_is_capped_at_both_ends),
        cmocka_unit_test(test_exec_files_and_lines),
        cmocka_unit_test(test_exec_check_tells_the_last_lines),
        cmocka_unit_test(test_exec_cancel_from_another_thread),
        cmocka_unit_test(test_exec_nothing_outlives_a_killed_worker),
        cmocka_unit_test(test_exec_links_do_not_weaken_the_box),
        cmocka_unit_test(test_exec_refuses_what_the_box_cannot_show),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
