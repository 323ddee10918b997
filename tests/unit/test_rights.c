// What an agent of a run may do: its file, the operator, the site's ceiling and its callers together.
#include "support/support.h"

#include "base/mem.h"
#include "base/str.h"
#include "policy/policy_cases.h"
#include "rights/rights.h"
#include "rights/site.h"

#include <string.h>

static const struct policy_context CONTEXT = {.workspace = "/ws"};

static struct agentfile *agent(const char *keys)
{
    struct err err = {0};
    struct agentfile *file = NULL;
    AUTO_FREE char *text = str_printf("---\nname: x\ndescription: d\n%s---\nBody.\n", keys);
    assert_ok(agentfile_parse("x.md", text, strlen(text), &file, &err), &err);
    return file;
}

static bool may(const char *keys, const json_t *operator_rules, const json_t *bounds, const char *tool,
                const char *input)
{
    struct err err = {0};
    struct policy *p = NULL;
    struct agentfile *file = agent(keys);
    struct decision d;
    assert_ok(rights_new("x", file, operator_rules, bounds, &p, &err), &err);
    policy_check(p, &CONTEXT, tool, input, &d);
    policy_free(p);
    agentfile_free(file);
    return d.verdict != POLICY_DENY;
}

static json_t *ceiling(const char *text)
{
    struct err err = {0};
    json_t *bound = NULL, *bounds = json_array();
    assert_ok(site_parse(text, "/etc/baton/policy.rules", &bound, &err), &err);
    json_array_append_new(bounds, bound);
    return bounds;
}

static void test_rights_of_a_file_and_the_operator(void **state)
{
    (void)state;
    AUTO_JSON json_t *rules = json_pack("[s]", "Bash(make *)");
    assert_true(may("tools: Read\n", NULL, NULL, "Read", "a.rs"));
    assert_false(may("tools: Read\n", NULL, NULL, "Bash", "make all"));
    assert_true(may("tools: Read\n", rules, NULL, "Bash", "make all"));
    assert_false(may("tools: Read\ndisallowedTools: Bash\n", rules, NULL, "Bash", "make all"));
    assert_true(may("tools: []\n", rules, NULL, "Bash", "make all"));
}

static void test_rights_without_any_tool_are_none_of_any_kind(void **state)
{
    (void)state;
    static const char *const CALLS[][2] = {{"Bash", "git push"},   {"Read", "src/a"}, {"WebFetch", "https://docs.rs/x"},
                                           {"mcp__a__b", ""},      {"Task", "y"},     {"Skill", "pdf"},
                                           {"Bash", "env git log"}};
    static const char KEYS[] = "tools: Bash, Read, WebFetch, mcp__a, Task, Skill\n";
    AUTO_JSON json_t *none = ceiling("deny *\ndeny Read(!src/a)\n");
    AUTO_FREE char *denied = str_printf("%sdisallowedTools: [\"*\"]\n", KEYS);
    for (size_t i = 0; i < ARRAY_LEN(CALLS); i++) {
        assert_true(may(KEYS, NULL, NULL, CALLS[i][0], CALLS[i][1]));
        assert_false(may(KEYS, NULL, none, CALLS[i][0], CALLS[i][1]));
        assert_false(may(denied, NULL, NULL, CALLS[i][0], CALLS[i][1]));
    }
    assert_true(may("tools:\n  \"*\": false\n  Read: true\n", NULL, NULL, "Read", "src/a")); // the rest of the map
    assert_false(may("tools:\n  \"*\": false\n  Bash: false\n", NULL, NULL, "Read", "src/a"));
}

static void test_rights_of_a_file_without_a_list_are_the_ceiling(void **state)
{
    (void)state;
    AUTO_JSON json_t *site = ceiling("allow Read\nallow Bash(cargo *)\ndeny Read(//etc/**)\n");
    AUTO_JSON json_t *denies = ceiling("deny Bash\n");
    AUTO_JSON json_t *rules = json_pack("[s]", "Bash(make *)");
    static const char *const OPEN[] = {"", "tools: \"*\"\n"};
    for (size_t i = 0; i < ARRAY_LEN(OPEN); i++) {
        assert_false(may(OPEN[i], NULL, NULL, "Read", "a.rs")); // no ceiling: nothing, not everything
        assert_false(may(OPEN[i], NULL, denies, "Read", "a.rs"));
        assert_true(may(OPEN[i], NULL, site, "Read", "a.rs"));
        assert_true(may(OPEN[i], NULL, site, "Bash", "cargo test"));
        assert_false(may(OPEN[i], NULL, site, "Bash", "git log"));
        assert_true(may(OPEN[i], rules, NULL, "Bash", "make all"));
        assert_false(may(OPEN[i], rules, site, "Bash", "make all")); // nor may the operator go beyond
    }
    assert_false(may("tools: []\n", NULL, site, "Read", "a.rs")); // said to have none
    assert_false(may("tools:\n", NULL, site, "Read", "a.rs"));
    assert_true(may("tools: Read, Bash(git *)\n", NULL, site, "Read", "a.rs"));
    assert_false(may("tools: Read, Bash(git *)\n", NULL, site, "Bash", "git log"));
    assert_false(may("tools: Bash(cargo *)\n", NULL, denies, "Bash", "cargo test"));
}

