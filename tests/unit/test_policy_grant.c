// Delegation: grants shrink, coordinators grant what they may not use, limits and cycles are found, and the closure is
// told.
#include "support/support.h"

#include "base/mem.h"
#include "policy/grant.h"
#include "policy/policy_cases.h"
#include "json/json.h"

#include <string.h>

static const struct policy_context CONTEXT = {.workspace = "/ws"};

static struct policy *rules(const char *list)
{
    struct err err = {0};
    struct policy *p = NULL;
    assert_ok(policy_from_list_new("x", list, "f", &p, &err), &err);
    return p;
}

static bool may_write(const struct policy *p)
{
    struct decision d;
    decide_path(p, &CONTEXT, "Write", "src/a.rs", &d);
    return d.verdict == POLICY_ALLOW;
}

static void test_policy_grant_coordinator_grants_what_it_may_not_use(void **state)
{
    (void)state;
    struct err err = {0};
    struct policy *lead = rules("Read, Task(dev)"), *hand_on = rules("Read, Write"),
                  *dev = rules("Read, Write, Bash(cargo *)");
    struct grant_declaration l = {"lead", lead, hand_on, false}, d = {"dev", dev, NULL, false};
    struct grant *root = grant_root_new(&l, NULL, (struct grant_limits){0}), *child = NULL;
    assert_false(may_write(grant_use(root)));
    assert_ok(grant_delegate(root, &d, &child, &err), &err);
    assert_true(may_write(grant_use(child)));
    struct decision run;
    decide_command(grant_use(child), &CONTEXT, "cargo build", &run); // declared, but not granted
    assert_int_equal(run.verdict, POLICY_DENY);
    assert_int_equal(grant_depth(child), 1);
    grant_free(child);
    grant_free(root);
    policy_free(lead);
    policy_free(hand_on);
    policy_free(dev);
}

static void test_policy_grant_attenuate_and_ceiling(void **state)
{
    (void)state;
    struct err err = {0};
    struct policy *lead = rules("Read, Task(dev)"), *dev = rules("Read, Write"), *ceiling = rules("Read, Task(dev)");
    struct grant_declaration l = {"lead", lead, NULL, true}, open = {"lead", lead, NULL, false},
                             d = {"dev", dev, NULL, false};
    struct grant *root = grant_root_new(&l, NULL, (struct grant_limits){0}), *child = NULL;
    assert_ok(grant_delegate(root, &d, &child, &err), &err);
    assert_false(may_write(grant_use(child)));
    grant_free(child);
    grant_free(root);
    root = grant_root_new(&open, ceiling, (struct grant_limits){0});
    assert_ok(grant_delegate(root, &d, &child, &err), &err);
    assert_false(may_write(grant_use(child)));
    grant_free(child);
    grant_free(root);
    root = grant_root_new(&open, NULL, (struct grant_limits){0});
    assert_ok(grant_delegate(root, &d, &child, &err), &err);
    assert_true(may_write(grant_use(child)));
    grant_free(child);
    grant_free(root);
    policy_free(lead);
    policy_free(dev);
    policy_free(ceiling);
}

static void test_policy_grant_refusals(void **state)
{
    (void)state;
    struct err err = {0};
    struct policy *any = rules("Read, Task"), *none = rules("Read");
    struct grant_declaration a = {"a", any, NULL, false}, b = {"b", any, NULL, false}, c = {"c", any, NULL, false},
                             n = {"n", none, NULL, false};
    struct grant *root = grant_root_new(&a, NULL, (struct grant_limits){2, 2}), *one = NULL, *two = NULL, *no = NULL;
    assert_ok(grant_delegate(root, &b, &one, &err), &err);
    assert_int_equal(grant_delegate(one, &a, &no, &err), -ERR_CONFLICT);
    assert_non_null(strstr(err.text, "a -> b -> a"));
    assert_ok(grant_delegate(one, &c, &two, &err), &err);
    assert_int_equal(grant_delegate(two, &n, &no, &err), -ERR_LIMIT);  // depth
    assert_int_equal(grant_delegate(root, &n, &no, &err), -ERR_LIMIT); // total
    grant_free(two);
    grant_free(one);
    grant_free(root);
    root = grant_root_new(&n, NULL, (struct grant_limits){0});
    assert_int_equal(grant_delegate(root, &a, &no, &err), -ERR_DENIED);
    assert_non_null(strstr(err.text, "Task(a)"));
    grant_free(root);
    policy_free(any);
    policy_free(none);
}

static void test_policy_grant_closure_tells_what_can_be_caused(void **state)
{
    (void)state;
    struct err err = {0};
    AUTO_JSON json_t *v = NULL;
    struct policy *review = rules("Read, Task(perf)"), *perf = rules("Read, Task(dev), Task(ghost)"),
                  *dev = rules("Read, Write, Task(review)");
    struct grant_declaration set[] = {
        {"review", review, NULL, false}, {"perf", perf, NULL, false}, {"dev", dev, NULL, false}};
    assert_ok(grant_closure(set, 3, &v, &err), &err);
    char *text = json_compact(v);
    assert_non_null(strstr(text, "review can cause Write through perf -> dev"));
    assert_non_null(strstr(text, "perf can cause Write through dev"));
    assert_non_null(strstr(text, "\"cycles\":[[\"review\",\"perf\",\"dev\",\"review\"]]"));
    assert_non_null(strstr(text, "\"unknown\":[\"ghost\"]"));
    mem_free(text);
    json_decref(v);
    set[1].attenuate = true;
    assert_ok(grant_closure(set, 3, &v, &err), &err);
    text = json_compact(v);
    assert_null(strstr(text, "can cause"));
    mem_free(text);
    assert_int_equal(grant_closure(set, GRANT_AGENTS_MAX + 1, &v, &err), -ERR_LIMIT);
    policy_free(review);
    policy_free(perf);
    policy_free(dev);
}

static void test_policy_restrict_and_ceiling(void **state)
{
    (void)state;
    struct policy *p = rules("Read, Write"), *nothing = policy_new("none"), *copy = policy_copy_new(p);
    assert_true(may_write(copy));
    policy_restrict(copy, nothing); // a policy without a list allows nothing
    assert_false(may_write(copy));
    policy_free(copy);
    copy = policy_new("absent");
    policy_use_ceiling(copy, p);
    assert_true(may_write(copy));
    policy_free(copy);
    copy = policy_new("absent");
    policy_use_ceiling(copy, NULL);
    assert_false(may_write(copy));
    policy_free(copy);
    policy_free(nothing);
    policy_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_policy_grant_coordinator_grants_what_it_may_not_use),
        cmocka_unit_test(test_policy_grant_attenuate_and_ceiling),
        cmocka_unit_test(test_policy_grant_refusals),
        cmocka_unit_test(test_policy_grant_closure_tells_what_can_be_caused),
        cmocka_unit_test(test_policy_restrict_and_ceiling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
