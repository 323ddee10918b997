// policy/rule: which texts are rules, what they mean, and that nothing malformed loads.
#include "support/support.h"

#include "base/mem.h"
#include "base/str.h"
#include "policy/policy.h"
#include "policy/rule.h"

#include <string.h>

static struct rule parsed(const char *text, bool deny)
{
    struct rule r;
    struct err err = {0};
    assert_ok(rule_parse(text, "a.md", 7, deny, &r, NULL, &err), &err);
    return r;
}

static void test_policy_rule_bare_forms_are_the_same(void **state)
{
    (void)state;
    static const char *const BARE[] = {"Bash",    "Bash(*)", " Bash( * ) ", "Read",
                                       "Read(*)", "Task",    "Task(*)",     "TodoWrite"};
    for (size_t i = 0; i < ARRAY_LEN(BARE); i++) {
        struct rule r = parsed(BARE[i], false);
        assert_true(r.bare);
        rule_clear(&r);
    }
}

static void test_policy_rule_errors_name_file_line_and_rule(void **state)
{
    (void)state;
    static const char *const BAD[] = {
        "Bahs(cargo *)",
        "bash(cargo *)",
        "Bash(",
        "Bash()",
        "Bash(cargo *",
        "Bash(:*)",
        "Bash(cargo && git)",
        "Bash('x)",
        "",
        "Read()",
        "Read(/)",
        "Read(../x)",
        "Read(src/../..)",
        "Read(!x)",
        "WebFetch(docs.rs)",
        "WebFetch(domain:)",
        "WebFetch(domain:https://x)",
        "WebFetch(domain:a..b)",
        "Task()",
        "Task(rust-*)",
        "Task(a b)",
        "Skill()",
        "TodoWrite(x)",
        "mcp__*",
        "mcp__",
        "mcp__s__",
        "mcp__git*__x",
        "mcp__a__b(c)",
        "Read(x\001y)",
        "Agent(-x)",
        "Tool(x)",
    };
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
        struct rule r;
        struct err err = {0};
        if (rule_parse(BAD[i], "a.md", 7, false, &r, NULL, &err) != -ERR_INVALID)
            fail_msg("\"%s\" was accepted", BAD[i]);
        assert_true(str_starts(err.text, "a.md:7: "));
    }
}

static void test_policy_rule_too_long_or_not_text(void **state)
{
    (void)state;
    struct rule r;
    struct err err = {0};
    char big[POLICY_RULE_MAX + 2];
    memset(big, 'a', sizeof(big));
    big[sizeof(big) - 1] = '\0';
    assert_int_equal(rule_parse(big, "f", 1, false, &r, NULL, &err), -ERR_INVALID);
    assert_int_equal(rule_parse("Read(\xff)", "f", 1, false, &r, NULL, &err), -ERR_INVALID);
}

static void test_policy_rule_commands(void **state)
{
    (void)state;
    struct rule r = parsed("Bash(ls:*)", false);
    assert_string_equal(r.pattern, "ls\x1f*");
    assert_true(r.bare_too);
    rule_clear(&r);
    r = parsed("Bash(git  commit -m \"wip *\")", false);
    assert_string_equal(r.pattern, "git\x1f"
                                   "commit\x1f-m\x1fwip *");
    assert_false(r.bare_too);
    rule_clear(&r);
    r = parsed("Bash(* --help *)", false);
    assert_false(r.bare_too);
    rule_clear(&r);
    r = parsed("Bash(RUST_BACKTRACE=* *)", false);
    assert_string_equal(r.assigns[0], "RUST_BACKTRACE=*");
    assert_string_equal(r.pattern, "*");
    assert_false(r.bare);
    rule_clear(&r);
    r = parsed("Bash(echo (x) y)", false);
    assert_string_equal(r.pattern, "echo\x1f(x)\x1fy");
    assert_true(r.exact);
    rule_clear(&r);
}

static void test_policy_rule_paths_have_four_anchors(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool deny;
        enum path_anchor anchor;
        const char *pattern;
    } CASES[] = {
        {"Read(//etc/hosts)", false, ANCHOR_ROOT, "etc/hosts"}, {"Read(~/.zshrc)", false, ANCHOR_HOME, ".zshrc"},
        {"Edit(/src/**)", false, ANCHOR_WORKSPACE, "src/**"},   {"Edit(src/**)", false, ANCHOR_CWD, "src/**"},
        {"Edit(./src/**)", false, ANCHOR_CWD, "src/**"},        {"Edit(src/**)", true, ANCHOR_ANY_DEPTH, "src/**"},
        {"Read(*.rs)", false, ANCHOR_ANY_DEPTH, "*.rs"},        {"Read(src/)", false, ANCHOR_ANY_DEPTH, "src/"},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct rule r = parsed(CASES[i].text, CASES[i].deny);
        assert_int_equal(r.anchor, CASES[i].anchor);
        assert_string_equal(r.pattern, CASES[i].pattern);
        rule_clear(&r);
    }
    struct rule r = parsed("Read(!keep/**)", true);
    assert_true(r.negated);
    rule_clear(&r);
}

static void test_policy_rule_names_and_mcp(void **state)
{
    (void)state;
    struct rule r = parsed("Agent(rust-developer, plugin:folder:reviewer)", false);
    assert_int_equal(r.kind, TOOL_AGENT);
    assert_string_equal(r.names[1], "plugin:folder:reviewer");
    assert_string_equal(r.names[0], "rust-developer");
    rule_clear(&r);
    r = parsed("mcp__github", false);
    assert_string_equal(r.pattern, "mcp__github__*");
    rule_clear(&r);
    r = parsed("mcp__*", true);
    assert_string_equal(r.pattern, "mcp__*");
    rule_clear(&r);
}

