// agents/change: candidates laid over a base in any combination, and the branch they become.
#include "support/support.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "change/branch.h"
#include "change/change.h"
#include "policy/policy.h"
#include "policy/policy_cases.h"
#include "sandbox/exec.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct place {
    char *root, *base, *work;
    struct policy *policy;
    struct exec_context *exec;
    struct files *base_files, *work_files;
};

static void write_text(const char *dir, const char *name, const char *text)
{
    AUTO_FREE char *path = path_join(dir, name);
    AUTO_FREE char *folder = path_dir(path);
    struct err err;
    assert_ok(file_make_dirs(folder, &err), &err);
    assert_ok(file_write(path, text, strlen(text), false, &err), &err);
}

static void assert_text(const char *dir, const char *name, const char *expected)
{
    AUTO_FREE char *path = path_join(dir, name);
    if (!expected) {
        assert_false(file_exists(path));
        return;
    }
    AUTO_FREE char *text = test_read(path);
    assert_string_equal(text, expected);
}

static int set_up(void **state)
{
    struct place *p = mem_alloc(sizeof(*p));
    p->root = test_temp_dir();
    p->base = path_join(p->root, "base");
    p->work = path_join(p->root, "work");
    const char *const dirs[] = {p->base, p->work};
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
        write_text(dirs[i], "src/lib.rs", "0123456789");
        write_text(dirs[i], "Cargo.toml",
                   "[package]\nname = \"x\" # stays\n\n[profile.release]\nopt-level = 1 # why\n");
    }
    struct err err;
    const struct exec_places places = {.workspace = p->work, .home = p->root};
    assert_ok(policy_from_list_new("test", "Edit", "test", &p->policy, &err), &err);
    assert_ok(exec_context_new(p->policy, &places, &p->exec, &err), &err);
    assert_ok(files_open(p->exec, p->base, &p->base_files, &err), &err);
    assert_ok(files_open(p->exec, p->work, &p->work_files, &err), &err);
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct place *p = *state;
    files_free(p->base_files);
    files_free(p->work_files);
    exec_context_free(p->exec);
    policy_free(p->policy);
    test_remove(p->root);
    mem_free(p->base);
    mem_free(p->work);
    mem_free(p);
    return 0;
}

static json_t *edit(const char *id, const char *file, int start, int end, const char *text)
{
    return json_pack("{s:s, s:s, s:[{s:s, s:i, s:i, s:s}]}", "id", id, "title", id, "edits", "file", file, "byte_start",
                     start, "byte_end", end, "text", text);
}

static json_t *set(const char *id, const char *file, const char *key, const char *value)
{
    return json_pack("{s:s, s:s, s:[{s:s, s:[s, s, s], s:s}]}", "id", id, "title", id, "set", "file", file, "path",
                     "profile", "release", key, "value", value);
}

static json_t *list(json_t *a, json_t *b)
{
    json_t *v = json_array();
    json_array_append_new(v, a);
    if (b)
        json_array_append_new(v, b);
    return v;
}

static void test_edits_refer_to_the_base(void **state)
{
    const struct place *p = *state;
    struct err err;
    json_t *files = NULL;
    AUTO_JSON json_t *forth = list(edit("A", "src/lib.rs", 2, 4, "longer"), edit("B", "src/lib.rs", 6, 6, "|"));
    AUTO_JSON json_t *back = list(edit("B", "src/lib.rs", 6, 6, "|"), edit("A", "src/lib.rs", 2, 4, "longer"));
    assert_ok(change_render(p->base_files, forth, &files, &err), &err);
    assert_string_equal(json_str(files, "src/lib.rs", ""), "01longer45|6789");
    json_decref(files);
    assert_ok(change_render(p->base_files, back, &files, &err), &err);
    assert_string_equal(json_str(files, "src/lib.rs", ""), "01longer45|6789");
    json_decref(files);
}

static void test_overlap_names_both(void **state)
{
    const struct place *p = *state;
    struct err err;
    json_t *files = NULL;
    AUTO_JSON json_t *both = list(edit("C7", "src/lib.rs", 2, 5, "x"), edit("C8", "src/lib.rs", 4, 6, "y"));
    assert_int_equal(change_render(p->base_files, both, &files, &err), -ERR_CONFLICT);
    assert_non_null(strstr(err.text, "C7"));
    assert_non_null(strstr(err.text, "C8"));
    AUTO_JSON json_t *touching = list(edit("C7", "src/lib.rs", 2, 4, "x"), edit("C8", "src/lib.rs", 4, 6, "y"));
    assert_ok(change_render(p->base_files, touching, &files, &err), &err);
    assert_string_equal(json_str(files, "src/lib.rs", ""), "01xy6789");
    json_decref(files);
}

