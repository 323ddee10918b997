// orchestrator/store: runs, stages, script calls, handoffs, events, inbox, artifacts.
#include "store_fixture.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int create(struct fixture *f, const char *id, const char *project, const char *key, char ret[STORE_NAME_MAX])
{
    AUTO_JSON json_t *params = json_pack("{s:s}", "focus", "all");
    AUTO_JSON json_t *agents = json_object();
    struct store_run run = {.id = id,
                            .workflow = "relay",
                            .script_hash = "h",
                            .project = project,
                            .key = key,
                            .params = params,
                            .agents = agents};
    return store_run_create(f->s, &run, ret, &f->err);
}

static void new_run(struct fixture *f, const char *id)
{
    char ret[STORE_NAME_MAX];
    assert_int_equal(create(f, id, "/p", NULL, ret), 0);
    assert_string_equal(ret, id);
}

static int reserve(struct fixture *f, const struct store_result *result, const char *run, int seq, const char *key,
                   const char *lease)
{
    AUTO_JSON json_t *request = json_pack("{s:i}", "seq", seq);
    struct store_stage next = {.run = run,
                               .seq = seq,
                               .key = key,
                               .task = "0",
                               .agent = "echo",
                               .mode = "echo",
                               .lease = lease,
                               .request = request,
                               .reusable = true};
    return store_commit_stage(f->s, result, &next, 1, &f->err);
}

static void test_store_run_create_and_get(void **state)
{
    struct fixture *f = *state;
    new_run(f, "relay-1");
    AUTO_JSON json_t *row = store_run_get_new(f->s, "relay-1", &f->err);
    assert_non_null(row);
    assert_string_equal(json_str(row, "state", ""), "queued");
    assert_string_equal(json_str(json_obj(row, "params"), "focus", ""), "all");
    assert_true(json_is_null(json_object_get(row, "result")));
    char ret[STORE_NAME_MAX];
    assert_int_equal(create(f, "relay-1", "/p", NULL, ret), -ERR_EXISTS);
    assert_int_equal(create(f, "../x", "/p", NULL, ret), -ERR_INVALID);
    assert_null(store_run_get_new(f->s, "nothing", &f->err));
    assert_int_equal(f->err.code, ERR_NOT_FOUND);
}

static void test_store_same_key_is_the_same_run(void **state)
{
    struct fixture *f = *state;
    char ret[STORE_NAME_MAX];
    assert_int_equal(create(f, "a-1", "/p", "K", ret), 0);
    assert_int_equal(create(f, "a-2", "/p", "K", ret), 1);
    assert_string_equal(ret, "a-1");
    assert_int_equal(create(f, "a-3", "/other", "K", ret), -ERR_CONFLICT);
    assert_non_null(strstr(f->err.text, "a-1"));
    assert_null(store_run_get_new(f->s, "a-2", &f->err));
}

static void test_store_run_list_filters_newest_first(void **state)
{
    struct fixture *f = *state;
    char ret[STORE_NAME_MAX];
    create(f, "a", "/p", NULL, ret);
    create(f, "b", "/q", NULL, ret);
    create(f, "c", "/p", NULL, ret);
    assert_ok(store_run_set_state(f->s, "a", RUN_ACCEPTED, NULL, &f->err), &f->err);
    AUTO_JSON json_t *all = store_run_list_new(f->s, NULL, &f->err);
    assert_int_equal(json_array_size(all), 3);
    assert_string_equal(json_str(json_array_get(all, 0), "id", ""), "c");
    AUTO_JSON json_t *p = store_run_list_new(f->s, &(struct store_run_filter){.project = "/p", .limit = 1}, &f->err);
    assert_int_equal(json_array_size(p), 1);
    AUTO_JSON json_t *open =
        store_run_list_new(f->s, &(struct store_run_filter){.project = "/p", .unfinished = true}, &f->err);
    assert_int_equal(json_array_size(open), 1);
    assert_string_equal(json_str(json_array_get(open, 0), "id", ""), "c");
    AUTO_JSON json_t *done = store_run_list_new(f->s, &(struct store_run_filter){.state = "accepted"}, &f->err);
    assert_int_equal(json_array_size(done), 1);
}

