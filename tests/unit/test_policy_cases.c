// The public case set: every case is answered by the general rules as its "expected" says.
#include "support/support.h"

#include "base/mem.h"
#include "base/str.h"
#include "policy/policy_cases.h"
#include "json/json.h"

#include <stdio.h>
#include <string.h>

static const char *verdict_of(const char *line)
{
    static char word[32];
    struct err err = {0};
    AUTO_JSON json_t *answer = NULL;
    assert_ok(policy_case_answer_line(line, strlen(line), NULL, &answer, &err), &err);
    snprintf(word, sizeof(word), "%s", json_str(answer, "decision", ""));
    return word;
}

static void test_policy_cases_agree_with_expected(void **state)
{
    (void)state;
    AUTO_FREE char *path = test_source_path("tests/fixtures/policy/policy.jsonl");
    AUTO_FREE char *text = test_read(path);
    size_t count = 0, wrong = 0;
    char **lines = str_split(text, "\n", true, &count);
    for (size_t i = 0; i < count; i++) {
        struct err err = {0};
        AUTO_JSON json_t *answer = NULL;
        AUTO_JSON json_t *case_ = json_loads(lines[i], JSON_ALLOW_NUL, NULL);
        assert_non_null(case_);
        assert_ok(policy_case_answer_line(lines[i], strlen(lines[i]), NULL, &answer, &err), &err);
        const char *expected = json_str(case_, "expected", "?"), *got = json_str(answer, "decision", "?");
        assert_string_equal(json_str(answer, "id", "?"), json_str(case_, "id", "!"));
        assert_true(strlen(json_str(answer, "reason", "")) > 10);
        if (strcmp(expected, got) != 0) {
            wrong++;
            fprintf(stderr, "%s: expected %s, got %s (%s)\n", json_str(answer, "id", "?"), expected, got,
                    json_str(answer, "reason", ""));
        }
    }
    str_list_free(lines);
    assert_true(count >= 261);
    assert_int_equal(wrong, 0);
}

static void test_policy_cases_setup_makes_links_and_sizes(void **state)
{
    (void)state;
    assert_string_equal(verdict_of("{\"id\":\"a\",\"allowed_tools\":[\"Read\"],\"tool\":\"Read\",\"input\":\"l/x\"}"),
                        "allow");
    assert_string_equal(verdict_of("{\"id\":\"a\",\"allowed_tools\":[\"Read\"],\"tool\":\"Read\",\"input\":\"l/x\","
                                   "\"setup\":\"ln -s /etc l\"}"),
                        "deny");
    assert_string_equal(verdict_of("{\"id\":\"a\",\"allowed_tools\":[\"Read\"],\"tool\":\"Read\",\"input\":\"l/x\","
                                   "\"setup\":\"mkdir src; ln -s src l\"}"),
                        "allow");
    assert_string_equal(verdict_of("{\"id\":\"a\",\"allowed_tools\":[\"Read\"],\"tool\":\"Read\",\"input\":\"b\","
                                   "\"setup\":\"truncate -s 10M b\"}"),
                        "allow");
    assert_string_equal(verdict_of("{\"id\":\"a\",\"allowed_tools\":[\"Edit\"],\"tool\":\"Edit\",\"input\":\"h\","
                                   "\"setup\":\"h is a hard link to /outside/h\"}"),
                        "deny");
    assert_string_equal(verdict_of("{\"id\":\"a\",\"allowed_tools\":[\"Read\"],\"tool\":\"Read\",\"input\":\"p\","
                                   "\"setup\":\"mkfifo p\"}"),
                        "deny");
}

static void test_policy_cases_bad_cases_are_errors(void **state)
{
    (void)state;
    struct err err = {0};
    json_t *answer = NULL;
    static const char *const BAD[] = {
        "{",
        "{}",
        "[]",
        "{\"id\":\"a\",\"tool\":\"Read\",\"input\":\"x\"}",
        "{\"id\":\"a\",\"tool\":\"Read\",\"allowed_tools\":[]}",
        "{\"id\":7,\"tool\":\"Read\",\"allowed_tools\":[\"Read\"],\"input\":\"x\"}",
        "{\"id\":\"a\",\"tool\":\"Read\",\"allowed_tools\":[\"Read\"],\"disallowed_tools\":\"Read\",\"input\":\"x\"}",
        "{\"id\":\"a\",\"tool\":\"Read\",\"allowed_tools\":[],\"input\":\"x\",\"context\":{\"cwd\":\"rel\"}}"};
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++)
        assert_true(policy_case_answer_line(BAD[i], strlen(BAD[i]), NULL, &answer, &err) < 0);
}

static int only_cargo(struct policy **ret, struct err *err)
{
    return policy_from_list_new("x", "Bash(cargo *)", "ceiling", ret, err);
}