static void test_outside_the_file(void **state)
{
    const struct place *p = *state;
    struct err err;
    json_t *files = NULL;
    AUTO_JSON json_t *far_ = list(edit("C1", "src/lib.rs", 5, 11, "x"), NULL);
    assert_int_equal(change_render(p->base_files, far_, &files, &err), -ERR_INVALID);
    AUTO_JSON json_t *missing = list(edit("C1", "src/no.rs", 0, 0, "x"), NULL);
    assert_int_equal(change_render(p->base_files, missing, &files, &err), -ERR_NOT_FOUND);
    write_text(p->base, "u.rs", "\xC3\xA4");
    AUTO_JSON json_t *cut = list(edit("C1", "u.rs", 1, 2, ""), NULL);
    assert_int_equal(change_render(p->base_files, cut, &files, &err), -ERR_INVALID);
    write_text(p->base, "l.rs", "\xFF");
    AUTO_JSON json_t *latin = list(edit("C1", "l.rs", 0, 0, "x"), NULL);
    assert_int_equal(change_render(p->base_files, latin, &files, &err), -ERR_INVALID);
}

static void test_shape_is_checked(void **state)
{
    (void)state;
    static const char *const BAD[] = {
        "{}",
        "{\"id\": \"C1\"}",
        "{\"id\": \"C1\", \"title\": \"t\"}",
        "{\"id\": \"C1\", \"title\": \"t\", \"edits\": []}",
        "{\"id\": \"C1\", \"title\": \"t\", \"edits\": [{\"file\": \"/etc/passwd\", \"byte_start\": 0, \"byte_end\": "
        "0, \"text\": \"\"}]}",
        "{\"id\": \"C1\", \"title\": \"t\", \"edits\": [{\"file\": \"../x\", \"byte_start\": 0, \"byte_end\": 0, "
        "\"text\": \"\"}]}",
        "{\"id\": \"C1\", \"title\": \"t\", \"edits\": [{\"file\": \".git/hooks/x\", \"byte_start\": 0, \"byte_end\": "
        "0, \"text\": \"\"}]}",
        "{\"id\": \"C1\", \"title\": \"t\", \"edits\": [{\"file\": \"a//b\", \"byte_start\": 0, \"byte_end\": 0, "
        "\"text\": \"\"}]}",
        "{\"id\": \"C1\", \"title\": \"t\", \"edits\": [{\"file\": \"a\", \"byte_start\": 4, \"byte_end\": 2, "
        "\"text\": \"\"}]}",
        "{\"id\": \"C1\", \"title\": \"t\", \"edits\": [{\"file\": \"a\", \"byte_start\": -1, \"byte_end\": 2, "
        "\"text\": \"\"}]}",
        "{\"id\": \"C1\", \"title\": \"t\", \"set\": [{\"file\": \"a\", \"path\": [], \"value\": \"1\"}]}",
        "{\"id\": \"C1\", \"title\": \"t\", \"set\": [{\"file\": \"a\", \"path\": [1], \"value\": \"1\"}]}",
        "{\"id\": \"C1\", \"title\": \"t\", \"set\": [{\"file\": \"a\", \"path\": [\"x\"]}]}",
    };
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
        struct err err;
        AUTO_JSON json_t *c = json_parse_new(BAD[i], strlen(BAD[i]), "test", &err);
        assert_non_null(c);
        if (change_check(c, &err) != -ERR_INVALID)
            fail_msg("accepted: %s", BAD[i]);
    }
}

static void test_toml_values_keep_what_stands_around(void **state)
{
    const struct place *p = *state;
    struct err err;
    json_t *files = NULL;
    AUTO_JSON json_t *two = list(set("C1", "Cargo.toml", "opt-level", "3"), set("C2", "Cargo.toml", "lto", "\"thin\""));
    assert_ok(change_render(p->base_files, two, &files, &err), &err);
    const char *text = json_str(files, "Cargo.toml", "");
    assert_non_null(strstr(text, "name = \"x\" # stays\n"));
    assert_non_null(strstr(text, "opt-level = 3 # why\n"));
    assert_non_null(strstr(text, "lto = \"thin\""));
    json_decref(files);
    AUTO_JSON json_t *fresh = list(set("C1", "new/config.toml", "x", "1"), NULL); // a TOML file may be missing
    assert_ok(change_render(p->base_files, fresh, &files, &err), &err);
    assert_non_null(strstr(json_str(files, "new/config.toml", ""), "x = 1"));
    json_decref(files);
    AUTO_JSON json_t *bad = list(set("C1", "Cargo.toml", "x", "= ="), NULL);
    assert_true(change_render(p->base_files, bad, &files, &err) < 0);
    assert_non_null(strstr(err.text, "C1"));
}

