// Calls that time, people or other runs answer: the list of the open ones, and sleep.
#include "run/calls.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

void waiting_free(struct waiting *w)
{
    struct run *run = w->run;
    for (size_t i = 0; i < run->waitings.len; i++)
        if (run->waitings.items[i] == w)
            run->waitings.items[i] = run->waitings.items[--run->waitings.len];
    loop_timer_close(w->timer);
    json_decref(w->args);
    mem_free(w->task);
    mem_free(w->op);
    mem_free(w->child);
    mem_free(w);
}

struct waiting *waiting_new(struct run *run, enum wait_kind kind, const struct call *c, loop_fn on_time)
{
    struct waiting *w = mem_alloc(sizeof(*w));
    *w = (struct waiting){.run = run,
                          .kind = kind,
                          .call = c->id,
                          .order = run->waits_made++,
                          .task = str_dup(c->task),
                          .op = str_dup(c->op),
                          .n = c->n,
                          .args = json_deep_copy(c->args)};
    w->timer = on_time ? loop_timer_new(run->env.loop, on_time, w) : NULL;
    vec_push(&run->waitings, w);
    return w;
}

struct call waiting_call(const struct waiting *w)
{
    return (struct call){.id = w->call, .task = w->task, .n = w->n, .op = w->op, .args = w->args};
}

void waiting_answer(struct waiting *w, int64_t now, json_t *answer_consumed, const struct err *failure)
{
    struct run *run = w->run;
    uint64_t call = w->call;
    waiting_free(w);
    if (failure) {
        run_answer(run, call, NULL, failure);
        json_decref(answer_consumed);
    } else {
        run_reply(run, now, call, answer_consumed);
    }
}

// --- sleep ---

// When a sleep was over is journaled beside it, because it is not exactly when it was to be over. A replay answers in
// this order.
static void wake_in_turn(struct run *run, void *arg)
{
    struct waiting *w = arg;
    struct err err;
    int64_t now = run_rank(run);
    AUTO_JSON json_t *answer = json_integer(now);
    int r = call_put_beside(run, w->task, w->n, "woke", answer, &err);
    waiting_answer(w, now, json_null(), r < 0 ? &err : NULL);
}

static void sleep_over(void *user)
{
    struct waiting *w = user;
    run_turn(w->run, wake_in_turn, w);
}

int sleep_begin(struct run *run, const struct call *c, struct err *err)
{
    int64_t now = clock_wall_ns(), span = json_int(c->args, "ms", 0) * NS_PER_MS;
    json_t *journal = NULL;
    int r = call_answer_fresh(run, c, json_integer(now + span), &journal, err);
    if (r < 0)
        return r;
    int64_t left = clock_left_ns(json_integer_value(journal), now, span);
    json_decref(journal);
    AUTO_JSON json_t *woke = call_beside_new(run, c->task, c->n);
    if (woke) {
        run_reply(run, json_integer_value(woke), c->id, json_null());
        return 0;
    }
    struct waiting *w = waiting_new(run, WAIT_SLEEP, c, sleep_over);
    w->wake_ns = now + left;
    loop_timer_start(w->timer, left, 0);
    return 0;
}
