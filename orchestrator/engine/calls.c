// What a script asks for, but stages: gate, approve, sleep, now, random, log. Every answer that does not follow from the
// journal alone is journaled under (task, n), so that a replay hears the same.
#include "engine/answer.h"
#include "engine/run_internal.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "handoff/handoff.h"

#include <inttypes.h>
#include <string.h>

// A journaled answer of the same call, or NULL. ERR_CONFLICT in err: another call stands there.
static json_t *journaled(struct run *run, const char *task, unsigned n, const char *op, const json_t *args, struct err *err)
{
    char hash[HASH_TEXT];
    json_hash(args, hash);
    err_clear(err);
    json_t *record = store_call_get_new(run->env.store, run->id, task, n, err);
    if (!record) {
        if (err->code == ERR_NOT_FOUND)
            err_clear(err);
        return NULL;
    }
    json_t *answer = NULL;
    if (str_eq(json_str(record, "op", ""), op) && str_eq(json_str(record, "request_hash", ""), hash))
        answer = json_incref(json_object_get(record, "answer"));
    else if (str_eq(json_str(record, "op", ""), op))
        err_set(err, ERR_CONFLICT, "call %u of task %s ('%s') has other arguments now than when it was journaled", n, task, op);
    else
        err_set(err, ERR_CONFLICT, "call %u of task %s is '%s' now and was '%s' when it was journaled", n, task, op,
                json_str(record, "op", "?"));
    json_decref(record);
    return answer;
}

static int put(struct run *run, const char *task, unsigned n, const char *op, const json_t *args, const json_t *answer,
               struct err *err)
{
    char hash[HASH_TEXT];
    json_hash(args, hash);
    return store_call_put(run->env.store, run->id, task, n, op, hash, answer, err);
}

// --- now, random: answered at once ---

static int answer_fresh(struct run *run, const char *task, unsigned n, const char *op, const json_t *args, json_t *fresh,
                        json_t **ret, struct err *err)
{
    AUTO_JSON json_t *mine = fresh;
    json_t *before = journaled(run, task, n, op, args, err);
    if (err->code != ERR_OK)
        return -(int)err->code;
    if (!before) {
        int r = put(run, task, n, op, args, mine, err);
        if (r < 0)
            return r;
        before = json_incref(mine);
    }
    *ret = before;
    return 0;
}

// --- sleep, approve: answered later ---

void waiting_free(struct waiting *w)
{
    struct run *run = w->run;
    for (size_t i = 0; i < run->waitings.len; i++)
        if (run->waitings.items[i] == w)
            run->waitings.items[i] = run->waitings.items[--run->waitings.len];
    loop_timer_close(w->timer);
    json_decref(w->args);
    mem_free(w->task);
    mem_free(w);
}

static struct waiting *waiting_new(struct run *run, uint64_t call, const char *task, unsigned n, const json_t *args,
                                   loop_fn on_time)
{
    struct waiting *w = mem_alloc(sizeof(*w));
    *w = (struct waiting){.run = run, .call = call, .task = str_dup(task), .n = n, .args = json_deep_copy(args)};
    w->timer = loop_timer_new(run->env.loop, on_time, w);
    vec_push(&run->waitings, w);
    return w;
}

// When a sleep was over: journaled beside it, because it is not exactly when it was to be over. A replay answers in this order.
static int put_woke(struct run *run, const char *task, unsigned n, int64_t now, struct err *err)
{
    AUTO_FREE char *place = str_printf("%s~", task);
    AUTO_JSON json_t *answer = json_integer(now);
    return store_call_put(run->env.store, run->id, place, n, "woke", "", answer, err);
}

static int64_t woke_ns(struct run *run, const char *task, unsigned n)
{
    AUTO_FREE char *place = str_printf("%s~", task);
    AUTO_JSON json_t *call = run->resumed ? store_call_get_new(run->env.store, run->id, place, n, NULL) : NULL;
    return json_int(call, "answer", 0);
}