static void test_lay_brings_files_back(void **state)
{
    const struct place *p = *state;
    struct err err;
    AUTO_JSON json_t *touched = json_object();
    AUTO_JSON json_t *first = list(edit("A", "src/lib.rs", 0, 1, "X"), set("B", "new/config.toml", "k", "1"));
    AUTO_JSON json_t *second = list(set("C", "Cargo.toml", "opt-level", "3"), NULL);
    AUTO_JSON json_t *nothing = json_array();
    assert_ok(change_lay(p->base_files, p->work_files, first, touched, &err), &err);
    assert_text(p->work, "src/lib.rs", "X123456789");
    assert_ok(change_lay(p->base_files, p->work_files, second, touched, &err), &err);
    assert_text(p->work, "src/lib.rs", "0123456789");
    assert_text(p->work, "new/config.toml", NULL);
    AUTO_JSON json_t *bad = list(edit("A", "src/lib.rs", 0, 1, "X"), edit("B", "src/lib.rs", 0, 2, "Y"));
    assert_int_equal(change_lay(p->base_files, p->work_files, bad, touched, &err), -ERR_CONFLICT);
    assert_text(p->work, "src/lib.rs", "0123456789"); // a refused set changes nothing
    assert_ok(change_lay(p->base_files, p->work_files, nothing, touched, &err), &err);
    AUTO_FREE char *path = path_join(p->base, "Cargo.toml");
    AUTO_FREE char *manifest = test_read(path);
    assert_text(p->work, "Cargo.toml", manifest);
    assert_text(p->base, "src/lib.rs", "0123456789");
}

static json_t *config(const char *id, const char *table, const char *middle, const char *key, const char *value)
{
    json_t *path = middle ? json_pack("[s, s, s]", table, middle, key) : json_pack("[s, s]", table, key);
    return json_pack("{s:s, s:s, s:[{s:s, s:o, s:s}]}", "id", id, "title", id, "set", "file", ".cargo/config.toml",
                     "path", path, "value", value);
}

// It steers cargo: what is measured can be set there, and nothing that names a program.
static void test_only_measured_settings_reach_the_configuration(void **state)
{
    const struct place *p = *state;
    struct err err;
    AUTO_JSON json_t *touched = json_object();
    AUTO_JSON json_t *nothing = json_array();
    AUTO_JSON json_t *good = list(config("C1", "build", NULL, "rustc-wrapper", CHANGE_WRAPPER),
                                  config("C2", "target", "x86_64-unknown-linux-gnu", "rustflags", CHANGE_LINKER));
    assert_ok(change_lay(p->base_files, p->work_files, good, touched, &err), &err);
    AUTO_FREE char *path = path_join(p->work, ".cargo/config.toml");
    AUTO_FREE char *text = test_read(path);
    assert_non_null(strstr(text, "rustc-wrapper = \"sccache\""));
    assert_non_null(strstr(text, "link-arg=-fuse-ld=mold"));
    assert_ok(change_lay(p->base_files, p->work_files, nothing, touched, &err), &err);
    assert_text(p->work, ".cargo/config.toml", NULL);
    json_t *const bad[] = {list(config("C1", "build", NULL, "rustc-wrapper", "\"./evil\""), NULL),
                           list(config("C1", "build", NULL, "rustc", "\"sccache\""), NULL),
                           list(config("C1", "target", "x", "linker", "\"./evil\""), NULL),
                           list(config("C1", "target", "x", "runner", CHANGE_LINKER), NULL),
                           list(config("C1", "target", "x", "rustflags", "[\"-Clinker=./evil\"]"), NULL),
                           list(edit("C1", ".cargo/config.toml", 0, 0, "x"), NULL)};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(change_lay(p->base_files, p->work_files, bad[i], touched, &err), -ERR_DENIED);
        assert_text(p->work, ".cargo/config.toml", NULL);
        json_decref(bad[i]);
    }
}