static void test_store_final_state_is_for_ever(void **state)
{
    struct fixture *f = *state;
    new_run(f, "r");
    AUTO_JSON json_t *result = json_pack("{s:b}", "better", 1);
    assert_ok(store_run_set_state(f->s, "r", RUN_RUNNING, NULL, &f->err), &f->err);
    assert_ok(store_run_set_state(f->s, "r", RUN_FAILED, result, &f->err), &f->err);
    assert_int_equal(store_run_set_state(f->s, "r", RUN_ACCEPTED, NULL, &f->err), -ERR_STATE);
    assert_int_equal(store_run_request_cancel(f->s, "r", "no", &f->err), -ERR_STATE);
    assert_int_equal(reserve(f, NULL, "r", 1, "k", "l"), -ERR_STATE);
    AUTO_JSON json_t *row = store_run_get_new(f->s, "r", &f->err);
    assert_true(json_flag(json_obj(row, "result"), "better", false));
    assert_true(json_is_integer(json_object_get(row, "finished_ns")));
    assert_ok(store_run_reopen(f->s, "r", &(struct store_reopen){.script_hash = "h2"}, &f->err), &f->err);
    AUTO_JSON json_t *again = store_run_get_new(f->s, "r", &f->err);
    assert_string_equal(json_str(again, "state", ""), "running");
    assert_string_equal(json_str(again, "script_hash", ""), "h2");
    assert_ok(store_run_set_state(f->s, "r", RUN_ACCEPTED, NULL, &f->err), &f->err);
    assert_int_equal(store_run_reopen(f->s, "r", &(struct store_reopen){0}, &f->err), -ERR_STATE);
}

static void test_store_ledger_adds_up_in_its_batch(void **state)
{
    struct fixture *f = *state;
    new_run(f, "r");
    assert_ok(store_ledger_add(f->s, "r", "stages", 1, 0, &f->err), &f->err);
    assert_ok(store_begin(f->s, &f->err), &f->err);
    assert_ok(store_ledger_add(f->s, "r", "stages", -1, 1, &f->err), &f->err);
    assert_ok(store_ledger_add(f->s, "r", "tokens", 100, 0, &f->err), &f->err);
    store_rollback(f->s); // with what it was for
    AUTO_JSON json_t *before = store_ledger_new(f->s, "r", &f->err);
    assert_int_equal(json_int(json_obj(before, "stages"), "reserved", -1), 1);
    assert_null(json_obj(before, "tokens"));
    assert_ok(store_ledger_add(f->s, "r", "stages", -1, 1, &f->err), &f->err);
    AUTO_JSON json_t *after = store_ledger_new(f->s, "r", &f->err);
    assert_int_equal(json_int(json_obj(after, "stages"), "reserved", -1), 0);
    assert_int_equal(json_int(json_obj(after, "stages"), "used", -1), 1);
    assert_int_equal(store_ledger_add(f->s, "nobody", "stages", 1, 0, &f->err), -ERR_NOT_FOUND);
}

static void test_store_outbox_has_each_effect_once(void **state)
{
    struct fixture *f = *state;
    new_run(f, "r");
    assert_int_equal(store_outbox_put(f->s, "r", "k", "notify", "http://h", "{}", &f->err), 0);
    assert_int_equal(store_outbox_put(f->s, "r", "k", "notify", "http://other", "{}", &f->err), 1);
    int64_t now = store_outbox_next(f->s, "notify");
    AUTO_JSON json_t *due = store_outbox_due_new(f->s, "notify", now, 10, &f->err);
    const json_t *entry = json_array_get(due, 0);
    int64_t id = json_int(entry, "id", 0);
    assert_int_equal(json_array_size(due), 1);
    assert_string_equal(json_str(entry, "target", ""), "http://h");
    assert_int_equal(store_outbox_claim(f->s, id, now, now + 1000, &f->err), 0);
    assert_int_equal(store_outbox_claim(f->s, id, now, now + 1000, &f->err), 1); // somebody else has it
    AUTO_JSON json_t *none = store_outbox_due_new(f->s, "notify", now, 10, &f->err);
    assert_int_equal(json_array_size(none), 0);
    AUTO_JSON json_t *later = store_outbox_due_new(f->s, "notify", now + 1000, 10, &f->err); // it died with it
    assert_int_equal(json_int(json_array_get(later, 0), "attempts", 0), 1);
    assert_ok(store_outbox_settle(f->s, id, "done", now, NULL, &f->err), &f->err);
    assert_int_equal(store_outbox_next(f->s, "notify"), 0);
    assert_ok(store_outbox_settle(f->s, id, "waiting", now, "late", &f->err), &f->err); // what is done stays done
    AUTO_JSON json_t *all = store_outbox_list_new(f->s, "r", &f->err);
    assert_string_equal(json_str(json_array_get(all, 0), "state", ""), "done");
}