static void check_refused(const char *keys, const json_t *bounds, const char *says)
{
    struct err err = {0};
    struct agentfile *file = agent(keys);
    assert_int_equal(rights_check("x", file, NULL, bounds, &err), -ERR_INVALID);
    if (!strstr(err.text, says))
        fail_msg("'%s' is not in: %s", says, err.text);
    agentfile_free(file);
}

static void test_rights_that_are_none_are_refused_by_name(void **state)
{
    (void)state;
    check_refused("tools: []\n", NULL, "empty");
    check_refused("tools: Bash(rm *)\ndisallowedTools: Bash\n", NULL, "Bash(rm *) (x.md:4)");
    check_refused("tools: Read, Teleport\n", NULL, "x.md:4: ");
    check_refused("tools: Read, Teleport\n", NULL, "Teleport");
    check_refused("tools: Read, Bash(cargo\n", NULL, "x.md:4: ");
    AUTO_JSON json_t *site = ceiling("deny Read\n"), *nothing = ceiling("allow Read\ndeny *\n");
    check_refused("tools: Read\n", site, "Read (x.md:4)");
    check_refused("tools: Read\n", nothing, "* (/etc/baton/policy.rules:2) denies every tool");
    check_refused("tools: Bash(git *), Read\ndisallowedTools: \"*\"\n", NULL, "Read (x.md:4); * (x.md:5) denies");
    check_refused("tools: Bash(git *), Read\ndisallowedTools: [Read, \"*\"]\n", NULL, "* (x.md:5) denies");
    check_refused("disallowedTools:\n  - Read\n  - \"*\"\n", nothing, "* (x.md:6) denies");
    check_refused("tools:\n  allow: [Read]\n  deny: \"*\"\n", NULL, "denies every tool");
    check_refused("", NULL, "has no ceiling that would decide instead"); // it would do nothing at all
    check_refused("tools: Read\nallowed-tools: Bash(date)\n", NULL,
                  "x.md:5: agent \"x\": 'tools' (Read) and 'allowed-tools' (Bash(date)) have nothing in common");
    check_refused("tools: Read\ngrants: Read, Teleport\n", NULL, "x.md:5: ");
    AUTO_JSON json_t *allows = ceiling("allow Read\n");
    struct agentfile *open = agent("");
    assert_int_equal(rights_check("x", open, NULL, allows, NULL), 0);
    agentfile_free(open);
}

// What a developer may do behind a lead with these keys.
static bool developer_may(const char *lead, const char *tool, const char *input)
{
    struct agentfile *file = agent(lead);
    AUTO_JSON json_t *rules = json_pack("[s]", "Bash(make *)");
    AUTO_JSON json_t *bounds = rights_handed_on_new(file, rules, NULL);
    bool allowed = may("tools: Read, Write, Bash(cargo *)\n", rules, bounds, tool, input);
    agentfile_free(file);
    return allowed;
}

static void test_rights_only_narrow_along_a_chain(void **state)
{
    (void)state;
    assert_true(developer_may("tools: Read\n", "Write", "src/a.rs")); // a coordinator hands on what it may not use
    assert_false(developer_may("tools: Read\nattenuate: true\n", "Write", "src/a.rs"));
    assert_true(developer_may("tools: Read\nattenuate: true\n", "Read", "src/a.rs"));
    assert_true(developer_may("tools: Read\nattenuate: true\n", "Bash", "make all")); // the operator's is everybody's
    assert_true(developer_may("tools: Read\nattenuate: false\n", "Write", "src/a.rs"));
    assert_true(developer_may("tools: Read\ngrants: Read, Write\n", "Write", "src/a.rs"));
    assert_false(developer_may("tools: Read\ngrants: Read, Write\n", "Bash", "cargo test"));
    assert_false(developer_may("tools: Read\ngrants: []\n", "Read", "src/a.rs"));
    assert_false(developer_may("attenuate: true\n", "Read", "src/a.rs")); // without a ceiling it may do nothing itself
}