static void test_rules_of_files_bind(void **state)
{
    const struct place *p = *state;
    struct err err;
    struct policy *policy = NULL;
    struct exec_context *exec = NULL;
    struct files *base = NULL, *work = NULL;
    const struct exec_places places = {.workspace = p->work, .home = p->root};
    assert_ok(policy_from_list_new("narrow", "Read, Edit(src/**)", "agent.md", &policy, &err), &err);
    assert_ok(exec_context_new(policy, &places, &exec, &err), &err);
    assert_ok(files_open(exec, p->base, &base, &err), &err);
    assert_ok(files_open(exec, p->work, &work, &err), &err);
    AUTO_JSON json_t *touched = json_object();
    AUTO_JSON json_t *sources = list(edit("A", "src/lib.rs", 0, 1, "X"), NULL);
    AUTO_JSON json_t *both = list(edit("A", "src/lib.rs", 0, 1, "X"), set("C", "Cargo.toml", "opt-level", "3"));
    AUTO_JSON json_t *nothing = json_array();
    assert_ok(change_lay(base, work, sources, touched, &err), &err);
    assert_int_equal(change_lay(base, work, both, touched, &err), -ERR_DENIED);
    assert_non_null(strstr(err.text, "Edit(/Cargo.toml)"));
    assert_ok(change_lay(base, work, nothing, touched, &err), &err); // and all can be brought back
    assert_text(p->work, "src/lib.rs", "0123456789");
    // what leads out of the checkout is not followed
    AUTO_FREE char *src = path_join(p->work, "src"), *away = path_join(p->root, "away");
    assert_ok(file_make_dirs(away, &err), &err);
    write_text(away, "lib.rs", "somebody else's");
    assert_ok(file_remove_tree(src, &err), &err);
    assert_int_equal(symlink(away, src), 0);
    assert_int_equal(change_lay(base, work, sources, touched, &err), -ERR_DENIED);
    assert_text(away, "lib.rs", "somebody else's");
    files_free(base);
    files_free(work);
    exec_context_free(exec);
    policy_free(policy);
}

static void test_files_are_named_once(void **state)
{
    (void)state;
    struct err err;
    static const char TEXT[] =
        "{\"set\": [{\"file\": \"a\"}], \"edits\": [{\"file\": \"b\"}, {\"file\": \"a\"}, {\"file\": \"b\"}]}";
    AUTO_JSON json_t *c = json_parse_new(TEXT, strlen(TEXT), "test", &err);
    AUTO_JSON json_t *files = change_files(c);
    AUTO_FREE char *text = json_compact(files);
    assert_string_equal(text, "[\"a\",\"b\"]");
}

// --- the branch, with the real git under a policy ---

struct repo {
    struct place *place;
    struct policy *policy;
    struct exec_context *exec;
    char *base_commit;
};

static void shell(const char *dir, const char *command)
{
    AUTO_FREE char *line = str_printf("cd '%s' && { %s; } >/dev/null 2>&1", dir, command);
    if (system(line) != 0) // NOLINT: a test's own text
        fail_msg("%s", line);
}

static int set_up_repo(void **state)
{
    struct repo *r = mem_alloc(sizeof(*r));
    struct err err;
    void *place = NULL;
    set_up(&place);
    r->place = place;
    shell(r->place->work, "git init -q -b main && git config user.name t && git config user.email t@t && git add -A && "
                          "git commit -qm base && git checkout -qb baton/x");
    assert_ok(policy_from_list_new("test", "Bash(git *)", "test", &r->policy, &err), &err);
    const struct exec_places places = {.workspace = r->place->work, .home = r->place->root};
    assert_ok(exec_context_new(r->policy, &places, &r->exec, &err), &err);
    assert_ok(branch_head(r->exec, r->place->work, &r->base_commit, &err), &err);
    *state = r;
    return 0;
}

static int tear_down_repo(void **state)
{
    struct repo *r = *state;
    void *place = r->place;
    exec_context_free(r->exec);
    policy_free(r->policy);
    mem_free(r->base_commit);
    tear_down(&place);
    mem_free(r);
    return 0;
}

