// orchestrator/engine: what people and programs tell a run (letters), and what the store knows of families and
// published values.
#include "store_fixture.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "run/letters.h"

#include <string.h>

static int setup(void **state)
{
    fixture_setup(state);
    fixture_run(*state, "r", "/p", NULL, NULL);
    return 0;
}

// --- questions ---

// A question as the engine journals it; extra: further members as JSON text.
static void ask(struct fixture *f, unsigned n, const char *text, const char *extra)
{
    AUTO_JSON json_t *body = json_parse_new(extra, strlen(extra), "extra", &f->err);
    assert_non_null(body);
    json_put_str(body, "question", text);
    json_put_str(body, "task", "0");
    json_put_int(body, "n", n);
    assert_ok(store_event_add(f->s, "r", EVENT_APPROVAL_ASKED, body, NULL, &f->err), &f->err);
}

static int answer(struct fixture *f, const char *by, const char *question, const char *subject)
{
    json_t *q = NULL;
    struct letter_answer a = {.approved = true, .by = by, .question = question, .subject = subject};
    int r = letter_answer(f->s, "r", &a, &q, &f->err);
    json_decref(q);
    return r;
}

static size_t open_questions(struct fixture *f, bool unanswered)
{
    AUTO_JSON json_t *list = store_questions_new(f->s, "r", &f->err);
    size_t i, n = 0;
    json_t *q;
    assert_non_null(list);
    json_array_foreach (list, i, q)
        n += !unanswered || !json_flag(q, "answered", false);
    return n;
}

static void test_letters_the_oldest_question_is_answered_once(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(answer(f, "ann", NULL, NULL), -ERR_STATE);
    ask(f, 0, "one", "{}");
    ask(f, 1, "two", "{}");
    ask(f, 1, "two", "{}"); // asked again after a restart: the same question
    assert_int_equal(open_questions(f, false), 2);
    assert_ok(answer(f, "ann", NULL, NULL), &f->err);
    assert_int_equal(open_questions(f, true), 1);
    assert_int_equal(answer(f, "ann", "0:0", NULL), -ERR_NOT_FOUND); // its answer is on its way
    assert_ok(answer(f, "ann", NULL, NULL), &f->err);
    assert_int_equal(answer(f, "ann", NULL, NULL), -ERR_STATE);
    AUTO_JSON json_t *inbox = store_inbox_list_new(f->s, "r", 0, &f->err);
    assert_int_equal(json_array_size(inbox), 2);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(json_int(json_obj(json_array_get(inbox, i), "body"), "n", -1), i);
    // An answer that the engine has taken closes the question.
    AUTO_JSON json_t *taken = json_object();
    assert_ok(store_call_put(f->s, "r", "0", 0, "approve", "h", taken, &f->err), &f->err);
    assert_int_equal(open_questions(f, false), 1);
}

static void test_letters_who_may_and_for_what(void **state)
{
    struct fixture *f = *state;
    const char *subject = "0123456789abcdef0123";
    ask(f, 0, "keep it?", "{\"who\": [\"ann\", \"bob\"], \"subject\": \"0123456789abcdef0123\"}");
    assert_int_equal(answer(f, "eve", NULL, NULL), -ERR_DENIED);
    assert_non_null(strstr(f->err.text, "only ann, bob may"));
    assert_int_equal(answer(f, "ann", NULL, "0123456789abcdef9999"), -ERR_CONFLICT);
    assert_int_equal(answer(f, "ann", NULL, "0123456"), -ERR_CONFLICT); // too short to stand for the whole
    assert_int_equal(answer(f, "ann", NULL, ""), -ERR_CONFLICT);
    assert_int_equal(answer(f, "ann", "0:7", NULL), -ERR_NOT_FOUND);
    AUTO_JSON json_t *inbox = store_inbox_list_new(f->s, "r", 0, &f->err);
    assert_int_equal(json_array_size(inbox), 0); // a refusal leaves nothing behind
    assert_ok(answer(f, "bob", "0:0", "0123456789ab"), &f->err);
    ask(f, 1, "and this?", "{}");
    assert_int_equal(answer(f, "eve", NULL, subject), -ERR_CONFLICT); // it is about nothing
    assert_ok(answer(f, "eve", NULL, NULL), &f->err);
}

static void test_letters_expired_and_finished(void **state)
{
    struct fixture *f = *state;
    ask(f, 0, "in time?", "{\"expires_ms\": 1}");
    int64_t asked = clock_wall_ns();
    while (clock_wall_ns() < asked + 2 * NS_PER_MS)
        ;
    assert_int_equal(answer(f, "ann", NULL, NULL), -ERR_STATE);
    assert_non_null(strstr(f->err.text, "has expired"));
    ask(f, 1, "later?", "{\"expires_ms\": 3600000}");
    ask(f, 2, "ever?", "{}");
    AUTO_JSON json_t *list = store_questions_new(f->s, "r", &f->err);
    assert_int_equal(json_array_size(list), 3);
    for (size_t i = 0; i < 3; i++) // only the first one is marked
        assert_int_equal(json_flag(json_array_get(list, i), "expired", false), i == 0);
    assert_ok(store_run_set_state(f->s, "r", RUN_ACCEPTED, NULL, &f->err), &f->err);
    assert_int_equal(open_questions(f, false), 0);
    assert_int_equal(answer(f, "ann", NULL, NULL), -ERR_STATE);
    assert_int_equal(letter_signal(f->s, "r", "go", NULL, "ann", &f->err), -ERR_STATE);
    assert_int_equal(letter_signal(f->s, "absent", "go", NULL, "ann", &f->err), -ERR_NOT_FOUND);
    assert_null(store_questions_new(f->s, "absent", &f->err));
}

