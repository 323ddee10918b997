// on_failure: handlers that undo what a run has done, when it fails, is cancelled or takes too long. Rules that the
// code does not show:
// - That they begin is journaled first ("engine", 1), with the reason and the time: answers that came later never reach
// the script.
// - Their calls are calls of the task "undo", journaled like all others: after a restart they go on where they were.
// - A restart brings the script to the same place again from its journal alone, executing nothing, before they go on.
// - They have a bounded time, which a restart does not prolong. The run ends as it was to end, whatever becomes of
// them.
#include "run/calls.h"
#include "run/stage_internal.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "run/answer.h"
#include "run/bounds.h"

#include <stdio.h>

#define UNDO_NS    (10 * 60 * NS_PER_SEC)
#define UNDO_PLACE 1 // call number of the task "engine"; the one behind it: nothing else is at work any more

// --- the call that registers one ---

int on_failure_begin(struct run *run, const struct call *c, json_t **ret, struct err *err)
{
    int r = call_answer_fresh(run, c, json_null(), ret, err);
    if (r == 0)
        run->handlers++;
    return r;
}

static bool has_handlers(struct run *run)
{
    AUTO_JSON json_t *calls = store_call_list_new(run->env.store, run->id, NULL);
    size_t i;
    json_t *call;
    json_array_foreach (calls, i, call)
        if (str_eq(json_str(call, "op", ""), "on_failure"))
            return true;
    return false;
}

// --- back to the place where the script was ---

static bool answer_stage(struct run *run, const struct call *c, const json_t *journaled)
{
    struct err ignored;
    const struct journaled *all = run_journaled(run, &ignored);
    if (!all)
        return false;
    int seq = journaled_stage(all, json_str(journaled, "key", ""), (int)json_int(journaled, "occurrence", 0));
    AUTO_JSON json_t *record = seq ? store_stage_answer_new(run->env.store, run->id, seq, NULL) : NULL;
    enum stage_state state = STAGE_RESERVED;
    int64_t at = json_int(record, "finished_ns", 0);
    const json_t *handoff = json_obj(record, "handoff");
    if (handoff) { // also one that came too late: its id is taken
        AUTO_JSON json_t *bounds =
            bounds_new(json_obj(run->record, "options"), run->handed_on, json_list(c->args, "after"));
        stage_remember(run, handoff, json_str(record, "key", ""),
                       stage_find_agent(run, json_str(handoff, "agent_name", "")), bounds);
    }
    if (!record || !stage_state_from_name(json_str(record, "state", ""), &state) || !stage_state_final(state) ||
        at > run->undo_ns)
        return false;
    run_reply(run, at, c->id, answer_of_stage_new(handoff, state, seq, json_str(record, "key", "")));
    return true;
}

// A call without a record raised an error when there are later ones of its task, else it was open.
static bool raised(struct run *run, const struct call *c)
{
    AUTO_JSON json_t *calls = store_call_list_new(run->env.store, run->id, NULL);
    size_t i;
    json_t *call;
    json_array_foreach (calls, i, call)
        if (str_eq(json_str(call, "task", ""), c->task) && json_int(call, "n", -1) > (int64_t)c->n)
            return true;
    return false;
}

int undo_settle(struct run *run, const struct call *c, json_t **ret, struct err *err)
{
    struct err ignored;
    AUTO_JSON json_t *record = call_record_new(run, c->task, c->n, &ignored);
    const char *op = json_str(record, "op", "");
    json_t *answer = json_object_get(record, "answer");
    if (!record)
        return raised(run, c) ? err_set(err, ERR_INVALID, "the call failed") : 0;
    if (!str_eq(op, c->op))
        return call_diverged(run, c, record, err);
    if (json_str(answer, "error", NULL))
        return err_set(err, ERR_STATE, "%s", json_str(answer, "error", ""));
    run->handlers += str_eq(op, "on_failure");
    if (str_eq(op, "stage")) {
        answer_stage(run, c, answer);
        return 0;
    }
    AUTO_JSON json_t *beside = call_beside_new(run, c->task, c->n);
    bool later = str_eq(op, "sleep") || str_eq(op, "child");
    const json_t *said = later ? beside : answer;
    int64_t at = json_is_integer(said) && later ? json_integer_value(said) : json_int(said, "at_ns", 0);
    if (later && !said)
        return 0;
    json_t *value = str_eq(op, "sleep") || str_eq(op, "publish") ? json_null() : json_incref((json_t *)(uintptr_t)said);
    if (at > run->undo_ns) // it came when the script was not there any more
        json_decref(value);
    else if (at)
        run_reply(run, at, c->id, value);
    else
        *ret = value;
    return 0;
}

// --- the beginning ---

static bool undoes(enum run_state state)
{
    return state == RUN_FAILED || state == RUN_CANCELLED || state == RUN_TIMED_OUT || state == RUN_OVER_BUDGET;
}

static void time_over(void *user)
{
    struct run *run = user;
    AUTO_JSON json_t *undone = json_object();
    json_put_str(undone, "stopped", "the handlers took longer than 10 minutes");
    undo_end(run, undone);
}