static int count_calls(struct fixture *f, const char *task)
{
    AUTO_JSON json_t *calls = store_call_list_new(f->s, "r", &f->err);
    size_t i;
    json_t *call;
    int n = 0;
    json_array_foreach (calls, i, call)
        n += str_eq(json_str(call, "task", ""), task);
    return n;
}

static void test_store_reopened_run_keeps_answers_in_stock(void **state)
{
    struct fixture *f = *state;
    new_run(f, "r");
    AUTO_JSON json_t *one = json_integer(1), *two = json_integer(2), *none = json_null();
    assert_ok(store_call_put(f->s, "r", "engine", 0, "workspace", "", one, &f->err), &f->err);
    assert_ok(store_call_put(f->s, "r", "0", 0, "now", "h", one, &f->err), &f->err);
    assert_ok(store_call_put(f->s, "r", "0", 1, "stage", "k", none, &f->err), &f->err);
    assert_ok(store_call_put(f->s, "r", "0", 2, "now", "h", two, &f->err), &f->err);
    assert_ok(store_call_put(f->s, "r", "0~", 2, "woke", "", two, &f->err), &f->err);
    assert_ok(store_call_put(f->s, "r", "0.1", 0, "child", "c", one, &f->err), &f->err);
    assert_ok(reserve(f, NULL, "r", 1, "k", "l"), &f->err);
    assert_ok(store_run_set_state(f->s, "r", RUN_RUNNING, NULL, &f->err), &f->err);
    AUTO_JSON json_t *calls = json_pack("[{s:s, s:i}]", "task", "0.1", "n", 0);
    assert_ok(store_run_reopen(f->s, "r", &(struct store_reopen){.calls = calls}, &f->err), &f->err);
    assert_int_equal(count_calls(f, "engine"), 1); // the state of the project stays
    assert_int_equal(count_calls(f, "0"), 0);
    assert_int_equal(count_calls(f, "0~"), 0);
    AUTO_JSON json_t *first = store_call_take_old_new(f->s, "r", "0", "now", "h", &f->err);
    AUTO_JSON json_t *second = store_call_take_old_new(f->s, "r", "0", "now", "h", &f->err);
    assert_int_equal(json_integer_value(first), 1);
    assert_int_equal(json_integer_value(second), 2);
    assert_null(store_call_take_old_new(f->s, "r", "0", "now", "h", &f->err)); // each once
    assert_int_equal(f->err.code, ERR_NOT_FOUND);
    assert_null(store_call_take_old_new(f->s, "r", "0.1", "child", "c", &f->err)); // it is to be asked again
    AUTO_JSON json_t *stage = store_stage_get_new(f->s, "r", 1, &f->err);          // it was under way
    assert_string_equal(json_str(stage, "state", ""), "cancelled");
    assert_string_equal(json_str(stage, "key", ""), "void k");
    assert_ok(reserve(f, NULL, "r", 2, "k", "l2"), &f->err);
}

static void test_store_cancel_is_noticed(void **state)
{
    struct fixture *f = *state;
    new_run(f, "r");
    char reason[STORE_NAME_MAX];
    assert_int_equal(store_run_cancel_requested(f->s, "r", reason, &f->err), 0);
    struct store *other = NULL;
    assert_ok(store_open(f->dir, &other, &f->err), &f->err);
    assert_false(store_changed_elsewhere(f->s));
    assert_int_equal(store_run_request_cancel(other, "r", "by hand", &f->err), 0);
    assert_int_equal(store_run_request_cancel(other, "r", "again", &f->err), 1);
    assert_true(store_changed_elsewhere(f->s));
    assert_false(store_changed_elsewhere(f->s));
    assert_int_equal(store_run_cancel_requested(f->s, "r", reason, &f->err), 1);
    assert_string_equal(reason, "by hand");
    assert_int_equal(store_run_cancel_requested(f->s, "x", reason, &f->err), -ERR_NOT_FOUND);
    store_close(other);
}

