// Web addresses, agents, skills, mcp, plain tools, and the entry for any call.
#include "support/support.h"

#include "policy/policy_cases.h"
#include "policy/url.h"
#include "json/json.h"

#include <string.h>

static struct decision asked(const char *allow, const char *tool, const char *input)
{
    struct err err = {0};
    struct decision d;
    struct policy *p = NULL;
    struct policy_context c = {.workspace = "/ws"};
    assert_ok(policy_from_list_new("x", allow, "a.md", &p, &err), &err);
    policy_check(p, &c, tool, input, &d);
    policy_free(p);
    return d;
}

static void check(const char *allow, const char *tool, const char *input, bool allowed)
{
    struct decision d = asked(allow, tool, input);
    if ((d.verdict == POLICY_ALLOW) != allowed)
        fail_msg("%s: %s %s -> %s (%s)", allow, tool, input, policy_verdict_name(d.verdict), d.reason);
}

// What is advised makes the decision an allow; what no rule can say gets no advice.
static void test_policy_other_advice_helps(void **state)
{
    (void)state;
    static const char *const CALLS[][3] = {{"Skill", "pdf", "Skill(pdf)"},
                                           {"Skill", "pdf a.txt", "Skill(pdf *)"},
                                           {"Skill", "a:b c d", "Skill(a:b *)"},
                                           {"Task", "reviewer", "Task(reviewer)"},
                                           {"mcp__a__b", "", "mcp__a__b"},
                                           {"TodoWrite", "", "TodoWrite"},
                                           {"WebFetch", "http://127.0.0.1:80/", "WebFetch(domain:127.0.0.1)"},
                                           {"WebFetch", "https://a.b/c", "WebFetch(domain:a.b)"}};
    for (size_t i = 0; i < ARRAY_LEN(CALLS); i++) {
        assert_string_equal(asked("Read", CALLS[i][0], CALLS[i][1]).needed, CALLS[i][2]);
        check(CALLS[i][2], CALLS[i][0], CALLS[i][1], true);
    }
    assert_string_equal(asked("Read", "Task", "a b").needed, "");
    assert_string_equal(asked("Read", "Skill", "(x) y").needed, "");
}

static void test_policy_other_urls(void **state)
{
    (void)state;
    check("WebFetch(domain:docs.rs)", "WebFetch", "https://docs.rs/serde", true);
    check("WebFetch(domain:docs.rs)", "WebFetch", "https://DOCS.RS:443", true);
    check("WebFetch(domain:docs.rs)", "WebFetch", "https://docs.rs.", true);
    check("WebFetch(domain:Docs.rs)", "WebFetch", "http://docs.rs?x", true);
    check("WebFetch(domain:docs.rs)", "WebFetch", "https://docs.rs.evil.com/", false);
    check("WebFetch(domain:docs.rs)", "WebFetch", "https://docs.rs@evil.com/", false);
    check("WebFetch(domain:docs.rs)", "WebFetch", "https://evil.com/docs.rs", false);
    check("WebFetch(domain:docs.rs)", "WebFetch", "https://evil.com#docs.rs", false);
    check("WebFetch(domain:docs.rs)", "WebFetch", "https://evil.com\\.docs.rs/", false);
    check("WebFetch(domain:*.rs)", "WebFetch", "https://evil.com%00.rs/", false);
    check("WebFetch", "WebFetch", "file:///etc/passwd", false);
    check("WebFetch", "WebFetch", "ftp://x.y/", false);
    check("WebFetch", "WebFetch", "https://", false);
    check("WebFetch", "WebFetch", "https://a b/", false);
    check("WebFetch", "WebFetch", "https://x.y:port/", false);
    check("WebFetch", "WebFetch",
          "https://b\xc3\xbc"
          "cher.de/",
          false);
    check("WebFetch", "WebFetch", "https://docs.rs/", true);
    check("WebFetch(domain:*)", "WebFetch", "https://docs.rs/", true);
    check("Read", "WebFetch", "https://docs.rs/", false);
    assert_string_equal(asked("Read", "WebFetch", "https://docs.rs/x").needed, "WebFetch(domain:docs.rs)");
}