static void keep_reason(struct run *run, enum run_state state, const json_t *result, const char *reason)
{
    run->undoing = true;
    run->end_state = state;
    run->end_result = result ? json_deep_copy(result) : NULL;
    snprintf(run->end_reason, sizeof(run->end_reason), "%s", reason ? reason : "");
    run->undo_timer = loop_timer_new(run->env.loop, time_over, run);
    loop_timer_start(run->undo_timer, clock_left_ns(run->undo_ns + UNDO_NS, clock_wall_ns(), UNDO_NS), 0);
    run_stop_work(run);
    loop_timer_start(run->end_timer, 0, 0); // when all of it has gone, undo_go_on
}

static void journal_in_turn(struct run *run, void *arg)
{
    struct err err;
    (void)arg;
    run->undo_ns = run_rank(run);
    AUTO_JSON json_t *record = json_object();
    json_put_str(record, "state", run_state_name(run->end_state));
    json_put(record, "result", run->end_result ? json_deep_copy(run->end_result) : json_null());
    json_put_str(record, "reason", run->end_reason);
    json_put_int(record, "at_ns", run->undo_ns);
    if (store_call_put(run->env.store, run->id, "engine", UNDO_PLACE, "undo", "", record, &err) < 0)
        return; // the batch is undone, and the run stops here
    json_t *body = json_object();
    json_put_str(body, "state", run_state_name(run->end_state));
    json_put_str(body, "reason", run->end_reason);
    json_put_int(body, "handlers", run->handlers);
    run_note(run, EVENT_UNDO_STARTED, body);
}

bool undo_begin(struct run *run, enum run_state state, const json_t *result, const char *reason)
{
    if (run->undoing && !run->undone && run->undo_runs && state != RUN_CANCELLED && state != RUN_TIMED_OUT) {
        AUTO_JSON json_t *undone = json_object();
        json_put_str(undone, "stopped", reason);
        undo_end(run, undone);
    }
    if (run->undoing)
        return !run->undone || run->ending; // it has been decided how it ends
    if (!run->handlers || !undoes(state) || !run->script)
        return false;
    run->undo_ns = clock_wall_ns();
    keep_reason(run, state, result, reason);
    run_turn(run, journal_in_turn, NULL);
    return true;
}

static void start_handlers(struct run *run, void *arg)
{
    struct err err;
    (void)arg;
    run->undo_runs = true;
    if (store_call_put(run->env.store, run->id, "engine", UNDO_PLACE + 1, "undo_runs", "", NULL, &err) < 0)
        return; // the batch is undone, and the run stops here
    AUTO_JSON json_t *why = json_object();
    json_put_str(why, "outcome", run_state_name(run->end_state));
    json_put_str(why, "reason", run->end_reason);
    if (script_undo(run->script, why, &err) < 0)
        undo_end(run, NULL);
}

bool undo_has_begun(const struct run *run)
{
    return run->undo_ran && !run->ending;
}

bool undo_go_on(struct run *run)
{
    if (!run->undoing || run->undone)
        return false;
    run->children_told = false; // the handlers may start runs of their own
    if (!run->undo_runs)
        run_turn(run, start_handlers, NULL);
    return true;
}

// --- the end ---

void undo_end(struct run *run, const json_t *undone)
{
    enum run_state state = run->end_state;
    AUTO_JSON json_t *result = run->end_result && json_is_object(run->end_result) ? run->end_result : json_object();
    AUTO_FREE char *reason = str_dup(run->end_reason);
    if (run->end_result != result)
        json_decref(run->end_result);
    run->end_result = NULL;
    json_put(result, "undone", undone ? json_deep_copy(undone) : json_object());
    run->undone = true;
    loop_timer_close(run->undo_timer);
    run->undo_timer = NULL;
    run_end(run, state, result, reason);
}

// --- after a restart ---

static void settle(struct run *run, int64_t undo_ns)
{
    run->settling = true;
    run->undo_ns = undo_ns;
    run_start_script(run);
    run->settling = false;
}

bool undo_resume(struct run *run, bool cancelled)
{
    AUTO_JSON json_t *record =
        run->resumed ? store_call_get_new(run->env.store, run->id, "engine", UNDO_PLACE, NULL) : NULL;
    const json_t *begun = json_obj(record, "answer");
    enum run_state state = RUN_FAILED;
    if (!begun) {
        if (run->resumed && cancelled && has_handlers(run))
            settle(run, INT64_MAX);
        return false;
    }
    AUTO_JSON json_t *ran = store_call_get_new(run->env.store, run->id, "engine", UNDO_PLACE + 1, NULL);
    run->undo_ran = ran != NULL;
    settle(run, json_int(begun, "at_ns", 0));
    if (run->ending || run->stopped)
        return true;
    const struct err *why = script_error(run->script);
    if (why && why->code == ERR_CONFLICT) {
        run_end(run, RUN_DIVERGED, NULL, why->text);
        return true;
    }
    run_state_from_name(json_str(begun, "state", ""), &state);
    keep_reason(run, state, json_object_get(begun, "result"), json_str(begun, "reason", ""));
    return true;
}
