// orchestrator/engine/loops: what goes nowhere is seen, what makes progress is not.
#include "support/support.h"

#include "base/mem.h"
#include "base/str.h"
#include "run/key.h"
#include "run/loops.h"

#include <string.h>

struct talk {
    struct loops *loops;
    int64_t stage;
    json_t *last; // handoff
};

static int set_up(void **state)
{
    struct talk *t = mem_alloc(sizeof(*t));
    t->loops = loops_new();
    *state = t;
    return 0;
}

static int tear_down(void **state)
{
    struct talk *t = *state;
    loops_free(t->loops);
    json_decref(t->last);
    mem_free(t);
    return 0;
}

// A stage of `agent` in `task` that is asked `input` and says `summary`; findings "file|text,…" make it a verdict.
static void say(struct talk *t, const char *task, const char *agent, const char *input, const char *summary,
                const char *findings)
{
    json_t *h = json_object(), *output = json_object(), *list = json_array();
    char content[HASH_TEXT];
    AUTO_FREE char *id = str_printf("h%d", (int)++t->stage);
    json_put_str(h, "id", id);
    json_put_str(h, "summary", summary);
    json_put_str(h, "verdict", findings ? (*findings ? "changes_requested" : "approved") : NULL);
    char **items = str_split(findings ? findings : "", ",", true, NULL);
    for (char **item = items; *item; item++) {
        json_t *request = json_object();
        AUTO_FREE char *file = str_ndup(*item, strcspn(*item, "|"));
        if (!**item) {
            json_decref(request);
            continue;
        }
        json_put_str(request, "file", file);
        json_put_str(request, "issue", *item + strcspn(*item, "|"));
        json_array_append_new(list, request);
    }
    str_list_free(items);
    json_put(output, "requests", list);
    json_put(h, "output", output);
    key_of_content(h, content);
    loops_placed(t->loops, t->stage, task, agent, "m", input);
    loops_heard(t->loops, t->stage, h, content);
    json_decref(t->last);
    t->last = h;
}

// The rule that stops the next stage, "" for none.
static const char *next(struct talk *t, const char *task, const char *agent, const char *input, bool after_last)
{
    AUTO_JSON json_t *parents = after_last ? json_pack("[O]", t->last) : json_array();
    AUTO_JSON json_t *v = loops_check_new(t->loops, task, agent, input, parents);
    const char *rule = json_str(v, "rule", "");
    return str_eq(rule, "same_input") ? "same_input" : str_eq(rule, "same_finding") ? "same_finding" : "";
}

static void test_the_same_question_twice_in_a_row(void **state)
{
    struct talk *t = *state;
    assert_string_equal(next(t, "0", "a", "i", false), "");
    say(t, "0", "a", "i", "x", NULL);
    assert_string_equal(next(t, "0", "a", "i", false), "same_input");
    assert_string_equal(next(t, "0", "a", "other", false), "");
    assert_string_equal(next(t, "0.1", "a", "i", false), ""); // a fan-out asks in other tasks
    loops_news(t->loops);                                     // a timer or a person
    assert_string_equal(next(t, "0", "a", "i", false), "");
}

static void test_ping_pong_stops_when_nobody_says_anything_new(void **state)
{
    struct talk *t = *state;
    say(t, "0", "a", "i", "x", NULL);
    say(t, "0", "b", "k", "y", NULL);
    assert_string_equal(next(t, "0", "a", "i", true), ""); // b has said something since
    say(t, "0", "a", "i", "x", NULL);
    assert_string_equal(next(t, "0", "b", "k", true), "same_input");
    AUTO_JSON json_t *none = json_array();
    AUTO_JSON json_t *v = loops_check_new(t->loops, "0", "b", "k", none);
    assert_int_equal(json_integer_value(json_array_get(json_list(v, "stages"), 0)), 2);
    assert_int_equal(json_integer_value(json_array_get(json_list(v, "stages"), 1)), 3);
    assert_non_null(strstr(json_str(v, "reason", ""), "stage 2"));
}

static void test_a_loop_that_makes_progress_goes_on(void **state)
{
    struct talk *t = *state;
    for (int i = 0; i < 20; i++) {
        AUTO_FREE char *measured = str_printf("%d ms", 100 - i);
        assert_string_equal(next(t, "0", "a", "i", true), "");
        say(t, "0", "a", "i", "the same each time", NULL);
        say(t, "0", "b", "k", measured, NULL);
    }
}

static void test_the_same_finding_after_somebody_worked_on_it(void **state)
{
    struct talk *t = *state;
    say(t, "0", "review", "1", "no", "a.rs|slow,b.rs|wrong");
    assert_string_equal(next(t, "0", "dev", "2", true), "");
    say(t, "0", "dev", "2", "done", NULL);
    say(t, "0", "review", "3", "no", "b.rs|wrong,c.rs|new");
    assert_string_equal(next(t, "0", "dev", "4", true), "same_finding");
    assert_string_equal(next(t, "0", "dev", "4", false), "same_finding");  // the same task, whatever it hands on
    assert_string_equal(next(t, "0.2", "dev", "4", true), "same_finding"); // another task that gets the verdict
    assert_string_equal(next(t, "0.2", "dev", "4", false), "");
    AUTO_JSON json_t *none = json_array();
    AUTO_JSON json_t *v = loops_check_new(t->loops, "0", "dev", "4", none);
    assert_string_equal(json_str(json_obj(v, "finding"), "file", ""), "b.rs");
    assert_int_equal(json_integer_value(json_array_get(json_list(v, "stages"), 0)), 1);
    assert_int_equal(json_integer_value(json_array_get(json_list(v, "stages"), 1)), 3);
    assert_non_null(strstr(json_str(v, "reason", ""), "b.rs: |wrong"));
}

static void test_other_findings_are_progress(void **state)
{
    struct talk *t = *state;
    say(t, "0", "review", "1", "no", "a.rs|slow,a.rs|slow,b.rs|x");
    say(t, "0", "dev", "2", "done", NULL);
    say(t, "0", "review", "3", "no", "a.rs|slow,b.rs|y"); // fewer of the one, another of the other
    assert_string_equal(next(t, "0", "dev", "4", true), "");
    say(t, "0", "dev", "4", "done more", NULL);
    say(t, "0", "review", "5", "no", "a.rs|slow"); // as many as before
    assert_string_equal(next(t, "0", "dev", "6", true), "same_finding");
}

static void test_the_same_finding_needs_a_round_and_a_verdict(void **state)
{
    struct talk *t = *state;
    say(t, "0.1", "review", "1", "no", "a.rs|slow"); // reviewers side by side agree: no round in between
    say(t, "0.2", "review", "2", "no", "a.rs|slow");
    assert_string_equal(next(t, "0", "dev", "3", true), "");
    say(t, "0", "dev", "3", "done", NULL);
    say(t, "0", "review", "4", "yes", "");
    assert_string_equal(next(t, "0", "dev", "5", true), "");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_the_same_question_twice_in_a_row),   T(test_ping_pong_stops_when_nobody_says_anything_new),
        T(test_a_loop_that_makes_progress_goes_on), T(test_the_same_finding_after_somebody_worked_on_it),
        T(test_other_findings_are_progress),        T(test_the_same_finding_needs_a_round_and_a_verdict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