static void test_rights_bounds_add_up_once(void **state)
{
    (void)state;
    struct agentfile *a = agent("tools: Read\nattenuate: true\n"), *b = agent("tools: Read, Write\ngrants: Read\n");
    AUTO_JSON json_t *site = ceiling("allow Read\n");
    AUTO_JSON json_t *of_a = rights_handed_on_new(a, NULL, site), *of_b = rights_handed_on_new(b, NULL, site);
    assert_int_equal(json_array_size(of_a), 2);
    json_t *both = json_incref(of_a);
    rights_narrow(&both, of_b);
    rights_narrow(&both, of_b);
    assert_int_equal(json_array_size(both), 3);
    assert_int_equal(json_array_size(of_a), 2); // was not changed
    json_decref(both);
    AUTO_JSON json_t *none = rights_handed_on_new(b, NULL, NULL);
    assert_int_equal(json_array_size(none), 1);
    struct agentfile *plain = agent("tools: Read\n");
    assert_null(rights_handed_on_new(plain, NULL, NULL));
    AUTO_JSON json_t *same = rights_handed_on_new(plain, NULL, site);
    assert_ptr_equal(same, site);
    agentfile_free(a);
    agentfile_free(b);
    agentfile_free(plain);
}

static void test_site_files_that_are_not_understood_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } BAD[] = {
        {"allow Read\npermit Write\n", "p:2: "}, {"\n\nallow\n", "p:3: "},       {"allow \n", "p:1: "},
        {"allow Teleport\n", "p:1: "},           {"deny Bash(cargo\n", "p:1: "}, {"Read\n", "expected 'allow RULE'"}};
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
        struct err err = {0};
        json_t *bound = NULL;
        assert_true(site_parse(BAD[i].text, "p", &bound, &err) < 0);
        assert_null(bound);
        if (!strstr(err.text, BAD[i].says))
            fail_msg("'%s' is not in: %s", BAD[i].says, err.text);
    }
    json_t *bound = NULL;
    struct err err = {0};
    assert_ok(site_parse("# nothing\n\n", "p", &bound, &err), &err);
    assert_null(bound);
}

// --- network ---

// What an agent with these keys gets; NULL: refused.
static const char *network(const char *keys, const json_t *bounds)
{
    struct err err = {0};
    enum agent_network got = AGENT_NETWORK_UNSAID;
    struct agentfile *file = agent(keys);
    int r = rights_network("x", file, bounds, &got, &err);
    assert_int_equal(rights_check("x", file, NULL, bounds, NULL), r); // a run that cannot have it does not begin
    agentfile_free(file);
    if (r < 0)
        assert_non_null(strstr(err.text, "permits lo at most"));
    return r < 0 ? NULL : got == AGENT_NETWORK_UNSAID ? "" : agent_network_name(got);
}

static void test_rights_network_is_the_least_of_file_and_ceiling(void **state)
{
    (void)state;
    static const char *const FILES[] = {"tools: Read\n", "tools: Read\nnetwork: none\n", "tools: Read\nnetwork: lo\n",
                                        "tools: Read\nnetwork: host\n"};
    static const struct {
        const char *site, *expected[4];
    } CASES[] = {
        {"allow Read\n", {"", "none", "lo", NULL}},
        {"allow Read\nnetwork none\n", {"none", "none", "none", NULL}},
        {"network lo\n", {"lo", "none", "lo", NULL}},
        {"network host\n", {"", "none", "lo", "host"}},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        AUTO_JSON json_t *site = ceiling(CASES[i].site);
        for (size_t k = 0; k < ARRAY_LEN(FILES); k++) {
            const char *got = network(FILES[k], site);
            if (!str_eq(got, CASES[i].expected[k]))
                fail_msg("%s with %s: %s", FILES[k], CASES[i].site, got ? got : "refused");
        }
    }
    assert_null(network("tools: Read\nnetwork: host\n", NULL));
    assert_string_equal(network("tools: Read\nnetwork: lo\n", NULL), "lo");
    AUTO_JSON json_t *odd = json_pack("[{s:s, s:s}]", "of", "x", "network", "more");
    assert_string_equal(network("tools: Read\nnetwork: lo\n", odd), "none"); // what is not known bounds to nothing
}