static void answer_waiting(struct run *run, void *arg)
{
    struct waiting *w = arg;
    struct err err;
    uint64_t call = w->call;
    int64_t now = clock_wall_ns();
    int r = put_woke(run, w->task, w->n, now, &err);
    waiting_free(w);
    if (r < 0)
        run_answer(run, call, NULL, &err);
    else
        run_reply(run, now, call, json_null());
}

static void sleep_over(void *user)
{
    struct waiting *w = user;
    run_turn(w->run, answer_waiting, w);
}

static int begin_sleep(struct run *run, uint64_t call, const char *task, unsigned n, const json_t *args, struct err *err)
{
    AUTO_JSON json_t *wake = json_integer(clock_wall_ns() + json_int(args, "ms", 0) * NS_PER_MS);
    json_t *journal = NULL;
    int r = answer_fresh(run, task, n, "sleep", args, json_incref(wake), &journal, err);
    if (r < 0)
        return r;
    int64_t left = clock_left_ns(json_integer_value(journal), clock_wall_ns(), json_int(args, "ms", 0) * NS_PER_MS);
    int64_t woke = woke_ns(run, task, n);
    json_decref(journal);
    if (woke) {
        run_reply(run, woke, call, json_null());
        return 0;
    }
    struct waiting *w = waiting_new(run, call, task, n, args, sleep_over);
    w->wake_ns = clock_wall_ns() + left;
    loop_timer_start(w->timer, left, 0);
    return 0;
}

static json_t *approval_new(bool approved, const char *by, const char *note)
{
    json_t *answer = json_object();
    json_put_flag(answer, "approved", approved);
    json_put_str(answer, "by", by);
    json_put_str(answer, "note", note);
    return answer;
}

struct decision_arg {
    struct waiting *w;
    json_t *answer;
};

static void decide_approval(struct run *run, void *arg)
{
    struct decision_arg *d = arg;
    struct err err;
    struct waiting *w = d->w;
    uint64_t call = w->call;
    int64_t now = clock_wall_ns();
    json_put_int(d->answer, "at_ns", now);
    int r = put(run, w->task, w->n, "approve", w->args, d->answer, &err);
    waiting_free(w);
    if (r < 0) {
        run_answer(run, call, NULL, &err);
        return;
    }
    run_note(run, EVENT_APPROVAL_GIVEN, json_incref(d->answer));
    run_reply(run, now, call, json_incref(d->answer));
}

static void decide(struct waiting *w, json_t *answer_consumed)
{
    struct decision_arg d = {.w = w, .answer = answer_consumed};
    run_turn(w->run, decide_approval, &d);
    json_decref(answer_consumed);
}

static void approval_expired(void *user)
{
    decide(user, approval_new(false, "nobody", "the question expired"));
}

// --- the inbox ---

static json_t *taken(struct run *run)
{
    if (run->inbox_taken)
        return run->inbox_taken;
    run->inbox_taken = json_object();
    AUTO_JSON json_t *calls = run->resumed ? store_call_list_new(run->env.store, run->id, NULL) : NULL;
    size_t i;
    json_t *call;
    json_array_foreach (calls, i, call) {
        int64_t id = json_int(json_obj(call, "answer"), "inbox", 0);
        AUTO_FREE char *text = str_printf("%" PRId64, id);
        if (id && str_eq(json_str(call, "op", ""), "approve"))
            json_put_flag(run->inbox_taken, text, true);
    }
    return run->inbox_taken;
}

