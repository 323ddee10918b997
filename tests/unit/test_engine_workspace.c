// orchestrator/engine/workspace: checkouts of a run, with the real git.
#include "support/support.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "loop/loop.h"
#include "run/workspace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct place {
    char *root, *project, *run_dir;
    struct loop *loop;
    struct workspace *w;
    const struct workspace_facts *facts;
    struct err err;
    bool failed;
};

static void shell(const char *dir, const char *command)
{
    AUTO_FREE char *line =
        str_printf("cd '%s' && export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=t GIT_AUTHOR_EMAIL=t@t "
                   "GIT_COMMITTER_NAME=t GIT_COMMITTER_EMAIL=t@t && { %s; } >/dev/null 2>&1",
                   dir, command);
    if (system(line) != 0) // NOLINT: a test's own text
        fail_msg("%s", line);
}

static int set_up(void **state)
{
    struct place *p = mem_alloc(sizeof(*p));
    struct err err;
    p->root = test_temp_dir();
    p->project = path_join(p->root, "project");
    p->run_dir = path_join(p->root, "run");
    assert_ok(file_make_dirs(p->project, &err), &err);
    assert_ok(file_make_dirs(p->run_dir, &err), &err);
    assert_ok(loop_new(&p->loop, &err), &err);
    shell(p->project, "mkdir -p crates/x && echo one >crates/x/a && echo top >top");
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct place *p = *state;
    workspace_free(p->w);
    loop_free(p->loop);
    test_remove(p->root);
    mem_free(p->project);
    mem_free(p->run_dir);
    mem_free(p);
    return 0;
}

static void on_done(void *user, const struct workspace_facts *facts, const struct err *err)
{
    struct place *p = user;
    p->facts = facts;
    p->failed = err != NULL;
    if (err)
        p->err = *err;
    loop_stop(p->loop);
}

static void prepare(struct place *p, const char *project, const char *base)
{
    workspace_free(p->w);
    p->w = workspace_prepare(p->loop, "relay-abc", p->run_dir, project, base, on_done, p);
    loop_run(p->loop);
    if (p->failed)
        fail_msg("%s", p->err.text);
}

static void remove_checkouts(struct place *p, bool keep)
{
    workspace_remove(p->w, keep, on_done, p);
    loop_run(p->loop);
    assert_false(p->failed);
}

static char *content(const char *dir, const char *name)
{
    AUTO_FREE char *path = path_join(dir, name);
    return file_exists(path) ? test_read(path) : NULL;
}

static void assert_content(const char *dir, const char *name, const char *expected)
{
    AUTO_FREE char *text = content(dir, name);
    assert_non_null(text);
    assert_string_equal(text, expected);
}

static void test_checkouts_of_a_subdirectory(void **state)
{
    struct place *p = *state;
    shell(p->project, "git init -q -b main && git add -A && git commit -qm one && cp .git/index ../index");
    AUTO_FREE char *member = path_join(p->project, "crates/x");
    prepare(p, member, NULL);
    assert_string_equal(p->facts->prefix, "crates/x");
    assert_string_equal(p->facts->branch, "baton/relay-abc");
    assert_string_equal(p->facts->repository, p->project);
    assert_int_equal(strlen(p->facts->base), 40);
    assert_false(p->facts->own_copy);
    assert_false(p->facts->dirty);
    assert_content(p->run_dir, "base/crates/x/a", "one\n");
    assert_content(p->run_dir, "work/crates/x/a", "one\n");
    shell(p->project, "cmp .git/index ../index && test \"$(git rev-parse --abbrev-ref HEAD)\" = main");
    shell(p->run_dir, "test \"$(git -C work rev-parse --abbrev-ref HEAD)\" = baton/relay-abc");
    remove_checkouts(p, true);
    shell(p->project, "test $(git worktree list | wc -l) = 1 && ! git rev-parse -q --verify baton/relay-abc");
    shell(p->run_dir, "! test -e base && ! test -e work");
}

static void test_branch_with_commits_is_kept_when_wanted(void **state)
{
    struct place *p = *state;
    shell(p->project, "git init -q -b main && git add -A && git commit -qm one");
    prepare(p, p->project, NULL);
    shell(p->run_dir, "cd work && echo two >top && git commit -qam two");
    remove_checkouts(p, true);
    shell(p->project, "test \"$(git log --format=%s -1 baton/relay-abc)\" = two");
    prepare(p, p->project, NULL);
    remove_checkouts(p, false);
    shell(p->project, "! git rev-parse -q --verify baton/relay-abc");
}

static void test_resumed_with_the_base_it_began_with(void **state)
{
    struct place *p = *state;
    shell(p->project, "git init -q -b main && git add -A && git commit -qm one");
    prepare(p, p->project, NULL);
    AUTO_FREE char *base = str_dup(p->facts->base);
    shell(p->run_dir, "cd work && echo two >top && git commit -qam two");
    shell(p->project, "echo later >top && git commit -qam later");
    prepare(p, p->project, base);
    assert_string_equal(p->facts->base, base);
    assert_content(p->run_dir, "base/top", "top\n");
    assert_content(p->run_dir, "work/top", "two\n");
}

