// File tools: anchors, links, the control plane, and what never opens.
#include "support/support.h"

#include "base/mem.h"
#include "base/str.h"
#include "policy/policy_cases.h"
#include "policy/setup.h"

#include <string.h>

static struct decision asked(const char *allow, const char *deny, const char *setup, const char *tool, const char *path)
{
    struct err err = {0};
    struct decision d;
    struct policy *p = NULL;
    assert_ok(policy_from_list_new("x", allow, "a.md", &p, &err), &err);
    char **denied = policy_list_split(deny ? deny : "");
    for (size_t i = 0; denied[i]; i++)
        assert_ok(policy_deny(p, denied[i], "a.md", 9, &err), &err);
    str_list_free(denied);
    struct setup *s = setup_new("/ws", setup);
    struct policy_context c = {.workspace = "/ws", .cwd = "/ws/crate", .home = "/home/me", .fs = setup_fs(s)};
    decide_path(p, &c, tool, path, &d);
    setup_free(s);
    policy_free(p);
    return d;
}

static void check(const char *allow, const char *deny, const char *setup, const char *tool, const char *path,
                  bool allowed)
{
    struct decision d = asked(allow, deny, setup, tool, path);
    if ((d.verdict == POLICY_ALLOW) != allowed)
        fail_msg("%s, not %s: %s %s -> %s (%s)", allow, deny ? deny : "-", tool, path, policy_verdict_name(d.verdict),
                 d.reason);
    assert_true(d.reason[0]);
}

static void test_policy_path_bare_rules_mean_the_workspace(void **state)
{
    (void)state;
    check("Read", NULL, NULL, "Read", "a.rs", true);
    check("Read", NULL, NULL, "Read", "../other/a.rs", true);
    check("Read", NULL, NULL, "Read", "/ws/a.rs", true);
    check("Read", NULL, NULL, "Read", "/ws", true);
    check("Read", NULL, NULL, "Read", "../../x", false);
    check("Read", NULL, NULL, "Read", "/ws-evil/x", false);
    check("Read", NULL, NULL, "Read", "/etc/passwd", false);
    check("Read", NULL, NULL, "Read", "~/.ssh/id", false);
    check("Read", NULL, NULL, "Write", "a.rs", false);
    check("Read", NULL, NULL, "Grep", "a.rs", true);
    check("Grep", NULL, NULL, "Read", "a.rs", false);
    check("Edit", NULL, NULL, "Read", "a.rs", true);
    check("Edit", NULL, NULL, "Write", "a.rs", true);
    check("Write", NULL, NULL, "Read", "a.rs", false);
    check("Write", NULL, NULL, "Edit", "a.rs", false);
}

static void test_policy_path_anchors(void **state)
{
    (void)state;
    check("Read(/src/**)", NULL, NULL, "Read", "/ws/src/a", true);
    check("Read(/src/**)", NULL, NULL, "Read", "src/a", false);
    check("Read(src/**)", NULL, NULL, "Read", "src/a/b", true);
    check("Read(src/**)", NULL, NULL, "Read", "/ws/src/a", false);
    check("Read(./src/**)", NULL, NULL, "Read", "src/a", true);
    check("Read(~/notes/*)", NULL, NULL, "Read", "~/notes/a", true);
    check("Read(~/notes/*)", NULL, NULL, "Read", "/home/me/notes/a", true);
    check("Read(~/notes/*)", NULL, NULL, "Read", "/home/me/notes/a/b", false);
    check("Read(//usr/share/doc/**)", NULL, NULL, "Read", "/usr/share/doc/x", true);
    check("Read(//usr/share/doc/**)", NULL, NULL, "Read", "/usr/share/doc/../../x", false);
    check("Read(Cargo.toml)", NULL, NULL, "Read", "a/b/Cargo.toml", true);
    check("Read(*.rs)", NULL, NULL, "Read", "deep/a.rs", true);
    check("Read(src)", NULL, NULL, "Read", "src/a/b", true);
    check("Read(src/*)", NULL, NULL, "Read", "src/a/b", false);
    check("Edit(/src/**/*.rs)", NULL, NULL, "Write", "/ws/src/x/y.rs", true);
    check("Edit(/src/**/*.rs)", NULL, NULL, "Write", "/ws/src/x/y.c", false);
    check("Write(docs/**)", NULL, NULL, "Write", "docs/a.md", true);
}