// The answer that an inbox record gives to a question, once; NULL when it gives none.
// Inbox records of kind "approval": {approved, by, note, task?, n?}; without task and n the oldest question is meant.
static json_t *answer_from_new(struct run *run, const json_t *item, const char *task, unsigned n, int64_t after)
{
    const json_t *body = json_obj(item, "body");
    const char *wanted = json_str(body, "task", NULL);
    int64_t id = json_int(item, "id", 0);
    AUTO_FREE char *text = str_printf("%" PRId64, id);
    if (!str_eq(json_str(item, "kind", ""), "approval") || id <= after ||
        (wanted && (!str_eq(wanted, task) || json_int(body, "n", -1) != (int64_t)n)) || json_object_get(taken(run), text))
        return NULL;
    json_t *answer =
        approval_new(json_flag(body, "approved", false), json_str(body, "by", "unknown"), json_str(body, "note", ""));
    json_put_int(answer, "inbox", id);
    json_put_flag(run->inbox_taken, text, true);
    return answer;
}

static int64_t inbox_last(struct run *run)
{
    AUTO_JSON json_t *inbox = store_inbox_list_new(run->env.store, run->id, run->inbox_seen, NULL);
    size_t count = json_array_size(inbox);
    return count ? json_int(json_array_get(inbox, count - 1), "id", 0) : run->inbox_seen;
}

// How the question was asked before the restart: the event, new reference, or NULL.
static json_t *asked_before_new(struct run *run, const char *task, unsigned n)
{
    AUTO_JSON json_t *events = run->resumed ? store_event_list_new(run->env.store, run->id, 0, 0, NULL) : NULL;
    size_t i;
    json_t *event;
    json_array_foreach (events, i, event) {
        const json_t *body = json_obj(event, "body");
        if (str_eq(json_str(event, "kind", ""), event_kind_name(EVENT_APPROVAL_ASKED)) &&
            str_eq(json_str(body, "task", ""), task) && json_int(body, "n", -1) == (int64_t)n)
            return json_incref(event);
    }
    return NULL;
}

static json_t *answer_meanwhile_new(struct run *run, const char *task, unsigned n, int64_t after, int64_t until_ns)
{
    AUTO_JSON json_t *inbox = store_inbox_list_new(run->env.store, run->id, after, NULL);
    size_t i;
    json_t *item, *answer = NULL;
    json_array_foreach (inbox, i, item)
        if (!answer && json_int(item, "at_ns", 0) <= until_ns)
            answer = answer_from_new(run, item, task, n, after);
    return answer;
}

void run_read_inbox(struct run *run)
{
    AUTO_JSON json_t *inbox = store_inbox_list_new(run->env.store, run->id, run->inbox_seen, NULL);
    size_t i;
    json_t *item;
    json_array_foreach (inbox, i, item) {
        run->inbox_seen = json_int(item, "id", run->inbox_seen);
        for (size_t k = 0; k < run->waitings.len; k++) {
            struct waiting *w = run->waitings.items[k];
            json_t *answer = w->approval ? answer_from_new(run, item, w->task, w->n, w->after) : NULL;
            if (!answer)
                continue;
            decide(w, answer);
            break;
        }
    }
}