static void test_store_result_and_next_are_one_commit(void **state)
{
    struct fixture *f = *state;
    new_run(f, "r");
    assert_ok(reserve(f, NULL, "r", 1, "k1", "lease-1"), &f->err);
    AUTO_JSON json_t *handoff = json_pack("{s:s}", "summary", "done");
    AUTO_JSON json_t *receipts = json_pack("[{s:i}]", "exit", 0);
    struct store_result result = {.run = "r",
                                  .seq = 1,
                                  .lease = "lease-1",
                                  .state = STAGE_COMPLETED,
                                  .handoff_id = "2026-echo",
                                  .handoff = handoff,
                                  .receipts = receipts,
                                  .worker = "w"};
    // The reservation cannot be made, so the result is not there either.
    assert_int_equal(reserve(f, &result, "r", 1, "k2", "lease-2"), -ERR_EXISTS);
    AUTO_JSON json_t *open = store_stage_get_new(f->s, "r", 1, &f->err);
    assert_string_equal(json_str(open, "state", ""), "reserved");
    AUTO_JSON json_t *none = store_handoff_list_new(f->s, "r", &f->err);
    assert_int_equal(json_array_size(none), 0);

    assert_ok(reserve(f, &result, "r", 2, "k2", "lease-2"), &f->err);
    AUTO_JSON json_t *done = store_stage_get_new(f->s, "r", 1, &f->err);
    assert_string_equal(json_str(done, "state", ""), "completed");
    assert_string_equal(json_str(json_obj(done, "handoff"), "summary", ""), "done");
    assert_int_equal(json_array_size(json_list(done, "receipts")), 1);
    AUTO_JSON json_t *list = store_stage_list_new(f->s, "r", false, &f->err);
    assert_int_equal(json_array_size(list), 2);
    assert_null(json_object_get(json_array_get(list, 0), "request"));
    AUTO_JSON json_t *handoffs = store_handoff_list_new(f->s, "r", &f->err);
    assert_int_equal(json_array_size(handoffs), 1);
}

static void test_store_finished_results_are_immutable(void **state)
{
    struct fixture *f = *state;
    new_run(f, "r");
    assert_ok(reserve(f, NULL, "r", 1, "k", "l"), &f->err);
    struct store_result result = {.run = "r", .seq = 1, .lease = "l", .state = STAGE_FAILED};
    assert_ok(store_commit_stage(f->s, &result, NULL, 0, &f->err), &f->err);
    result.state = STAGE_COMPLETED;
    assert_int_equal(store_commit_stage(f->s, &result, NULL, 0, &f->err), -ERR_STATE);
    assert_int_equal(store_stage_lease(f->s, "r", 1, NULL, "m", NULL, &f->err), -ERR_STATE);
    AUTO_JSON json_t *row = store_stage_get_new(f->s, "r", 1, &f->err);
    assert_string_equal(json_str(row, "state", ""), "failed");
    result.seq = 9;
    assert_int_equal(store_commit_stage(f->s, &result, NULL, 0, &f->err), -ERR_NOT_FOUND);
    result.state = STAGE_RESERVED;
    assert_int_equal(store_commit_stage(f->s, &result, NULL, 0, &f->err), -ERR_INVALID);
}