static void test_policy_other_local_addresses_need_their_own_rule(void **state)
{
    (void)state;
    static const char *const LOCAL[] = {
        "http://127.0.0.1/", "http://localhost:8080/", "http://169.254.169.254/",  "http://10.1.2.3/",
        "http://[::1]/",     "http://0x7f000001/",     "http://2130706433/",       "http://127.1/",
        "http://router/",    "http://x.internal/",     "http://[::ffff:1.2.3.4]/", "http://192.168.0.1/",
        "http://0/"};
    for (size_t i = 0; i < ARRAY_LEN(LOCAL); i++) {
        check("WebFetch", "WebFetch", LOCAL[i], false);
        check("WebFetch(domain:*)", "WebFetch", LOCAL[i], false);
    }
    check("WebFetch(domain:127.0.0.1)", "WebFetch", "http://127.0.0.1:3000/x", true);
    check("WebFetch(domain:[::1])", "WebFetch", "http://[::1]:3000/x", true);
    assert_false(url_host_is_local("8.8.8.8"));
    assert_false(url_host_is_local("docs.rs"));
}

static void test_policy_other_agents_and_skills(void **state)
{
    (void)state;
    check("Agent(a, b)", "Task", "b", true);
    check("Task(a)", "Agent", "a", true);
    check("Task(a)", "Task", "A", false);
    check("Task(a)", "Task", "a ", false);
    check("Task", "Task", "anything", true);
    check("Task(a)", "Task", "", false);
    check("Read", "Task", "a", false);
    check("Skill(lint)", "Skill", "lint", true);
    check("Skill(lint)", "Skill", "lint --all", false);
    check("Skill(lint *)", "Skill", "lint --all", true);
    check("Skill(lint:*)", "Skill", "lint", true);
    check("Skill(lint *)", "Skill", "linter", false);
    assert_string_equal(asked("Read", "Task", "dev").needed, "Task(dev)");
}

static void test_policy_other_mcp_and_plain(void **state)
{
    (void)state;
    check("mcp__github", "mcp__github__get", "{}", true);
    check("mcp__github__*", "mcp__github__get", "{}", true);
    check("mcp__github__get_*", "mcp__github__get_issue", "{}", true);
    check("mcp__github__get_*", "mcp__github__delete", "{}", false);
    check("mcp__git", "mcp__github__get", "{}", false);
    check("mcp__github", "mcp__github", "{}", false);
    check("mcp__github", "mcp__github__*", "{}", false);
    check("TodoWrite", "TodoWrite", "{}", true);
    check("Read", "TodoWrite", "{}", false);
    check("Read", "Nothing", "x", false);
    assert_string_equal(asked("Read", "mcp__a__b", "{}").needed, "mcp__a__b");
}

static void test_policy_other_calls_check_their_kind(void **state)
{
    (void)state;
    struct err err = {0};
    struct decision d;
    struct policy *p = NULL;
    struct policy_context c = {.workspace = "/ws"};
    assert_ok(policy_from_list_new("x", "Bash, Read", "a.md", &p, &err), &err);
    AUTO_JSON json_t *text = json_string("ls"), *words = json_pack("[s, i]", "ls", 1), *nul = json_stringn("a\0b", 3);
    decide_call(p, &c, "Bash", "path", text, &d);
    assert_int_equal(d.verdict, POLICY_DENY);
    decide_call(p, &c, "Bash", "shell", text, &d);
    assert_int_equal(d.verdict, POLICY_ALLOW);
    decide_call(p, &c, "Bash", "argv", words, &d);
    assert_int_equal(d.verdict, POLICY_DENY);
    decide_call(p, &c, "Read", NULL, words, &d);
    assert_int_equal(d.verdict, POLICY_DENY);
    decide_call(p, &c, "Read", NULL, nul, &d);
    assert_int_equal(d.verdict, POLICY_DENY);
    decide_call(p, &c, "Read", NULL, NULL, &d);
    assert_int_equal(d.verdict, POLICY_DENY);
    json_decref(words);
    json_decref(nul);
    words = nul = NULL;
    policy_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_policy_other_advice_helps),
        cmocka_unit_test(test_policy_other_urls),
        cmocka_unit_test(test_policy_other_local_addresses_need_their_own_rule),
        cmocka_unit_test(test_policy_other_agents_and_skills),
        cmocka_unit_test(test_policy_other_mcp_and_plain),
        cmocka_unit_test(test_policy_other_calls_check_their_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