static void test_branch_is_rebuilt_from_recipes(void **state)
{
    const struct repo *r = *state;
    struct err err;
    char *head = NULL, *again = NULL;
    json_t *commits = NULL;
    AUTO_JSON json_t *two = list(edit("C1", "src/lib.rs", 0, 1, "X"), set("C2", "new/config.toml", "k", "1"));
    assert_ok(branch_rebuild(r->exec, r->place->base_files, r->place->work_files, r->base_commit, two, "relay-x", &head,
                             &commits, &err),
              &err);
    assert_string_equal(json_str(commits, "C2", ""), head);
    json_decref(commits);
    shell(r->place->work,
          "test $(git rev-list --count main..HEAD) = 2 && test -z \"$(git status --porcelain)\" && "
          "git log --format=%b | grep -q 'Baton-Candidate: C2' && git show HEAD:new/config.toml | grep -q 'k = 1'");
    AUTO_JSON json_t *one = list(set("C2", "new/config.toml", "k", "1"), NULL);
    assert_ok(branch_rebuild(r->exec, r->place->base_files, r->place->work_files, r->base_commit, one, "relay-x",
                             &again, &commits, &err),
              &err);
    assert_int_equal(json_object_size(commits), 1);
    json_decref(commits);
    assert_string_not_equal(head, again);
    shell(r->place->work, "test $(git rev-list --count main..HEAD) = 1 && test \"$(cat src/lib.rs)\" = 0123456789");
    mem_free(head);
    mem_free(again);
}

static void test_commit_of_nothing(void **state)
{
    const struct repo *r = *state;
    struct err err;
    char *commit = NULL;
    AUTO_JSON json_t *files = json_array();
    assert_ok(branch_commit(r->exec, r->place->work, files, "nothing", &commit, &err), &err);
    assert_null(commit);
    shell(r->place->work, "test $(git rev-list --count main..HEAD) = 0");
}

static void test_reset_removes_what_a_killed_git_left(void **state)
{
    const struct repo *r = *state;
    struct err err;
    write_text(r->place->work, "junk/a", "left over");
    write_text(r->place->work, "Cargo.lock", "stays");
    write_text(r->place->work, "src/lib.rs", "half done");
    shell(
        r->place->work,
        "touch .git/index.lock .git/HEAD.lock && mkdir -p .git/refs/heads/baton && touch .git/refs/heads/baton/x.lock");
    assert_ok(branch_reset(r->exec, r->place->work, r->base_commit, &err), &err);
    assert_text(r->place->work, "junk/a", NULL);
    assert_text(r->place->work, "Cargo.lock", "stays");
    assert_text(r->place->work, "src/lib.rs", "0123456789");
}

static void test_hooks_are_not_run(void **state)
{
    const struct repo *r = *state;
    struct err err;
    char *commit = NULL;
    shell(r->place->work, "printf '#!/bin/sh\\ntouch %s\\nexit 1\\n' \"$PWD/../hooked\" >.git/hooks/pre-commit && "
                          "chmod +x .git/hooks/pre-commit && cp .git/hooks/pre-commit .git/hooks/post-commit");
    write_text(r->place->work, "src/lib.rs", "changed");
    AUTO_JSON json_t *files = json_array();
    assert_ok(branch_commit(r->exec, r->place->work, files, "a change", &commit, &err), &err);
    assert_non_null(commit);
    assert_text(r->place->root, "hooked", NULL);
    mem_free(commit);
}

static void test_message_names_run_and_candidate(void **state)
{
    (void)state;
    AUTO_JSON json_t *c = json_pack("{s:s, s:s, s:s}", "id", "C3", "title", "opt-level = 3", "why", "because");
    AUTO_FREE char *text = branch_message(c, "relay-x");
    assert_string_equal(text, "opt-level = 3\n\nbecause\n\nBaton-Run: relay-x\nBaton-Candidate: C3\n");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define G(name) cmocka_unit_test_setup_teardown(name, set_up_repo, tear_down_repo)
    const struct CMUnitTest tests[] = {
        T(test_edits_refer_to_the_base),
        T(test_overlap_names_both),
        T(test_outside_the_file),
        cmocka_unit_test(test_shape_is_checked),
        T(test_toml_values_keep_what_stands_around),
        T(test_lay_brings_files_back),
        T(test_only_measured_settings_reach_the_configuration),
        T(test_rules_of_files_bind),
        cmocka_unit_test(test_files_are_named_once),
        G(test_branch_is_rebuilt_from_recipes),
        G(test_commit_of_nothing),
        G(test_reset_removes_what_a_killed_git_left),
        G(test_hooks_are_not_run),
        cmocka_unit_test(test_message_names_run_and_candidate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