static void test_store_stale_lease_is_refused(void **state)
{
    struct fixture *f = *state;
    new_run(f, "r");
    assert_ok(reserve(f, NULL, "r", 1, "k", "first"), &f->err);
    int attempt = 0;
    assert_int_equal(store_stage_lease(f->s, "r", 1, "wrong", "second", &attempt, &f->err), -ERR_CONFLICT);
    assert_ok(store_stage_lease(f->s, "r", 1, "first", "second", &attempt, &f->err), &f->err);
    assert_int_equal(attempt, 2);
    struct store_result late = {.run = "r", .seq = 1, .lease = "first", .state = STAGE_COMPLETED};
    assert_int_equal(store_commit_stage(f->s, &late, NULL, 0, &f->err), -ERR_CONFLICT);
    late.lease = NULL;
    assert_int_equal(store_commit_stage(f->s, &late, NULL, 0, &f->err), -ERR_CONFLICT);
    late.lease = "second";
    assert_ok(store_commit_stage(f->s, &late, NULL, 0, &f->err), &f->err);
}

static void note_place(void *user, const struct store_place *place)
{
    assert_false(place->called);
    json_put_int(user, place->key, place->seq);
}

static void count_called(void *user, const struct store_place *place)
{
    unsigned *n = user;
    assert_true(place->called);
    assert_string_equal(place->task, "0.1");
    assert_int_equal(place->n, 3);
    ++*n;
}

// The row of a stage is its call, too, until the run is taken up again.
static void test_store_stage_is_its_call(void **state)
{
    struct fixture *f = *state;
    new_run(f, "r");
    AUTO_JSON json_t *request = json_object(), *none = json_object();
    struct store_stage stage = {.run = "r",
                                .seq = 1,
                                .key = "k",
                                .occurrence = 2,
                                .task = "0.1",
                                .n = 3,
                                .asked = "echo/1",
                                .agent = "echo",
                                .lease = "l",
                                .request = request};
    assert_ok(store_commit_stage(f->s, NULL, &stage, 1, &f->err), &f->err);
    assert_ok(store_call_put(f->s, "r", "0.1", 4, "now", "h", none, &f->err), &f->err);
    assert_ok(store_call_put(f->s, "r", "0", 9, "now", "h", none, &f->err), &f->err);
    AUTO_JSON json_t *calls = store_call_list_new(f->s, "r", &f->err);
    assert_int_equal(json_array_size(calls), 3);
    const json_t *call = json_array_get(calls, 1), *answer = json_obj(call, "answer");
    assert_string_equal(json_str(call, "task", ""), "0.1");
    assert_int_equal(json_int(call, "n", 0), 3);
    assert_string_equal(json_str(call, "op", ""), "stage");
    assert_string_equal(json_str(call, "request_hash", ""), "k");
    assert_string_equal(json_str(answer, "worker", ""), "echo/1");
    assert_int_equal(json_int(answer, "occurrence", 0), 2);
    assert_null(store_call_get_new(f->s, "r", "0.1", 3, &f->err));
    unsigned n = 0;
    assert_ok(store_stage_places(f->s, "r", count_called, &n, &f->err), &f->err);
    assert_int_equal(n, 1);
    assert_ok(store_run_set_state(f->s, "r", RUN_RUNNING, NULL, &f->err), &f->err);
    assert_ok(store_run_reopen(f->s, "r", &(struct store_reopen){0}, &f->err), &f->err);
    AUTO_JSON json_t *after = store_call_list_new(f->s, "r", &f->err);
    assert_int_equal(json_array_size(after), 2);
    assert_string_equal(json_str(json_array_get(after, 0), "task", ""), "@old 0");
}

static void test_store_stages_are_found_by_key_and_reusable(void **state)
{
    struct fixture *f = *state;
    new_run(f, "r");
    new_run(f, "s");
    assert_ok(reserve(f, NULL, "r", 1, "k", "l"), &f->err);
    assert_ok(reserve(f, NULL, "r", 2, "other", "l"), &f->err);
    AUTO_JSON json_t *places = json_object();
    assert_ok(store_stage_places(f->s, "r", note_place, places, &f->err), &f->err);
    assert_int_equal(json_int(places, "k", 0), 1);
    assert_int_equal(json_int(places, "other", 0), 2);
    assert_int_equal(json_object_size(places), 2);
    assert_null(store_stage_reusable_new(f->s, "k", "s", &f->err));
    struct store_result result = {.run = "r", .seq = 1, .lease = "l", .state = STAGE_COMPLETED};
    assert_ok(store_commit_stage(f->s, &result, NULL, 0, &f->err), &f->err);
    AUTO_JSON json_t *row = store_stage_reusable_new(f->s, "k", "s", &f->err);
    assert_string_equal(json_str(row, "run", ""), "r");
    assert_null(store_stage_reusable_new(f->s, "k", "r", &f->err));
}