static void test_policy_cases_without_list_are_asked_of_the_ceiling(void **state)
{
    (void)state;
    static const struct {
        const char *line, *expected;
    } ROWS[] = {{"{\"id\":\"a\",\"tool\":\"Bash\",\"input\":\"cargo test\"}", "allow"},
                {"{\"id\":\"a\",\"tool\":\"Bash\",\"input\":\"cargo test\",\"allowed_tools\":null}", "allow"},
                {"{\"id\":\"a\",\"tool\":\"Bash\",\"input\":\"git log\"}", "deny"},
                {"{\"id\":\"a\",\"tool\":\"Bash\",\"input\":\"cargo test\",\"deny\":[\"Bash(cargo test)\"]}", "deny"},
                {"{\"id\":\"a\",\"tool\":\"Bash\",\"input\":\"cargo test\",\"allowed_tools\":[]}", "deny"}};
    for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
        struct err err = {0};
        AUTO_JSON json_t *answer = NULL;
        assert_ok(policy_case_answer_line(ROWS[i].line, strlen(ROWS[i].line), only_cargo, &answer, &err), &err);
        assert_string_equal(json_str(answer, "decision", ""), ROWS[i].expected);
    }
}

static void test_policy_cases_refusal_names_the_line(void **state)
{
    (void)state;
    AUTO_JSON json_t *broken = policy_case_refusal_new("{", 1, 3, "no JSON");
    assert_int_equal(json_int(broken, "id", 0), 3);
    assert_string_equal(json_str(broken, "decision", ""), "deny");
    assert_string_equal(json_str(broken, "reason", ""), "line 3: no JSON");
    AUTO_JSON json_t *named = policy_case_refusal_new("{\"id\":\"z\"}", 10, 4, "no tool");
    assert_string_equal(json_str(named, "id", ""), "z");
}

static void test_policy_cases_load_error_is_deny_with_place(void **state)
{
    (void)state;
    struct err err = {0};
    AUTO_JSON json_t *answer = NULL;
    const char *line = "{\"id\":\"a\",\"allowed_tools\":[\"Read\",\"Raed\"],\"tool\":\"Read\",\"input\":\"x\"}";
    assert_ok(policy_case_answer_line(line, strlen(line), NULL, &answer, &err), &err);
    assert_string_equal(json_str(answer, "decision", ""), "deny");
    assert_non_null(strstr(json_str(answer, "reason", ""), "case:2"));
    assert_non_null(strstr(json_str(answer, "reason", ""), "Raed"));
}

static void test_policy_cases_lists_split_outside_parentheses(void **state)
{
    (void)state;
    char **list = policy_list_split("Read, Bash(git log *) Task(a, b),Bash(x (y) z)");
    assert_string_equal(list[0], "Read");
    assert_string_equal(list[1], "Bash(git log *)");
    assert_string_equal(list[2], "Task(a, b)");
    assert_string_equal(list[3], "Bash(x (y) z)");
    assert_null(list[4]);
    str_list_free(list);
}

static void test_policy_check_takes_strings_and_argv(void **state)
{
    (void)state;
    struct err err = {0};
    struct policy *p = NULL;
    struct decision d;
    struct policy_context c = {.workspace = "/ws"};
    assert_ok(policy_from_list_new("x", "Bash(cargo *), Read", "list", &p, &err), &err);
    policy_check(p, &c, "Bash", "[\"cargo\", \"test\", \"a;b\"]", &d);
    assert_int_equal(d.verdict, POLICY_ALLOW);
    policy_check(p, &c, "Bash", "cargo test; id", &d);
    assert_int_equal(d.verdict, POLICY_DENY);
    policy_check(p, &c, "Bash", " {\"command\": \"cargo test\", \"timeout\": 5}", &d);
    assert_int_equal(d.verdict, POLICY_ALLOW);
    policy_check(p, &c, "Bash", "{\"command\": \"cargo test; id\"}", &d);
    assert_int_equal(d.verdict, POLICY_DENY);
    policy_check(p, &c, "Bash", "{\"cmd\": \"cargo test\"}", &d);
    assert_int_equal(d.verdict, POLICY_DENY);
    assert_non_null(strstr(d.reason, "without a text \"command\""));
    policy_check(p, &c, "Read", "src/a.rs", &d);
    assert_int_equal(d.verdict, POLICY_ALLOW);
    AUTO_JSON json_t *v = decision_to_json_new(&d);
    assert_string_equal(json_str(v, "where", ""), "list:1");
    policy_free(p);
    assert_int_equal(policy_from_list_new("x", "", "list", &p, &err), -ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_policy_cases_agree_with_expected),
        cmocka_unit_test(test_policy_cases_setup_makes_links_and_sizes),
        cmocka_unit_test(test_policy_cases_bad_cases_are_errors),
        cmocka_unit_test(test_policy_cases_without_list_are_asked_of_the_ceiling),
        cmocka_unit_test(test_policy_cases_refusal_names_the_line),
        cmocka_unit_test(test_policy_cases_load_error_is_deny_with_place),
        cmocka_unit_test(test_policy_cases_lists_split_outside_parentheses),
        cmocka_unit_test(test_policy_check_takes_strings_and_argv),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