static void test_policy_rule_warnings_show_what_is_allowed(void **state)
{
    (void)state;
    static const char *const ROWS[][2] = {{"Bash(git * main)", "\"git -c core.fsmonitor=PROGRAM diff main\""},
                                          {"Bash(* --version)", "\"rm -rf --version\""},
                                          {"Bash(RUST_BACKTRACE=* *)", "\"RUST_BACKTRACE=* rm -rf\""},
                                          {"Bash(npm * x)", "\"npm --any-option=VALUE any-subcommand x\""}};
    struct err err = {0};
    for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
        AUTO_FREE char *warning = NULL;
        assert_ok(policy_rule_check(ROWS[i][0], "a.md", 3, &warning, &err), &err);
        if (!strstr(warning, ROWS[i][1]))
            fail_msg("%s: %s", ROWS[i][0], warning);
    }
}

static void test_policy_rule_parameters_block_nothing(void **state)
{
    (void)state;
    struct err err = {0};
    struct policy *p = policy_new("x");
    assert_int_equal(policy_deny(p, "Bash(run_in_background:true)", "a.md", 4, &err), -ERR_INVALID);
    assert_true(str_starts(err.text, "a.md:4: "));
    assert_ok(policy_deny(p, "Bash(git:*)", "a.md", 4, &err), &err);
    assert_ok(policy_deny(p, "Bash(npm run test:unit)", "a.md", 4, &err), &err);
    policy_free(p);
}

static void test_policy_rule_suspicious_ones_warn(void **state)
{
    (void)state;
    static const char *const WARNED[] = {"Bash(git * main)", "Bash(* --help *)", "Bash(RUST_BACKTRACE=* *)"};
    static const char *const QUIET[] = {"Bash(git *)", "Bash(cargo test * --lib)", "Bash(npm run test:*)", "Bash"};
    struct err err = {0};
    for (size_t i = 0; i < ARRAY_LEN(WARNED); i++) {
        AUTO_FREE char *warning = NULL;
        assert_ok(policy_rule_check(WARNED[i], "a.md", 3, &warning, &err), &err);
        assert_true(str_starts(warning, "a.md:3: "));
    }
    for (size_t i = 0; i < ARRAY_LEN(QUIET); i++) {
        AUTO_FREE char *warning = NULL;
        assert_ok(policy_rule_check(QUIET[i], "a.md", 3, &warning, &err), &err);
        assert_null(warning);
    }
}

static void test_policy_lists_that_grant_nothing_are_refused(void **state)
{
    (void)state;
    struct err err = {0};
    struct policy *p = policy_new("x");
    assert_ok(policy_allow(p, "Write", "a.md", 4, &err), &err);
    assert_ok(policy_allow(p, "Bash(rm *)", "a.md", 5, &err), &err);
    assert_ok(policy_check_usable(p, &err), &err);
    assert_ok(policy_deny(p, "Write", "a.md", 8, &err), &err);
    assert_ok(policy_deny(p, "Bash", "a.md", 9, &err), &err);
    assert_int_equal(policy_check_usable(p, &err), -ERR_INVALID);
    assert_non_null(strstr(err.text, "Bash(rm *) (a.md:5)"));
    policy_free(p);
    p = policy_new("x"); // a part that is taken back out of a deny list is left
    assert_ok(policy_allow(p, "Read(src/**)", "a.md", 4, &err), &err);
    assert_ok(policy_deny(p, "Read(src/**)", "a.md", 5, &err), &err);
    assert_int_equal(policy_check_usable(p, &err), -ERR_INVALID);
    assert_ok(policy_deny(p, "Read(!src/a)", "a.md", 5, &err), &err);
    assert_ok(policy_check_usable(p, &err), &err);
    assert_ok(policy_deny(p, "Read", "a.md", 6, &err), &err);
    assert_int_equal(policy_check_usable(p, &err), -ERR_INVALID);
    policy_free(p);
    p = policy_new("x");
    policy_next_list(p);
    assert_int_equal(policy_check_usable(p, &err), -ERR_INVALID);
    policy_free(p);
}

static void test_policy_number_of_rules_is_limited(void **state)
{
    (void)state;
    struct err err = {0};
    struct policy *p = policy_new("x");
    for (int i = 0; i < POLICY_RULES_MAX; i++)
        assert_ok(policy_allow(p, "Read", "f", i, &err), &err);
    assert_int_equal(policy_allow(p, "Read", "f", 1, &err), -ERR_LIMIT);
    policy_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_policy_rule_bare_forms_are_the_same),
        cmocka_unit_test(test_policy_rule_errors_name_file_line_and_rule),
        cmocka_unit_test(test_policy_rule_too_long_or_not_text),
        cmocka_unit_test(test_policy_rule_commands),
        cmocka_unit_test(test_policy_rule_paths_have_four_anchors),
        cmocka_unit_test(test_policy_rule_names_and_mcp),
        cmocka_unit_test(test_policy_rule_suspicious_ones_warn),
        cmocka_unit_test(test_policy_rule_warnings_show_what_is_allowed),
        cmocka_unit_test(test_policy_rule_parameters_block_nothing),
        cmocka_unit_test(test_policy_lists_that_grant_nothing_are_refused),
        cmocka_unit_test(test_policy_number_of_rules_is_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
