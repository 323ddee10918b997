// What a set of agents can cause together.
#include "support/support.h"

#include "base/mem.h"
#include "policy/closure.h"
#include "policy/policy_cases.h"
#include "json/json.h"

#include <string.h>

static struct policy *rules(const char *list)
{
    struct err err = {0};
    struct policy *p = NULL;
    assert_ok(policy_from_list_new("x", list, "f", &p, &err), &err);
    return p;
}

static void test_policy_closure_tells_what_can_be_caused(void **state)
{
    (void)state;
    struct err err = {0};
    AUTO_JSON json_t *v = NULL;
    struct policy *review = rules("Read, Task(perf)"), *perf = rules("Read, Task(dev), Task(ghost)"),
                  *dev = rules("Read, Write, Task(review)"), *hands_on = rules("Read");
    struct closure_agent set[] = {
        {"review", review, NULL, false}, {"perf", perf, NULL, false}, {"dev", dev, NULL, false}};
    assert_ok(closure_of(set, 3, &v, &err), &err);
    char *text = json_compact(v);
    assert_non_null(strstr(text, "{\"right\":\"Write\",\"through\":[\"perf\",\"dev\"]}"));
    assert_non_null(strstr(text, "{\"right\":\"Write\",\"through\":[\"dev\"]}"));
    assert_non_null(strstr(text, "\"cycles\":[[\"review\",\"perf\",\"dev\",\"review\"]]"));
    assert_non_null(strstr(text, "\"unknown\":[\"ghost\"]"));
    mem_free(text);
    json_decref(v);
    set[1].attenuate = true;
    assert_ok(closure_of(set, 3, &v, &err), &err);
    text = json_compact(v);
    assert_null(strstr(text, "right"));
    mem_free(text);
    json_decref(v);
    set[1].attenuate = false;
    set[1].grant = hands_on;
    assert_ok(closure_of(set, 3, &v, &err), &err);
    text = json_compact(v);
    assert_null(strstr(text, "right"));
    mem_free(text);
    assert_int_equal(closure_of(set, CLOSURE_AGENTS_MAX + 1, &v, &err), -ERR_LIMIT);
    policy_free(review);
    policy_free(perf);
    policy_free(dev);
    policy_free(hands_on);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_policy_closure_tells_what_can_be_caused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