static void test_policy_path_deny_is_broader_and_first(void **state)
{
    (void)state;
    check("Read", "Read(secrets/**)", NULL, "Read", "a/secrets/k", false);
    check("Read", "Read(.env)", NULL, "Read", "a/b/.env", false);
    check("Read", "Read(secrets)", NULL, "Read", "secrets/deep/k", false);
    check("Edit", "Read(secrets/**)", NULL, "Write", "secrets/k", false);
    check("Edit", "Edit(gen/**)", NULL, "Read", "gen/k", true);
    check("Edit", "Edit(gen/**)", NULL, "Write", "gen/k", false);
    check("Read(secrets/ok)", "Read(secrets/**)", NULL, "Read", "secrets/ok", false);
    check("Read", "Read(secrets/**) Read(!secrets/public/**)", NULL, "Read", "secrets/public/k", true);
    check("Read, Edit", "Edit", NULL, "Edit", "a", false);
    check("Read", "Read(//home/me/**)", NULL, "Read", "a", true);
}

static void test_policy_path_links_must_satisfy_both_names(void **state)
{
    (void)state;
    check("Read", NULL, "ln -s /etc crate/l", "Read", "l/passwd", false);
    check("Read", NULL, "ln -s ../src crate/l", "Read", "l/a", true);
    check("Read", NULL, "ln -s l crate/l", "Read", "l/a", false);
    check("Read", NULL, "ln -s /ws/src /outside/l", "Read", "/outside/l/a", false);
    check("Read(src/**)", NULL, "ln -s /ws/keys crate/src/l", "Read", "src/l/a", false);
    check("Read", "Read(keys/**)", "ln -s /ws/keys crate/l", "Read", "l/a", false);
    check("Edit", NULL, "ln -s a crate/l", "Edit", "l", false);
    check("Edit", NULL, "ln -s a crate/l", "Read", "l", true);
    check("Edit", NULL, "ln -s /ws/.git crate/l", "Write", "l/config", false);
    check("Edit", NULL, "ln crate/a /outside/a", "Write", "a", false);
    check("Edit", NULL, "mkdir crate/d", "Write", "d", false);
    check("Read", NULL, "loop: rename crate/d <-> symlink to /ws/src", "Read", "d/x", false);
}

static void test_policy_path_links_may_have_a_rule_for_each_name(void **state)
{
    (void)state;
    static const char SETUP[] = "mkdir src && ln -s src inlink";
    check("Read(//ws/src/**), Read(/inlink/main.rs)", NULL, SETUP, "Read", "/ws/inlink/main.rs", true);
    check("Read(/inlink/main.rs), Read(/src/**)", NULL, SETUP, "Read", "/ws/inlink/main.rs", true);
    check("Read(/src/**)", NULL, SETUP, "Read", "/ws/inlink/main.rs", false);
    check("Read(/inlink/**)", NULL, SETUP, "Read", "/ws/inlink/main.rs", false);
    check("Read(/inlink/**), Edit(/src/other)", NULL, SETUP, "Read", "/ws/inlink/main.rs", false);
    struct decision d = asked("Read(/src/**)", NULL, SETUP, "Read", "/ws/inlink/main.rs");
    assert_string_equal(d.needed, "Read(/inlink/main.rs)");
    d = asked("Read(/inlink/**)", NULL, SETUP, "Read", "/ws/inlink/main.rs");
    assert_string_equal(d.needed, "Read(/src/main.rs)");
    assert_non_null(strstr(d.reason, "leads through a link to \"/ws/src/main.rs\""));
    d = asked("Bash", NULL, SETUP, "Read", "/ws/inlink/main.rs");
    assert_string_equal(d.needed, "Read(/inlink/main.rs), Read(/src/main.rs)");
}

