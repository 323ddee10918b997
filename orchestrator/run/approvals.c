// approve: questions to people. A question that was open when the process died is still the same question: its time
// goes on, and so do its answers.
#include "run/calls.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "run/letters.h"

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

static void decide_in_turn(struct run *run, void *arg)
{
    struct decision_arg *d = arg;
    struct err err;
    struct call c = waiting_call(d->w);
    int64_t now = run_rank(run);
    json_put_int(d->answer, "at_ns", now);
    int r = call_put(run, &c, d->answer, &err);
    if (r >= 0)
        run_note(run, EVENT_APPROVAL_GIVEN, json_incref(d->answer));
    waiting_answer(d->w, now, json_incref(d->answer), r < 0 ? &err : NULL);
}

static void decide(struct waiting *w, json_t *answer_consumed)
{
    struct decision_arg d = {.w = w, .answer = answer_consumed};
    run_turn(w->run, decide_in_turn, &d);
    json_decref(answer_consumed);
}

static void approval_expired(void *user)
{
    decide(user, approval_new(false, "nobody", "the question expired"));
}

// The answer that an inbox record gives to a question, once; NULL when it gives none.
// Inbox records of kind "approval": {approved, by, note, subject, task?, n?}; without task and n the oldest question is
// meant.
static json_t *answer_from_new(struct run *run, const json_t *item, const struct call *c, int64_t after)
{
    const json_t *body = json_obj(item, "body");
    const char *wanted = json_str(body, "task", NULL), *by = json_str(body, "by", "unknown");
    int64_t id = json_int(item, "id", 0);
    struct err why;
    if (!str_eq(json_str(item, "kind", ""), "approval") || id <= after ||
        (wanted && (!str_eq(wanted, c->task) || json_int(body, "n", -1) != (int64_t)c->n)) || inbox_is_taken(run, id))
        return NULL;
    if (letter_may_answer(c->args, by, json_str(body, "subject", NULL), &why) < 0) {
        json_t *refusal = json_object();
        json_put_str(refusal, "by", by);
        json_put_str(refusal, "why", why.text);
        run_tell(run, EVENT_APPROVAL_REFUSED, refusal); // it is found again at every replay: not journaled
        return NULL;
    }
    json_t *answer = approval_new(json_flag(body, "approved", false), by, json_str(body, "note", ""));
    json_put_int(answer, "inbox", id);
    if (json_str(c->args, "subject", NULL))
        json_put_str(answer, "subject", json_str(c->args, "subject", NULL));
    inbox_take(run, id);
    return answer;
}

void approve_take(struct run *run, const json_t *item)
{
    for (size_t k = 0; k < run->waitings.len; k++) {
        struct waiting *w = run->waitings.items[k];
        const struct call c = waiting_call(w);
        json_t *answer = w->kind == WAIT_APPROVAL ? answer_from_new(run, item, &c, w->after) : NULL;
        if (!answer)
            continue;
        decide(w, answer);
        return;
    }
}

// How the question was asked before the restart: the event, new reference, or NULL.
static json_t *asked_before_new(struct run *run, const struct call *c)
{
    AUTO_JSON json_t *events = run->resumed ? store_event_list_new(run->env.store, run->id, 0, 0, NULL) : NULL;
    size_t i;
    json_t *event;
    json_array_foreach (events, i, event) {
        const json_t *body = json_obj(event, "body");
        if (str_eq(json_str(event, "kind", ""), event_kind_name(EVENT_APPROVAL_ASKED)) &&
            str_eq(json_str(body, "task", ""), c->task) && json_int(body, "n", -1) == (int64_t)c->n)
            return json_incref(event);
    }
    return NULL;
}

static json_t *answer_meanwhile_new(struct run *run, const struct call *c, int64_t after, int64_t until_ns)
{
    AUTO_JSON json_t *inbox = store_inbox_list_new(run->env.store, run->id, after, NULL);
    size_t i;
    json_t *item, *answer = NULL;
    json_array_foreach (inbox, i, item)
        if (!answer && json_int(item, "at_ns", 0) <= until_ns)
            answer = answer_from_new(run, item, c, after);
    return answer;
}

// Asks, or hears what was answered while no process had the run.
static int ask(struct run *run, const struct call *c, struct err *err)
{
    AUTO_JSON json_t *asked = asked_before_new(run, c);
    int64_t now = clock_wall_ns(), expires = json_int(c->args, "expires_ms", 0) * NS_PER_MS;
    int64_t until = expires > 0 ? json_int(asked, "at_ns", now) + expires : INT64_MAX;
    int64_t after = asked ? json_int(json_obj(asked, "body"), "inbox", 0) : inbox_last(run);
    AUTO_JSON json_t *meanwhile = asked ? answer_meanwhile_new(run, c, after, until) : NULL;
    if (meanwhile) {
        int64_t rank = run_rank(run);
        json_put_int(meanwhile, "at_ns", rank);
        int r = call_put(run, c, meanwhile, err);
        if (r < 0)
            return r;
        run_note(run, EVENT_APPROVAL_GIVEN, json_incref(meanwhile));
        run_reply(run, rank, c->id, json_incref(meanwhile));
        return 0;
    }
    struct waiting *w = waiting_new(run, WAIT_APPROVAL, c, approval_expired);
    w->after = after;
    w->until_ns = until;
    if (expires > 0)
        loop_timer_start(w->timer, clock_left_ns(until, now, expires), 0);
    json_t *body = json_deep_copy(c->args);
    json_put_int(body, "inbox", after);
    json_put_str(body, "task", c->task);
    json_put_int(body, "n", c->n);
    if (asked && run->woken) // for the others it was never away
        json_decref(body);
    else if (asked)
        run_tell(run, EVENT_APPROVAL_ASKED, body);
    else
        run_note(run, EVENT_APPROVAL_ASKED, body);
    return 0;
}

int approve_begin(struct run *run, const struct call *c, json_t **ret, struct err *err)
{
    json_t *before = call_journaled_new(run, c, err);
    if (before && json_int(before, "at_ns", 0)) {
        run_reply(run, json_int(before, "at_ns", 0), c->id, before);
        return 0;
    }
    if (before || err->code != ERR_OK) {
        *ret = before;
        return before ? 0 : -(int)err->code;
    }
    if (run->env.may_ask || json_int(c->args, "expires_ms", 0) > 0)
        return ask(run, c, err);
    // With nobody to ask, "ask" means "no".
    AUTO_JSON json_t *answer = approval_new(false, "nobody", "there is nobody to ask");
    int r = call_put(run, c, answer, err);
    if (r == 0)
        *ret = json_incref(answer);
    return r;
}