static void test_store_script_call_is_journaled_once(void **state)
{
    struct fixture *f = *state;
    new_run(f, "r");
    AUTO_JSON json_t *answer = json_real(0.25);
    assert_int_equal(store_call_put(f->s, "r", "0.1", 3, "random", "aa", answer, &f->err), 0);
    AUTO_JSON json_t *other = json_real(0.5);
    assert_int_equal(store_call_put(f->s, "r", "0.1", 3, "random", "aa", other, &f->err), 1);
    assert_int_equal(store_call_put(f->s, "r", "0.1", 3, "now", "aa", other, &f->err), -ERR_CONFLICT);
    assert_non_null(strstr(f->err.text, "diverged"));
    AUTO_JSON json_t *row = store_call_get_new(f->s, "r", "0.1", 3, &f->err);
    assert_true(json_num(row, "answer", 0) == 0.25);
    assert_int_equal(store_call_put(f->s, "r", "0", 0, "sleep", "bb", NULL, &f->err), 0);
    AUTO_JSON json_t *list = store_call_list_new(f->s, "r", &f->err);
    assert_int_equal(json_array_size(list), 2);
}

static void test_store_events_since(void **state)
{
    struct fixture *f = *state;
    int64_t first = 0, second = 0;
    new_run(f, "r");
    AUTO_JSON json_t *body = json_pack("{s:s}", "a", "b");
    assert_ok(store_event_add(f->s, NULL, EVENT_SERVICE_STARTED, NULL, &first, &f->err), &f->err);
    assert_ok(store_event_add(f->s, "r", EVENT_RUN_CREATED, body, &second, &f->err), &f->err);
    assert_true(second > first);
    assert_int_equal(store_event_last(f->s), second);
    AUTO_JSON json_t *all = store_event_list_new(f->s, NULL, 0, 0, &f->err);
    assert_int_equal(json_array_size(all), 2);
    AUTO_JSON json_t *later = store_event_list_new(f->s, NULL, first, 0, &f->err);
    assert_int_equal(json_array_size(later), 1);
    AUTO_JSON json_t *run = store_event_list_new(f->s, "r", 0, 10, &f->err);
    assert_string_equal(json_str(json_array_get(run, 0), "kind", ""), "run_created");
    assert_string_equal(json_str(json_obj(json_array_get(run, 0), "body"), "a", ""), "b");
}

static void test_store_inbox_reaches_existing_runs_only(void **state)
{
    struct fixture *f = *state;
    new_run(f, "r");
    int64_t id = 0;
    AUTO_JSON json_t *body = json_pack("{s:b}", "approved", 1);
    assert_int_equal(store_inbox_put(f->s, "x", "approval", body, &id, &f->err), -ERR_NOT_FOUND);
    assert_ok(store_inbox_put(f->s, "r", "approval", body, &id, &f->err), &f->err);
    new_run(f, "ended");
    assert_ok(store_run_set_state(f->s, "ended", RUN_ACCEPTED, NULL, &f->err), &f->err);
    assert_int_equal(store_inbox_put(f->s, "ended", "approval", body, NULL, &f->err), -ERR_STATE);
    AUTO_JSON json_t *list = store_inbox_list_new(f->s, "r", 0, &f->err);
    assert_int_equal(json_array_size(list), 1);
    AUTO_JSON json_t *none = store_inbox_list_new(f->s, "r", id, &f->err);
    assert_int_equal(json_array_size(none), 0);
}

static void test_store_batch_is_one_transaction(void **state)
{
    struct fixture *f = *state;
    new_run(f, "r");
    assert_ok(store_begin(f->s, &f->err), &f->err);
    assert_int_equal(store_begin(f->s, &f->err), -ERR_STATE);
    assert_ok(reserve(f, NULL, "r", 1, "k1", "l"), &f->err);
    assert_int_equal(reserve(f, NULL, "r", 1, "k2", "l"), -ERR_EXISTS); // undone alone
    assert_ok(reserve(f, NULL, "r", 2, "k2", "l"), &f->err);
    assert_true(store_in_batch(f->s));
    assert_ok(store_commit(f->s, &f->err), &f->err);
    assert_ok(store_begin(f->s, &f->err), &f->err);
    assert_ok(reserve(f, NULL, "r", 3, "k3", "l"), &f->err);
    store_rollback(f->s);
    AUTO_JSON json_t *list = store_stage_list_new(f->s, "r", true, &f->err);
    assert_int_equal(json_array_size(list), 2);
    assert_int_equal(store_commit(f->s, &f->err), -ERR_STATE);
}