// What is advised, added to the list, makes the decision an allow.
static void test_policy_path_advice_helps(void **state)
{
    (void)state;
    static const char SETUP[] = "mkdir src && ln -s src inlink && ln -s /etc/ssl out";
    static const char *const CALLS[][2] = {
        {"Read", "a.rs"},         {"Read", "/ws/inlink/a b"}, {"Read", "/ws/out/cert"}, {"Read", "/etc/passwd"},
        {"Read", "x[1]*?.rs"},    {"Read", "~/notes/a"},      {"Read", "/ws"},          {"Write", "a, b (c).md"},
        {"Edit", "/ws/src/x.rs"}, {"Grep", "src/*.rs"},       {"Glob", "src/**/*.rs"},  {"Glob", "src/[ab]*"},
        {"LS", "/ws/inlink"},     {"Read", "a\\b"},           {"MultiEdit", "x"},       {"Write", "!x"}};
    for (size_t i = 0; i < ARRAY_LEN(CALLS); i++) {
        struct decision d = asked("Bash(true)", NULL, SETUP, CALLS[i][0], CALLS[i][1]);
        assert_int_equal(d.verdict, POLICY_DENY);
        assert_true(d.needed[0]);
        AUTO_FREE char *rules = str_printf("Bash(true), %s", d.needed);
        check(rules, NULL, SETUP, CALLS[i][0], CALLS[i][1], true);
    }
    const char *deep = "/ws/" // no advice rather than one that is cut short
                       "a23456789/a23456789/a23456789/a23456789/a23456789/a23456789/a23456789/a23456789/"
                       "a23456789/a23456789/a23456789/a23456789/a23456789/a23456789/a23456789/a23456789/"
                       "a23456789/a23456789/a23456789/a23456789/a23456789/a23456789/a23456789/a23456789/"
                       "a23456789/a23456789/a23456789";
    struct decision d = asked("Bash(true)", NULL, NULL, "Read", deep);
    assert_string_equal(d.needed, "");
}

static void test_policy_path_control_plane_is_never_written(void **state)
{
    (void)state;
    static const char *const PATHS[] = {".git/config",         "/ws/.git/hooks/pre-commit",
                                        ".cargo/config.toml",  "sub/.cargo/config",
                                        "rust-toolchain",      "rust-toolchain.toml",
                                        ".claude/agents/x.md", ".codex/x",
                                        ".vscode/tasks.json",  ".idea/x",
                                        ".mcp.json",           ".envrc",
                                        ".GIT/config",         "a/../.git/x",
                                        ".//.git//x",          "/ws/a.md"};
    for (size_t i = 0; i < ARRAY_LEN(PATHS); i++) {
        check("Edit, Write, Read, Edit(//**)", NULL, NULL, "Write", PATHS[i], false);
        check("Edit, Write, Read", NULL, NULL, "Read", PATHS[i], true);
    }
    check("Edit", NULL, NULL, "Write", ".gitignore", true);
    check("Edit", NULL, NULL, "Write", ".github/workflows/ci.yml", true);
    check("Edit", NULL, NULL, "Write", "git/config", true);
}

static void test_policy_path_kernel_files_and_bad_names(void **state)
{
    (void)state;
    check("Read, Read(//**)", NULL, NULL, "Read", "/proc/self/environ", false);
    check("Read, Read(//**)", NULL, NULL, "Read", "/dev/sda", false);
    check("Read, Read(//**)", NULL, "ln -s /proc crate/p", "Read", "p/self/environ", false);
    check("Read", NULL, NULL, "Read", "", false);
    check("Read", NULL, NULL, "Read", "a\nb", false);
    check("Read", NULL, NULL, "Read",
          "a\xe2\x80\xae"
          "b",
          false);
    check("Read", NULL, NULL, "Read", "a\xff", false);
    check("Read", NULL, NULL, "Bash", "a", false);
    check("Read", NULL, "truncate -s 65M crate/b", "Read", "b", false);
    check("Read", NULL, "truncate -s 65M crate/b", "Grep", "b", true);
    char big[POLICY_PATH_MAX + 1];
    memset(big, 'a', sizeof(big));
    big[POLICY_PATH_MAX] = '\0';
    check("Read", NULL, NULL, "Read", big, false);
}