static void test_rights_network_shrinks_down_the_chain(void **state)
{
    (void)state;
    static const struct {
        const char *caller, *expected; // what an agent behind it has that says host
    } CASES[] = {
        {"tools: Read\nnetwork: none\nattenuate: true\n", "none"},
        {"tools: Read\nattenuate: true\n", "lo"},
        {"tools: Read\nnetwork: lo\nattenuate: true\n", "lo"},
        {"tools: Read\nnetwork: host\nattenuate: true\n", "host"},
        {"tools: Read\nnetwork: none\n", "host"},
    };
    AUTO_JSON json_t *site = ceiling("network host\n");
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct agentfile *file = agent(CASES[i].caller);
        AUTO_JSON json_t *rest = rights_handed_on_new(file, NULL, site);
        assert_string_equal(network("tools: Read\nnetwork: host\n", rest), CASES[i].expected);
        struct agentfile *next = agent("tools: Read\nnetwork: host\nattenuate: true\n");
        AUTO_JSON json_t *further = rights_handed_on_new(next, NULL, rest); // what is gone does not come back
        assert_string_equal(network("tools: Read\nnetwork: host\n", further), CASES[i].expected);
        agentfile_free(next);
        agentfile_free(file);
    }
}

static void test_rights_site_file_says_network_once(void **state)
{
    (void)state;
    static const char *const BAD[] = {"network\n", "network all\n", "allow Read\nnetwork lo\nnetwork host\n"};
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
        struct err err = {0};
        json_t *bound = NULL;
        assert_int_equal(site_parse(BAD[i], "rules", &bound, &err), -ERR_PARSE);
        assert_true(str_starts(err.text, "rules:"));
        assert_null(bound);
    }
}

static bool starts_programs(const char *keys, const json_t *operator_rules, const json_t *bounds)
{
    struct agentfile *file = agent(keys);
    bool starts = rights_start_programs("x", file, operator_rules, bounds);
    agentfile_free(file);
    return starts;
}

static void test_rights_that_start_programs(void **state)
{
    (void)state;
    AUTO_JSON json_t *granted = json_array(), *reads = ceiling("allow Read\n"), *denies = ceiling("deny Read\n"),
                     *cargo = ceiling("allow Bash(cargo *)\n");
    json_add_str(granted, "Bash(make)");
    assert_true(starts_programs("tools: Read, Bash(cargo *)\n", NULL, NULL));
    assert_true(starts_programs("tools: Bash\n", NULL, denies));
    assert_false(starts_programs("tools: Read, Edit\n", NULL, NULL));
    assert_false(starts_programs("tools: Read, Edit\n", NULL, cargo));
    assert_true(starts_programs("tools: Read, Edit\n", granted, NULL));
    assert_false(starts_programs("tools: Bash(cargo *)\n", NULL, reads)); // the ceiling has none
    assert_true(starts_programs("color: red\n", NULL, cargo));            // no list: what the ceiling allows
    assert_false(starts_programs("color: red\n", NULL, NULL));
    assert_true(starts_programs("tools: Teleport\n", granted, NULL)); // refused elsewhere
}

static void test_rights_lint_warns_of_early_wildcards(void **state)
{
    (void)state;
    struct agentfile *file = agent("tools: Bash(git * main), Bash(* --version), Bash(cargo *)\n");
    size_t before = file->diagnostics.len, found = 0;
    rights_lint(file);
    assert_int_equal(file->diagnostics.len, before + 2);
    for (size_t i = 0; i < file->diagnostics.len; i++) {
        const char *text = file->diagnostics.items[i].text;
        found += strstr(text, "\"git -c core.fsmonitor=PROGRAM diff main\"") != NULL;
        found += strstr(text, "\"rm -rf --version\"") != NULL;
    }
    assert_int_equal(found, 2);
    agentfile_free(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rights_lint_warns_of_early_wildcards),
        cmocka_unit_test(test_rights_of_a_file_and_the_operator),
        cmocka_unit_test(test_rights_without_any_tool_are_none_of_any_kind),
        cmocka_unit_test(test_rights_of_a_file_without_a_list_are_the_ceiling),
        cmocka_unit_test(test_rights_that_are_none_are_refused_by_name),
        cmocka_unit_test(test_rights_only_narrow_along_a_chain),
        cmocka_unit_test(test_rights_bounds_add_up_once),
        cmocka_unit_test(test_site_files_that_are_not_understood_are_refused),
        cmocka_unit_test(test_rights_network_is_the_least_of_file_and_ceiling),
        cmocka_unit_test(test_rights_network_shrinks_down_the_chain),
        cmocka_unit_test(test_rights_site_file_says_network_once),
        cmocka_unit_test(test_rights_that_start_programs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
