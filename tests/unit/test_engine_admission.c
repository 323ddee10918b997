// orchestrator/engine: who comes next when not all runs may be at work; and what is measured, as text.
#include "store_fixture.h"

#include "base/mem.h"
#include "base/str.h"
#include "door/metrics.h"
#include "engine/admission.h"
#include "engine/metrics.h"

#include <stdio.h>
#include <string.h>

// "a1 b1 a2": everybody in the order in which they are admitted when nobody ends.
static void check_order(struct admission *a, const char *expected)
{
    AUTO_JSON json_t *busy = json_object();
    size_t count = 0;
    char **ids = str_split(expected, " ", true, &count);
    assert_int_equal(admission_length(a), count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(admission_position(a, ids[i], busy), i + 1);
    assert_int_equal(admission_position(a, "nobody", busy), 0);
    for (size_t i = 0; i < count; i++) {
        const char *next = admission_next(a, busy);
        char project[8];
        assert_string_equal(next, ids[i]);
        snprintf(project, sizeof(project), "/%c", *ids[i]);
        json_put_int(busy, project, json_int(busy, project, 0) + 1);
        assert_true(admission_remove(a, ids[i]));
    }
    assert_null(admission_next(a, busy));
    str_list_free(ids);
}

static void test_admission_turns_of_projects(void **state)
{
    struct fixture *f = *state;
    struct admission *a = admission_new(f->s, 1, 10);
    static const char *const RUNS[] = {"a1", "a2", "a3", "b1", "c1", "b2"};
    for (size_t i = 0; i < ARRAY_LEN(RUNS); i++) {
        char project[8];
        snprintf(project, sizeof(project), "/%c", *RUNS[i]);
        admission_add(a, RUNS[i], project);
    }
    check_order(a, "a1 b1 c1 a2 b2 a3");
    // one that was just served comes behind those that were not
    admission_add(a, "a4", "/a");
    admission_add(a, "b3", "/b");
    admission_served(a, "/a");
    check_order(a, "b3 a4");
    admission_free(a);
}

static void test_admission_limits(void **state)
{
    struct fixture *f = *state;
    struct admission *a = admission_new(f->s, 2, 1);
    assert_true(admission_has_place(a, 1));
    assert_false(admission_has_place(a, 2));
    assert_ok(admission_check_room(a, &f->err), &f->err);
    admission_add(a, "a1", "/a");
    assert_int_equal(admission_check_room(a, &f->err), -ERR_LIMIT);
    assert_true(strstr(f->err.text, "1 runs wait") != NULL);
    assert_true(admission_has(a, "a1"));
    assert_false(admission_remove(a, "a2"));
    admission_free(a);
    a = admission_new(f->s, 0, 0);
    assert_true(admission_has_place(a, 1000000));
    admission_free(a);
}

// The queue is what the journal says, and the same for those who only look. Children begin with their parents.
static void test_admission_of_the_journal(void **state)
{
    struct fixture *f = *state;
    fixture_run(f, "a1", "/a", "a1", NULL);
    fixture_run(f, "a2", "/a", "a2", NULL);
    fixture_run(f, "b1", "/b", "b1", NULL);
    fixture_run(f, "a3", "/a", "a3", NULL);
    fixture_run(f, "child", "/c", "child", "a1");
    fixture_run(f, "over", "/b", "over", NULL);
    assert_ok(store_run_set_state(f->s, "a1", RUN_RUNNING, NULL, &f->err), &f->err);
    assert_ok(store_run_set_state(f->s, "over", RUN_CANCELLED, NULL, &f->err), &f->err);
    struct admission *a = admission_new(f->s, 1, 10);
    assert_ok(admission_load(a, &f->err), &f->err);
    AUTO_JSON json_t *busy = json_pack("{s:i}", "/a", 1);
    AUTO_JSON json_t *positions = admission_positions_new(f->s, &f->err);
    static const char *const EXPECTED[] = {"b1", "a2", "a3"};
    assert_int_equal(json_object_size(positions), ARRAY_LEN(EXPECTED));
    for (size_t i = 0; i < ARRAY_LEN(EXPECTED); i++) {
        assert_int_equal(admission_position(a, EXPECTED[i], busy), i + 1);
        assert_int_equal(json_int(positions, EXPECTED[i], 0), i + 1);
    }
    admission_free(a);
    assert_true(store_run_key_known(f->s, "a2"));
    assert_false(store_run_key_known(f->s, "a9"));
    assert_false(store_run_key_known(f->s, NULL));
}

// The moment a run leaves the queue is kept, and only the first one counts.
static void test_started_is_kept(void **state)
{
    struct fixture *f = *state;
    fixture_run(f, "a1", "/a", "a1", NULL);
    AUTO_JSON json_t *queued = store_run_get_new(f->s, "a1", &f->err);
    assert_true(json_is_null(json_object_get(queued, "started_ns")));
    assert_ok(store_run_set_state(f->s, "a1", RUN_RUNNING, NULL, &f->err), &f->err);
    AUTO_JSON json_t *first = store_run_get_new(f->s, "a1", &f->err);
    assert_ok(store_run_set_state(f->s, "a1", RUN_RUNNING, NULL, &f->err), &f->err);
    AUTO_JSON json_t *again = store_run_get_new(f->s, "a1", &f->err);
    assert_true(json_int(first, "started_ns", 0) >= json_int(first, "created_ns", 0));
    assert_int_equal(json_int(again, "started_ns", 0), json_int(first, "started_ns", 1));
}

static void test_metrics_text_and_bounds(void **state)
{
    (void)state;
    struct metrics *m = metrics_new();
    metrics_set(m, METRIC_BUILD_INFO, "1.0\"\\\n", NULL, 1);
    metrics_observe(m, METRIC_COMMIT_TURNS, NULL, NULL, 2); // on a bound: in its bucket
    metrics_observe(m, METRIC_COMMIT_TURNS, NULL, NULL, 2.5);
    metrics_observe(m, METRIC_COMMIT_TURNS, NULL, NULL, 1e9); // behind the last bound
    AUTO_FREE char *text = metrics_text(m);
    static const char *const LINES[] = {"baton_build_info{version=\"1.0\\\"\\\\\\n\"} 1\n",
                                        "baton_commit_turns_bucket{le=\"1\"} 0\n",
                                        "baton_commit_turns_bucket{le=\"2\"} 1\n",
                                        "baton_commit_turns_bucket{le=\"4\"} 2\n",
                                        "baton_commit_turns_bucket{le=\"512\"} 2\n",
                                        "baton_commit_turns_bucket{le=\"+Inf\"} 3\n",
                                        "baton_commit_turns_sum 1000000004.5\n",
                                        "baton_commit_turns_count 3\n",
                                        "baton_runs_started_total 0\n"};
    for (size_t i = 0; i < ARRAY_LEN(LINES); i++)
        if (!strstr(text, LINES[i]))
            fail_msg("'%s' is not in\n%s", LINES[i], text);
    for (int i = 0; i < 3 * METRIC_SERIES_MAX; i++) { // labels that nobody foresaw do not eat the memory
        char label[16];
        snprintf(label, sizeof(label), "%d", i);
        metrics_add(m, METRIC_RUNS_FINISHED, label, NULL, 1);
    }
    assert_int_equal(metrics_series_count(m, METRIC_RUNS_FINISHED), METRIC_SERIES_MAX);
    metrics_add(NULL, METRIC_RUNS_FINISHED, "accepted", NULL, 1); // nobody measures
    metrics_event(NULL, EVENT_RUN_FINISHED, NULL);
    metrics_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_admission_turns_of_projects, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_admission_limits, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_admission_of_the_journal, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_started_is_kept, fixture_setup, fixture_teardown),
        cmocka_unit_test(test_metrics_text_and_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