static void test_policy_path_search_patterns(void **state)
{
    (void)state;
    check("Grep", NULL, NULL, "Grep", "src/**/*.rs", true);
    check("Read(src/**)", NULL, NULL, "Grep", "src/**/*.rs", true);
    check("Read(src/*)", NULL, NULL, "Glob", "src/**", false);
    check("Read(src/*.rs)", NULL, NULL, "Glob", "src/*", false);
    check("Read(src/?.rs)", NULL, NULL, "Glob", "src/*.rs", false);
    check("Read", NULL, NULL, "Glob", "../../**", false);
    check("Read", NULL, NULL, "Glob", "/etc/*", false);
}

static void test_policy_path_decisions_say_what_to_do(void **state)
{
    (void)state;
    struct decision d = asked("Read(src/**)", NULL, NULL, "Read", "tests/a.rs");
    assert_string_equal(d.needed, "Read(/crate/tests/a.rs)");
    assert_string_equal(d.rule, "");
    d = asked("Read(src/**)", NULL, NULL, "Read", "src/a.rs");
    assert_string_equal(d.rule, "Read(src/**)");
    assert_string_equal(d.where, "a.md:1");
    d = asked("Read", NULL, NULL, "Write", "a.rs");
    assert_string_equal(d.needed, "Edit(/crate/a.rs)");
    d = asked("Read", NULL, "ln -s /etc crate/l", "Read", "l/passwd");
    assert_non_null(strstr(d.reason, "/etc/passwd"));
}

static void test_policy_path_all_lists_must_allow(void **state)
{
    (void)state;
    struct err err = {0};
    struct decision d;
    struct policy_context c = {.workspace = "/ws"};
    struct policy *p = policy_new("x");
    assert_ok(policy_allow(p, "Read", "a", 1, &err), &err);
    policy_next_list(p);
    assert_ok(policy_allow(p, "Read(src/**)", "b", 2, &err), &err);
    decide_path(p, &c, "Read", "src/a", &d);
    assert_int_equal(d.verdict, POLICY_ALLOW);
    decide_path(p, &c, "Read", "x/a", &d);
    assert_int_equal(d.verdict, POLICY_DENY);
    policy_free(p);
    p = policy_new("x");
    decide_path(p, &c, "Read", "src/a", &d); // no list at all: nothing
    assert_int_equal(d.verdict, POLICY_DENY);
    policy_free(p);
}

static void test_policy_path_real_files(void **state)
{
    (void)state;
    struct policy_file f;
    const struct policy_fs *fs = policy_real_fs();
    fs->look(fs->user, "/dev/null", &f);
    assert_int_equal(f.kind, POLICY_FILE_OTHER);
    fs->look(fs->user, "/proc/self/exe", &f);
    assert_int_equal(f.kind, POLICY_FILE_LINK);
    assert_true(strlen(f.target) > 0);
    fs->look(fs->user, "/", &f);
    assert_int_equal(f.kind, POLICY_FILE_DIR);
    fs->look(fs->user, "/no/such/file", &f);
    assert_int_equal(f.kind, POLICY_FILE_MISSING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_policy_path_bare_rules_mean_the_workspace),
        cmocka_unit_test(test_policy_path_anchors),
        cmocka_unit_test(test_policy_path_deny_is_broader_and_first),
        cmocka_unit_test(test_policy_path_links_must_satisfy_both_names),
        cmocka_unit_test(test_policy_path_links_may_have_a_rule_for_each_name),
        cmocka_unit_test(test_policy_path_advice_helps),
        cmocka_unit_test(test_policy_path_control_plane_is_never_written),
        cmocka_unit_test(test_policy_path_kernel_files_and_bad_names),
        cmocka_unit_test(test_policy_path_search_patterns),
        cmocka_unit_test(test_policy_path_decisions_say_what_to_do),
        cmocka_unit_test(test_policy_path_all_lists_must_allow),
        cmocka_unit_test(test_policy_path_real_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