static int begin_approve(struct run *run, uint64_t call, const char *task, unsigned n, const json_t *args, json_t **ret,
                         struct err *err)
{
    json_t *before = journaled(run, task, n, "approve", args, err);
    if (before && json_int(before, "at_ns", 0)) {
        run_reply(run, json_int(before, "at_ns", 0), call, before);
        return 0;
    }
    if (before || err->code != ERR_OK) {
        *ret = before;
        return before ? 0 : -(int)err->code;
    }
    if (!run->env.may_ask && json_int(args, "expires_ms", 0) <= 0) {
        // With nobody to ask, "ask" means "no".
        AUTO_JSON json_t *answer = approval_new(false, "nobody", "there is nobody to ask");
        int r = put(run, task, n, "approve", args, answer, err);
        if (r == 0)
            *ret = json_incref(answer);
        return r;
    }
    // A question that was open when the process died is still the same question: its time goes on, and so do its answers.
    AUTO_JSON json_t *asked = asked_before_new(run, task, n);
    int64_t now = clock_wall_ns(), expires = json_int(args, "expires_ms", 0) * NS_PER_MS;
    int64_t until = expires > 0 ? json_int(asked, "at_ns", now) + expires : INT64_MAX;
    int64_t after = asked ? json_int(json_obj(asked, "body"), "inbox", 0) : inbox_last(run);
    AUTO_JSON json_t *meanwhile = asked ? answer_meanwhile_new(run, task, n, after, until) : NULL;
    if (meanwhile) {
        json_put_int(meanwhile, "at_ns", now);
        int r = put(run, task, n, "approve", args, meanwhile, err);
        if (r < 0)
            return r;
        run_note(run, EVENT_APPROVAL_GIVEN, json_incref(meanwhile));
        run_reply(run, now, call, json_incref(meanwhile));
        return 0;
    }
    struct waiting *w = waiting_new(run, call, task, n, args, approval_expired);
    w->approval = true;
    w->after = after;
    if (expires > 0)
        loop_timer_start(w->timer, clock_left_ns(until, now, expires), 0);
    json_t *body = json_deep_copy(args);
    json_put_int(body, "inbox", after);
    json_put_str(body, "task", task);
    json_put_int(body, "n", n);
    run_note(run, EVENT_APPROVAL_ASKED, body);
    return 0;
}

// --- gate ---

static void note_gate(struct run *run, const json_t *args, bool open, const char *reason)
{
    json_t *body = json_object();
    json_put_str(body, "handoff", json_str(args, "id", NULL));
    json_put_str(body, "reason", reason);
    run_note(run, open ? EVENT_GATE_OPENED : EVENT_GATE_CLOSED, body);
}

static int begin_gate(struct run *run, const char *task, unsigned n, const json_t *args, json_t **ret, struct err *err)
{
    json_t *before = journaled(run, task, n, "gate", args, err);
    if (before || err->code != ERR_OK) {
        *ret = before;
        return before ? 0 : -(int)err->code;
    }
    const char *id = json_str(args, "id", "");
    AUTO_JSON json_t *answer =
        answer_of_gate_new(args, json_object_get(run->handoffs, id), json_object_get(run->ungrounded, id) != NULL);
    int r = put(run, task, n, "gate", args, answer, err);
    if (r < 0)
        return r;
    if (r == 0)
        note_gate(run, args, json_flag(answer, "open", false), json_str(answer, "reason", ""));
    *ret = json_incref(answer);
    return 0;
}

// --- the door for all of them ---

int run_host_call(void *ctx, uint64_t call_id, const char *task, unsigned n, const char *op, const json_t *args,
                  json_t **ret_answer, struct err *err)
{
    struct run *run = ctx;
    if (run->ending)
        return err_set(err, ERR_CANCELLED, "the run is ending");
    if (str_eq(op, "stage"))
        return stage_begin(run, call_id, task, n, args, ret_answer, err);
    if (str_eq(op, "gate"))
        return begin_gate(run, task, n, args, ret_answer, err);
    if (str_eq(op, "approve"))
        return begin_approve(run, call_id, task, n, args, ret_answer, err);
    if (str_eq(op, "sleep"))
        return begin_sleep(run, call_id, task, n, args, err);
    if (str_eq(op, "now"))
        return answer_fresh(run, task, n, op, args, json_real((double)clock_wall_ns() / 1e9), ret_answer, err);
    if (str_eq(op, "random"))
        return answer_fresh(run, task, n, op, args, json_real((double)(id_random_u64() >> 11) * 0x1p-53), ret_answer, err);
    return err_set(err, ERR_UNSUPPORTED, "this engine does not know the call '%s'", op);
}

void run_host_log(void *ctx, const char *task, const char *text)
{
    struct run *run = ctx;
    json_t *body = json_object();
    json_put_str(body, "task", task);
    json_put_str(body, "text", text);
    run_tell(run, EVENT_SCRIPT_LOG, body);
}
