// signal: waits for what somebody sends; publish: values that anybody can read. A signal is a record of the inbox: it
// is kept until a call takes it, each is taken once, those of a name in the order they came.
#include "run/calls.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "run/letters.h"

static bool fits(struct run *run, const json_t *item, const char *name, int64_t until_ns)
{
    return str_eq(json_str(json_obj(item, "body"), "name", ""), name) && json_int(item, "at_ns", 0) <= until_ns &&
           !inbox_is_taken(run, json_int(item, "id", 0));
}

// The oldest signal that the call can have, new reference, or NULL.
static json_t *kept_new(struct run *run, const char *name, int64_t until_ns)
{
    bool behind = false; // one that is kept for somebody else stands before
    int64_t from = run->signals_from;
    for (size_t n = 1; n > 0;) { // the store gives a long inbox in parts
        AUTO_JSON json_t *inbox = store_inbox_list_new(run->env.store, run->id, from, NULL);
        size_t i;
        json_t *item;
        n = json_array_size(inbox);
        json_array_foreach (inbox, i, item) {
            bool signal = str_eq(json_str(item, "kind", ""), "signal");
            if (signal && fits(run, item, name, until_ns))
                return json_incref(item);
            from = json_int(item, "id", from);
            behind = behind || (signal && !inbox_is_taken(run, from));
            run->signals_from = behind ? run->signals_from : from;
        }
    }
    return NULL;
}

static json_t *answer_new(const json_t *item, int64_t now)
{
    const json_t *body = json_obj(item, "body");
    json_t *answer = json_object(), *value = json_object_get(body, "value");
    json_put_flag(answer, "came", item != NULL);
    json_put(answer, "value", value ? json_incref(value) : json_null());
    json_put_str(answer, "by", json_str(body, "by", NULL));
    if (item)
        json_put_int(answer, "inbox", json_int(item, "id", 0));
    json_put_int(answer, "at_ns", now);
    return answer;
}

static int journal(struct run *run, const struct call *c, const json_t *item, const json_t *answer, struct err *err)
{
    int r = call_put(run, c, answer, err);
    if (r < 0 || !item)
        return r;
    inbox_take(run, json_int(item, "id", 0));
    json_t *body = json_object();
    json_put_str(body, "name", json_str(c->args, "name", NULL));
    json_put_str(body, "by", json_str(answer, "by", NULL));
    run_note(run, EVENT_SIGNAL_TAKEN, body);
    return 0;
}

struct taken_arg {
    struct waiting *w;
    const json_t *item; // NULL: the time is over
};

static void take_in_turn(struct run *run, void *arg)
{
    const struct taken_arg *a = arg;
    struct call c = waiting_call(a->w);
    struct err err;
    int64_t now = run_rank(run);
    json_t *answer = answer_new(a->item, now);
    int r = journal(run, &c, a->item, answer, &err);
    waiting_answer(a->w, now, answer, r < 0 ? &err : NULL);
}

// One may have come in time that nobody has looked at yet.
static void time_over(void *user)
{
    struct waiting *w = user;
    AUTO_JSON json_t *item = kept_new(w->run, json_str(w->args, "name", ""), w->until_ns);
    struct taken_arg a = {.w = w, .item = item};
    run_turn(w->run, take_in_turn, &a);
}

void signal_take(struct run *run, const json_t *item)
{
    const char *name = json_str(json_obj(item, "body"), "name", "");
    struct waiting *first = NULL;
    if (inbox_is_taken(run, json_int(item, "id", 0)))
        return;
    for (size_t i = 0; i < run->waitings.len; i++) {
        struct waiting *w = run->waitings.items[i];
        if (w->kind == WAIT_SIGNAL && str_eq(json_str(w->args, "name", ""), name) &&
            (!first || w->order < first->order))
            first = w;
    }
    struct taken_arg a = {.w = first, .item = item};
    if (first)
        run_turn(run, take_in_turn, &a);
}

// What is waited for is journaled when the wait begins: others can see it, and its time goes on while no process has
// the run.
static int read_deadline(struct run *run, const struct call *c, int64_t now, int64_t span, int64_t *ret,
                         struct err *err)
{
    AUTO_JSON json_t *before = call_beside_new(run, c->task, c->n), *wait = json_object();
    int64_t until = json_is_integer(before) ? json_integer_value(before) : json_int(before, "until_ns", now + span);
    *ret = span > 0 ? until : INT64_MAX;
    if (before)
        return 0;
    json_put_str(wait, "name", json_str(c->args, "name", NULL));
    if (span > 0)
        json_put_int(wait, "until_ns", *ret);
    return call_put_beside(run, c->task, c->n, "awaits", wait, err);
}

int signal_begin(struct run *run, const struct call *c, struct err *err)
{
    json_t *before = call_journaled_new(run, c, err);
    if (before) {
        run_reply(run, json_int(before, "at_ns", 0), c->id, before);
        return 0;
    }
    const char *name = json_str(c->args, "name", "");
    int64_t now = clock_wall_ns(), span = json_int(c->args, "timeout_ms", 0) * NS_PER_MS, until = 0;
    if (err->code != ERR_OK || letter_check_name("signal", name, err) < 0 ||
        read_deadline(run, c, now, span, &until, err) < 0)
        return -(int)err->code;
    AUTO_JSON json_t *item = kept_new(run, name, until);
    if (item) {
        int64_t rank = run_rank(run);
        AUTO_JSON json_t *answer = answer_new(item, rank);
        int r = journal(run, c, item, answer, err);
        if (r == 0)
            run_reply(run, rank, c->id, json_incref(answer));
        return r;
    }
    struct waiting *w = waiting_new(run, WAIT_SIGNAL, c, time_over);
    w->until_ns = until;
    if (span > 0)
        loop_timer_start(w->timer, clock_left_ns(until, now, span), 0);
    return 0;
}

// The journal of the call is where it is read from, also when the run has ended.
int publish_begin(struct run *run, const struct call *c, json_t **ret, struct err *err)
{
    const char *name = json_str(c->args, "name", "");
    AUTO_JSON json_t *before = call_journaled_new(run, c, err);
    if (!before && err->code == ERR_OK && letter_check_name("publish", name, err) == 0 &&
        letter_check_value("publish: the value", json_object_get(c->args, "value"), err) == 0 &&
        call_put(run, c, c->args, err) == 0) {
        json_t *body = json_object();
        json_put_str(body, "name", name);
        run_note(run, EVENT_VALUE_PUBLISHED, body);
    }
    if (err->code != ERR_OK)
        return -(int)err->code;
    *ret = json_null();
    return 0;
}