static void test_store_lock_has_one_owner_and_ends_with_it(void **state)
{
    struct fixture *f = *state;
    int ready[2], stop[2];
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(stop), 0);
    new_run(f, "r");
    assert_int_equal(store_run_owner(f->s, "r"), 0);
    pid_t child = fork();
    if (child == 0) {
        struct store_lock *lock = NULL;
        struct store *own = NULL;
        struct err err;
        char c = store_open(f->dir, &own, &err) >= 0 && store_run_lock(own, "r", &lock, &err) >= 0 ? 'y' : 'n';
        if (write(ready[1], &c, 1) != 1)
            _exit(1);
        close(stop[1]);
        (void)!read(stop[0], &c, 1); // until the parent kills it
        _exit(0);
    }
    char c = 0;
    assert_int_equal(read(ready[0], &c, 1), 1);
    assert_int_equal(c, 'y');
    struct store_lock *lock = NULL;
    assert_int_equal(store_run_lock(f->s, "r", &lock, &f->err), -ERR_CONFLICT);
    char pid[32];
    snprintf(pid, sizeof(pid), "%ld", (long)child);
    assert_non_null(strstr(f->err.text, pid));
    assert_int_equal(store_run_owner(f->s, "r"), child);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_int_equal(store_run_owner(f->s, "r"), 0);
    assert_ok(store_run_lock(f->s, "r", &lock, &f->err), &f->err);
    struct store_lock *second = NULL;
    assert_int_equal(store_run_lock(f->s, "r", &second, &f->err), -ERR_CONFLICT); // also in the same process
    lock = store_lock_release(lock);
    assert_ok(store_run_lock(f->s, "r", &lock, &f->err), &f->err);
    store_lock_release(lock);
    for (int i = 0; i < 2; i++) {
        close(ready[i]);
        close(stop[i]);
    }
}

