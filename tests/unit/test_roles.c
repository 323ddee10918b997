// proto/roles: one table of names, every way of writing one.
#include "support/support.h"

#include "base/mem.h"
#include "base/str.h"
#include "roles/roles.h"

static void test_role_of_agent_knows_every_way_to_write_a_name(void **state)
{
    (void)state;
    static const char *const table[][2] = {
        {"rust-agents:rust-code-reviewer", "review"},
        {"rust-code-reviewer", "review"},
        {"code-reviewer", "review"},
        {"review", "review"},
        {"Rust-Code-Reviewer", "review"},
        {"dev-agents:developer", "developer"},
        {"dev-agents:team:developer", "developer"},
        {"performance", "performance"},
        {"performance-engineer", "performance"},
        {"rust-testing-engineer", "testing"},
        {"rust-debugger", "debug"},
        {"debug", "debug"},
        {"rust-security-maintenance", "security"},
        {"live-tester", "live-tester"},
        {"rust-cicd-devops", "cicd"},
        {"sdd", "sdd"},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        assert_string_equal(role_of_agent(table[i][0]), table[i][1]);
    assert_null(role_of_agent("rust-"));
    assert_null(role_of_agent("some-other-agent"));
    assert_null(role_of_agent("reviewers"));
    assert_null(role_of_agent("a:"));
    assert_null(role_of_agent(""));
    assert_null(role_of_agent(NULL));
}

static void test_role_names_lead_back_to_their_row(void **state)
{
    (void)state;
    for (size_t i = 0; role_at(i); i++) {
        assert_string_equal(role_of_agent(role_at(i)), role_at(i));
        assert_string_equal(role_of_agent(role_agent_name(role_at(i))), role_at(i));
        char *scoped = str_printf("plugin:%s", role_agent_name(role_at(i)));
        assert_string_equal(role_of_agent(scoped), role_at(i));
        mem_free(scoped);
    }
    assert_string_equal(role_agent_name("performance"), "rust-performance-engineer");
    assert_null(role_agent_name("rust-performance-engineer"));
    assert_null(role_agent_name(NULL));
}

static void test_role_same_agent(void **state)
{
    (void)state;
    assert_true(role_same_agent("rust-agents:rust-developer", "developer"));
    assert_true(role_same_agent("x:custom", "custom"));
    assert_false(role_same_agent("custom", "other"));
    assert_false(role_same_agent("rust-developer", "rust-debugger"));
    assert_false(role_same_agent(NULL, "rust-debugger"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_role_of_agent_knows_every_way_to_write_a_name),
        cmocka_unit_test(test_role_names_lead_back_to_their_row),
        cmocka_unit_test(test_role_same_agent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