// --- signals ---

static void test_letters_names_and_sizes(void **state)
{
    struct fixture *f = *state;
    static const char *const BAD[] = {"", "two words", "a/b", "\xC3\xA4",
                                      "0123456789012345678901234567890123456789012345678901234567890123x"};
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++)
        assert_int_equal(letter_signal(f->s, "r", BAD[i], NULL, "ann", &f->err), -ERR_INVALID);
    AUTO_FREE char *text = mem_alloc(LETTER_VALUE_MAX + 1);
    memset(text, 'x', LETTER_VALUE_MAX);
    AUTO_JSON json_t *large = json_string(text);
    assert_int_equal(letter_signal(f->s, "r", "go", large, "ann", &f->err), -ERR_LIMIT);
    text[LETTER_VALUE_MAX - 2] = '\0'; // and its quotes
    AUTO_JSON json_t *fits = json_string(text);
    assert_ok(letter_signal(f->s, "r", "A-z_0.9", fits, "ann", &f->err), &f->err);
}

static void test_letters_signals_that_nobody_waits_for_are_bounded(void **state)
{
    struct fixture *f = *state;
    assert_ok(store_begin(f->s, &f->err), &f->err);
    for (int i = 0; i < LETTER_SIGNALS_MAX; i++)
        assert_ok(letter_signal(f->s, "r", "go", NULL, "ann", &f->err), &f->err);
    assert_int_equal(letter_signal(f->s, "r", "go", NULL, "ann", &f->err), -ERR_LIMIT);
    AUTO_JSON json_t *taken = json_pack("{s:i}", "inbox", 1);
    assert_ok(store_call_put(f->s, "r", "0", 0, "signal", "h", taken, &f->err), &f->err);
    assert_ok(letter_signal(f->s, "r", "go", NULL, "ann", &f->err), &f->err); // one was taken
    assert_ok(store_commit(f->s, &f->err), &f->err);
}

static void end_as(struct fixture *f, const char *run, const char *next)
{
    AUTO_JSON json_t *result = json_object();
    json_put_str(result, "continued_as", next);
    assert_ok(store_run_set_state(f->s, run, RUN_CONTINUED, result, &f->err), &f->err);
}

static void test_letters_follow_a_run_that_goes_on(void **state)
{
    struct fixture *f = *state;
    fixture_run(f, "second", "/p", NULL, NULL);
    fixture_run(f, "third", "/p", NULL, NULL);
    end_as(f, "r", "second");
    end_as(f, "second", "third");
    AUTO_FREE char *latest = letter_latest(f->s, "r");
    assert_string_equal(latest, "third");
    assert_null(letter_latest(f->s, "absent"));
    assert_ok(letter_signal(f->s, "r", "go", NULL, "ann", &f->err), &f->err);
    AUTO_JSON json_t *inbox = store_inbox_list_new(f->s, "third", 0, &f->err);
    assert_int_equal(json_array_size(inbox), 1);
}

// --- the store beneath ---

static void publish(struct fixture *f, unsigned n, const char *name, int value)
{
    AUTO_JSON json_t *args = json_pack("{s:s, s:i}", "name", name, "value", value);
    assert_ok(store_call_put(f->s, "r", "0", n, "publish", "h", args, &f->err), &f->err);
}

static void test_store_published_newest_counts(void **state)
{
    struct fixture *f = *state;
    publish(f, 10, "a", 1); // the order of writing counts, not the number of the call
    publish(f, 2, "a", 2);
    publish(f, 3, "b", 3);
    AUTO_JSON json_t *values = store_published_new(f->s, "r", &f->err);
    assert_int_equal(json_object_size(values), 2);
    assert_int_equal(json_int(json_obj(values, "a"), "value", 0), 2);
    assert_true(json_int(json_obj(values, "b"), "at_ns", 0) > 0);
    assert_null(store_published_new(f->s, "absent", &f->err));
}

static void test_store_children_in_order(void **state)
{
    struct fixture *f = *state;
    fixture_run(f, "c1", "/p", NULL, "r");
    fixture_run(f, "c2", "/p", NULL, "r");
    fixture_run(f, "other", "/p", NULL, "c1");
    assert_ok(store_run_set_state(f->s, "c1", RUN_ACCEPTED, NULL, &f->err), &f->err);
    AUTO_JSON json_t *all = store_run_children_new(f->s, "r", false, &f->err);
    AUTO_JSON json_t *open = store_run_children_new(f->s, "r", true, &f->err);
    assert_int_equal(json_array_size(all), 2);
    assert_string_equal(json_str(json_array_get(all, 0), "id", ""), "c1");
    assert_string_equal(json_str(json_array_get(all, 0), "state", ""), "accepted");
    assert_int_equal(json_array_size(open), 1);
    assert_string_equal(json_str(json_array_get(open, 0), "id", ""), "c2");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        T(test_letters_the_oldest_question_is_answered_once),
        T(test_letters_who_may_and_for_what),
        T(test_letters_expired_and_finished),
        T(test_letters_names_and_sizes),
        T(test_letters_signals_that_nobody_waits_for_are_bounded),
        T(test_letters_follow_a_run_that_goes_on),
        T(test_store_published_newest_counts),
        T(test_store_children_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