static void test_store_artifacts_are_stored_once(void **state)
{
    struct fixture *f = *state;
    char hash[HASH_TEXT], again[HASH_TEXT];
    assert_ok(store_artifact_put(f->s, "hello", 5, hash, &f->err), &f->err);
    assert_ok(store_artifact_put(f->s, "hello", 5, again, &f->err), &f->err);
    assert_string_equal(hash, "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
    assert_string_equal(hash, again);
    assert_true(store_artifact_has(f->s, hash));
    char *data = NULL;
    size_t len = 0;
    assert_ok(store_artifact_get(f->s, hash, 100, &data, &len, &f->err), &f->err);
    assert_int_equal(len, 5);
    mem_free(data);
    assert_int_equal(store_artifact_get(f->s, hash, 4, &data, &len, &f->err), -ERR_LIMIT);
    assert_int_equal(store_artifact_get(f->s, "../../etc/passwd", 100, &data, &len, &f->err), -ERR_INVALID);
    again[0] = '3';
    assert_int_equal(store_artifact_get(f->s, again, 100, &data, &len, &f->err), -ERR_NOT_FOUND);
    assert_int_equal(f->err.code, ERR_NOT_FOUND);

    AUTO_FREE char *file = path_join(f->dir, "source");
    assert_ok(file_write(file, "hello", 5, false, &f->err), &f->err);
    int64_t bytes = 0;
    assert_ok(store_artifact_put_file(f->s, file, again, &bytes, &f->err), &f->err);
    assert_string_equal(hash, again);
    assert_int_equal(bytes, 5);
    assert_int_equal(store_artifact_put_file(f->s, f->dir, again, NULL, &f->err), -ERR_INVALID);

    assert_ok(store_artifact_ref(f->s, "r", 1, "a.txt", hash, "text/plain", 5, &f->err), &f->err);
    assert_ok(store_artifact_ref(f->s, "r", 1, "a.txt", hash, NULL, 5, &f->err), &f->err);
    AUTO_JSON json_t *refs = store_artifact_list_new(f->s, "r", &f->err);
    assert_int_equal(json_array_size(refs), 1);
    assert_true(json_is_null(json_object_get(json_array_get(refs, 0), "media")));
}

static void test_store_damaged_artifact_is_set_aside(void **state)
{
    struct fixture *f = *state;
    char hash[HASH_TEXT];
    assert_ok(store_artifact_put(f->s, "hello", 5, hash, &f->err), &f->err);
    AUTO_FREE char *path = store_artifact_path(f->s, hash);
    assert_ok(file_write(path, "hexxo", 5, false, &f->err), &f->err);
    char *data = NULL;
    assert_int_equal(store_artifact_get(f->s, hash, 100, &data, NULL, &f->err), -ERR_NOT_FOUND);
    assert_false(store_artifact_has(f->s, hash));
    AUTO_JSON json_t *lost = store_lost_list_new(f->s, &f->err);
    assert_string_equal(json_str(json_array_get(lost, 0), "ref", ""), hash);
    assert_ok(store_artifact_put(f->s, "hello", 5, hash, &f->err), &f->err);
    assert_ok(store_artifact_get(f->s, hash, 100, &data, NULL, &f->err), &f->err);
    mem_free(data);
}

static void test_store_too_large_record_is_refused(void **state)
{
    struct fixture *f = *state;
    size_t len = STORE_TEXT_MAX + 1;
    char *big = mem_alloc(len + 1);
    memset(big, 'x', len);
    new_run(f, "r");
    AUTO_JSON json_t *body = json_pack("{s:s}", "t", big);
    assert_int_equal(store_event_add(f->s, "r", EVENT_SCRIPT_LOG, body, NULL, &f->err), -ERR_LIMIT);
    mem_free(big);
    assert_int_equal(store_event_last(f->s), 0);
}

static void test_state_tables(void **state)
{
    (void)state;
    enum run_state run;
    assert_true(run_state_from_name("nothing_measurable", &run));
    assert_int_equal(run_state_exit_status(run), 4);
    assert_int_equal(run_state_exit_status(RUN_ACCEPTED), 0);
    assert_int_equal(run_state_exit_status(RUN_NEEDS_DISCUSSION), 3);
    assert_true(run_state_final(RUN_LOST) && !run_state_final(RUN_WAITING));
    assert_true(run_state_script_may(RUN_REJECTED) && !run_state_script_may(RUN_CANCELLED));
    assert_false(run_state_from_name(NULL, &run));
    assert_string_equal(event_kind_name(EVENT_RECORD_LOST), "record_lost");
    for (int i = 0; i < RUN_STATE_COUNT_; i++) { // a state that is not success must not exit with 0
        if (run_state_final((enum run_state)i) && i != RUN_ACCEPTED)
            assert_true(run_state_exit_status((enum run_state)i) != 0);
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        T(test_store_run_create_and_get),
        T(test_store_same_key_is_the_same_run),
        T(test_store_run_list_filters_newest_first),
        T(test_store_final_state_is_for_ever),
        T(test_store_reopened_run_keeps_answers_in_stock),
        T(test_store_ledger_adds_up_in_its_batch),
        T(test_store_outbox_has_each_effect_once),
        T(test_store_cancel_is_noticed),
        T(test_store_result_and_next_are_one_commit),
        T(test_store_finished_results_are_immutable),
        T(test_store_stale_lease_is_refused),
        T(test_store_stage_is_its_call),
        T(test_store_stages_are_found_by_key_and_reusable),
        T(test_store_script_call_is_journaled_once),
        T(test_store_events_since),
        T(test_store_inbox_reaches_existing_runs_only),
        T(test_store_batch_is_one_transaction),
        T(test_store_lock_has_one_owner_and_ends_with_it),
        T(test_store_artifacts_are_stored_once),
        T(test_store_damaged_artifact_is_set_aside),
        T(test_store_too_large_record_is_refused),
        cmocka_unit_test(test_state_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