static void test_half_made_checkouts_are_completed(void **state)
{
    struct place *p = *state;
    shell(p->project, "git init -q -b main && git add -A && git commit -qm one");
    prepare(p, p->project, NULL);
    AUTO_FREE char *base = str_dup(p->facts->base);
    shell(p->run_dir, "cd work && echo two >top && git commit -qam two");
    shell(p->run_dir,
          "rm base/top work/top && touch \"$(git -C base rev-parse --path-format=absolute --git-path index.lock)\"");
    prepare(p, p->project, base);
    assert_content(p->run_dir, "base/top", "top\n");
    assert_content(p->run_dir, "work/top", "two\n");
    shell(p->run_dir, "rm -rf base work"); // gone altogether: made again, commits stay
    prepare(p, p->project, base);
    assert_content(p->run_dir, "base/top", "top\n");
    assert_content(p->run_dir, "work/top", "two\n");
}

// A checkout whose .git leads to other settings is not entered by git: it is made again.
static void test_checkout_that_leads_elsewhere_starts_nothing(void **state)
{
    struct place *p = *state;
    shell(p->project, "git init -q -b main && git add -A && git commit -qm one");
    prepare(p, p->project, NULL);
    AUTO_FREE char *base = str_dup(p->facts->base);
    shell(p->run_dir, "cd work && echo two >top && git commit -qam two");
    shell(p->root, "cp -r project evil && cd evil && echo '* filter=evil' >.git/info/attributes && "
                   "git config filter.evil.smudge \"sh -c 'touch $PWD/../started; cat'\" && "
                   "git config filter.evil.clean \"sh -c 'touch $PWD/../started; cat'\"");
    shell(p->root, "cd evil && rm top && git checkout -q -f top; test -e ../started && rm ../started"); // it would
    shell(p->run_dir, "rm work/top base/top && for i in work base; do rm $i/.git; "
                      "echo \"gitdir: $PWD/../evil/.git\" >$i/.git; done");
    prepare(p, p->project, base);
    shell(p->root, "! test -e started");
    assert_content(p->run_dir, "base/top", "top\n");
    assert_content(p->run_dir, "work/top", "two\n");
    remove_checkouts(p, true);
    shell(p->root, "! test -e started");
}

static void test_project_without_repository_is_copied(void **state)
{
    struct place *p = *state;
    shell(p->project,
          "mkdir -p target crates/x/target src/target && echo big >target/x && echo big >crates/x/target/y && "
          "touch crates/x/target/CACHEDIR.TAG && echo code >src/target/mod.rs && echo target >.gitignore && "
          "echo '!src/target' >>.gitignore");
    prepare(p, p->project, NULL);
    assert_true(p->facts->own_copy);
    assert_string_equal(p->facts->prefix, "");
    assert_content(p->run_dir, "base/crates/x/a", "one\n");
    assert_content(p->run_dir, "base/src/target/mod.rs", "code\n"); // a module may have that name
    shell(p->run_dir, "! test -e base/target && ! test -e base/crates/x/target");
    shell(p->project, "! test -e .git");
    AUTO_FREE char *base = str_dup(p->facts->base);
    shell(p->project, "echo later >top"); // the copy is made once
    prepare(p, p->project, base);
    assert_content(p->run_dir, "base/top", "top\n");
    remove_checkouts(p, true);
}

static void test_untracked_lock_file_comes_along(void **state)
{
    struct place *p = *state;
    shell(
        p->project,
        "echo Cargo.lock >.gitignore && git init -q -b main && git add -A && git commit -qm one && echo l >Cargo.lock");
    prepare(p, p->project, NULL);
    assert_content(p->run_dir, "base/Cargo.lock", "l\n");
    assert_content(p->run_dir, "work/Cargo.lock", "l\n");
}

static void test_dirty_tree_is_seen_and_left(void **state)
{
    struct place *p = *state;
    shell(p->project, "git init -q -b main && git add -A && git commit -qm one && echo mine >top");
    prepare(p, p->project, NULL);
    assert_true(p->facts->dirty);
    assert_content(p->run_dir, "base/top", "top\n");
    assert_content(p->project, "top", "mine\n");
}

static void test_failure_says_what_git_said(void **state)
{
    struct place *p = *state;
    shell(p->project, "git init -q -b main && git add -A && git commit -qm one");
    p->w = workspace_prepare(p->loop, "relay-abc", p->run_dir, p->project, "0123456789012345678901234567890123456789",
                             on_done, p);
    loop_run(p->loop);
    assert_true(p->failed);
    assert_int_equal(p->err.code, ERR_TOOL);
    assert_non_null(strstr(p->err.text, "cannot check out the base commit"));
    remove_checkouts(p, false);
    shell(p->project, "test $(git worktree list | wc -l) = 1");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_checkouts_of_a_subdirectory),
        T(test_branch_with_commits_is_kept_when_wanted),
        T(test_resumed_with_the_base_it_began_with),
        T(test_half_made_checkouts_are_completed),
        T(test_checkout_that_leads_elsewhere_starts_nothing),
        T(test_project_without_repository_is_copied),
        T(test_untracked_lock_file_comes_along),
        T(test_dirty_tree_is_seen_and_left),
        T(test_failure_says_what_git_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
