// agents/sandbox: checkouts that are not the worker's to change. A call may write there, sees what it wrote, and
// nothing of it remains: not for the next call, not for the next stage, not on the host.
#include "support/support.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "policy/policy.h"
#include "sandbox/exec.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// Exit status 0 only when all of it was possible.
static const char CHANGE[] =
    "set -e\n"
    "echo changed > mine/changed\n"
    "cd theirs\n"
    "echo more >> changed\n"
    "rm removed\n"
    "mv moved away\n"
    "mkdir -p folder/made && echo made > folder/made/file\n"
    "ln -s /etc planted\n"
    "chmod 700 mode\n"
    "touch -d @1 time\n"
    "test \"$(cat changed)\" = 'original\nmore' && test -e away && test ! -e removed && test -e folder/made/file\n";
// What a later call sees: names, and of files the mode, the time and the content.
static const char LOOK[] = "cd theirs && find . -printf '%p %y\\n' | sort && stat -c '%n %a %Y' changed removed moved "
                           "mode time folder/file && cat "
                           "changed removed moved folder/file\n";
// Each of these alone must fail where nothing may be written.
static const char ANY[] =
    "cd theirs; for c in 'eval echo more >> changed' 'rm removed' 'mv moved away' 'mkdir made' 'chmod "
    "700 mode'; do $c 2>/dev/null && echo \"$c\"; done; true\n";

struct fixture {
    char *dir, *mine, *theirs;
    struct policy *policy;
    struct exec_context *ctx;
};

static void open_stage(struct fixture *f)
{
    struct err err;
    AUTO_FREE char *home = path_join(f->dir, "home");
    const char *readonly[] = {f->theirs, NULL}, *writable[] = {f->mine, NULL};
    const struct exec_places places = {.workspace = f->dir, .home = home, .readonly = readonly, .writable = writable};
    exec_context_free(f->ctx);
    assert_ok(exec_context_new(f->policy, &places, &f->ctx, &err), &err);
}

static void begin(struct fixture *f)
{
    static const char *const FILES[] = {"changed", "removed", "moved", "mode", "time", "folder/file"};
    struct err err;
    char *made = test_temp_dir();
    f->dir = path_real(made, &err);
    mem_free(made);
    f->mine = path_join(f->dir, "mine");
    f->theirs = path_join(f->dir, "theirs");
    f->ctx = NULL;
    AUTO_FREE char *folder = path_join(f->theirs, "folder");
    assert_ok(file_make_dirs(f->mine, &err), &err);
    assert_ok(file_make_dirs(folder, &err), &err);
    for (size_t i = 0; i < ARRAY_LEN(FILES); i++) {
        AUTO_FREE char *path = path_join(f->theirs, FILES[i]);
        assert_ok(file_write(path, "original\n", 9, false, &err), &err);
    }
    f->policy = policy_new("test-agent");
    assert_ok(policy_allow(f->policy, "Bash(sh *)", "agent.md", 5, &err), &err);
    open_stage(f);
}

static void finish(struct fixture *f)
{
    exec_context_free(f->ctx);
    policy_free(f->policy);
    mem_free(f->mine);
    mem_free(f->theirs);
    test_remove(f->dir);
}

// What the script printed; `ret_viewed`: whether the call had a view of files of its own.
static char *call(struct fixture *f, const char *script, int *ret_code, bool *ret_viewed)
{
    struct err err;
    const char *argv[] = {"sh", "-c", script, NULL};
    const struct exec_call what = {.argv = argv, .cwd = f->dir};
    struct exec_result result;
    assert_ok(exec_run(f->ctx, &what, &result, &err), &err);
    char *out = str_dup(buf_str(&result.out));
    if (result.exit_code != 0)
        print_message("exit status %d: %s\n", result.exit_code, buf_str(&result.err));
    if (ret_code)
        *ret_code = result.exit_code;
    const json_t *layers =
        json_list(json_object_get(json_array_get(exec_receipts(f->ctx), result.receipt), "box"), "layers");
    for (size_t i = 0; ret_viewed && i < json_array_size(layers); i++)
        *ret_viewed = *ret_viewed || str_eq(json_string_value(json_array_get(layers, i)), "files");
    exec_result_free(&result);
    return out;
}

static char *seen(struct fixture *f)
{
    int code = -1;
    char *text = call(f, LOOK, &code, NULL);
    assert_int_equal(code, 0);
    assert_non_null(strstr(text, "./folder/file f\n"));
    return text;
}

// The same by a shell of the host.
static char *seen_by_the_host(struct fixture *f)
{
    AUTO_FREE char *script = str_printf("cd '%s' && %s", f->dir, LOOK);
    char *text = mem_array(1 << 16, 1);
    FILE *pipe = popen(script, "r");
    assert_non_null(pipe);
    text[fread(text, 1, (1 << 16) - 1, pipe)] = '\0';
    assert_int_equal(pclose(pipe), 0);
    return text;
}

static void test_checkouts_of_others_forget_a_call(void **state)
{
    (void)state;
    struct fixture f;
    bool viewed = false;
    int code = -1;
    begin(&f);
    AUTO_FREE char *host = seen_by_the_host(&f), *before = seen(&f);
    assert_string_equal(before, host);
    AUTO_FREE char *any = call(&f, "true", NULL, &viewed);
    assert_string_equal(any, "");
    if (viewed) {
        AUTO_FREE char *nothing = call(&f, CHANGE, &code, NULL);
        assert_string_equal(nothing, "");
        assert_int_equal(code, 0); // ordinary work that writes beside its sources goes on
        AUTO_FREE char *kept = path_join(f.mine, "changed"), *text = test_read(kept);
        assert_string_equal(text, "changed\n"); // and what is the worker's stays
    } else {                                    // a host without namespaces: then nobody writes there at all
        AUTO_FREE char *done = call(&f, ANY, NULL, NULL);
        assert_string_equal(done, "");
    }
    AUTO_FREE char *next = seen(&f);
    assert_string_equal(next, before);
    open_stage(&f);
    AUTO_FREE char *later = seen(&f), *after = seen_by_the_host(&f);
    assert_string_equal(later, before);
    assert_string_equal(after, host);
    finish(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_checkouts_of_others_forget_a_call)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
