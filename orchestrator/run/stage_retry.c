// `retries = { attempts, backoff, factor, max, on }`: an attempt that failed is made again after a while. Rules that
// the code does not show:
// - The decision is journaled ("<task>~<failures>", n) before anything follows from it: the wait goes on after a
// restart, and failures
//   are counted over all processes. Restarts of the engine are attempts too, but no failures.
// - The wait is the same at every replay: its jitter comes from the run's name.
#include "run/stage_internal.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

#define JITTER 0.25 // of the wait, to both sides

static const struct {
    const char *name;
    bool given;
} CLASSES[] = {
#define X(name, in_list, meaning) {name, in_list},
#include "tbl/retry.def"
#undef X
};

bool stage_retry_names(const struct stage *s, const char *class)
{
    const json_t *policy = json_obj(s->args, "retry");
    const json_t *on = json_list(policy, "on");
    size_t i;
    json_t *name;
    json_array_foreach (on, i, name)
        if (str_eq(json_string_value(name), class))
            return true;
    for (i = 0; i < ARRAY_LEN(CLASSES) && policy && !on; i++)
        if (str_eq(CLASSES[i].name, class))
            return CLASSES[i].given;
    return false;
}

const char *stage_class_of(const json_t *draft)
{
    const char *code = json_str(json_obj(draft, "worker"), "error", NULL);
    if (!str_eq(json_str(draft, "status", ""), "blocked"))
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(CLASSES) && code; i++)
        if (str_eq(CLASSES[i].name, code))
            return CLASSES[i].name;
    return code ? NULL : "blocked";
}

// [0, 1), from what makes this wait this one.
static double share_of(const struct stage *s)
{
    AUTO_FREE char *text = str_printf("%s %s %u %d", s->run->id, s->task, s->n, s->failures);
    char hash[HASH_TEXT];
    hash_bytes(text, strlen(text), hash);
    hash[13] = '\0';
    return (double)strtoull(hash, NULL, 16) / (double)(UINT64_C(1) << 52);
}

static int64_t wait_ns(const struct stage *s, const json_t *policy)
{
    double ms = (double)json_int(policy, "backoff_ms", 0), most = (double)json_int(policy, "max_ms", 0);
    for (int i = 1; i < s->failures && ms < most; i++)
        ms *= json_num(policy, "factor", 1);
    ms = ms < most ? ms : most;
    return (int64_t)(ms * (1 - JITTER + 2 * JITTER * share_of(s))) * NS_PER_MS;
}

static char *place_of(const struct stage *s, int failures)
{
    return str_printf("%s~%d", s->task, failures);
}

// --- once more ---

static void lease_again(struct run *run, void *arg)
{
    struct stage *s = arg;
    struct err err;
    char lease[WIRE_LEASE_TEXT];
    s->backoff = false;
    if (!stage_pays_attempt(s))
        return;
    s->lease = pool_lease(run->env.pool);
    wire_lease_text(s->lease, lease);
    if (store_stage_lease(run->env.store, run->id, s->seq, NULL, lease, &s->attempt, &err) < 0) {
        run_end(run, RUN_FAILED, NULL, err.text);
        return;
    }
    run_note(run, EVENT_STAGE_RETRIED, stage_facts_new(s));
    vec_push(&run->to_dispatch, (uint64_t)s->seq);
}

void stage_backoff_over(struct stage *s)
{
    run_turn(s->run, lease_again, s);
}

static void back_off(struct stage *s, int64_t left)
{
    s->backoff = true;
    s->ending = NULL;
    s->started_ns = 0;
    loop_timer_start(s->timer, left, 0);
}

struct failed_arg {
    struct stage *s;
    const char *class, *why;
    bool acknowledge;
};

static void failed_in_turn(struct run *run, void *arg)
{
    const struct failed_arg *a = arg;
    struct stage *s = a->s;
    struct err err;
    int64_t wait = wait_ns(s, json_obj(s->args, "retry"));
    AUTO_FREE char *place = place_of(s, s->failures);
    AUTO_JSON json_t *answer = json_object();
    json_put_str(answer, "class", a->class);
    json_put_str(answer, "why", a->why);
    json_put_int(answer, "attempt", s->attempt);
    json_put_int(answer, "wait_ns", wait);
    json_put_int(answer, "until_ns", clock_wall_ns() + wait);
    if (store_call_put(run->env.store, run->id, place, s->n, "retry", "", answer, &err) < 0) {
        run_end(run, RUN_FAILED, NULL, err.text);
        return;
    }
    json_t *body = stage_facts_new(s);
    json_put_str(body, "class", a->class);
    json_put_str(body, "why", a->why);
    json_put_int(body, "failures", s->failures);
    json_put_int(body, "wait_ms", wait / NS_PER_MS);
    run_note(run, EVENT_STAGE_BACKOFF, body);
    if (a->acknowledge)
        vec_push(&run->to_acknowledge, s->lease);
    back_off(s, wait);
}

bool stage_retry(struct stage *s, const char *class, const char *why, bool acknowledge)
{
    const json_t *policy = json_obj(s->args, "retry");
    if (!class || s->run->ending || !stage_retry_names(s, class) ||
        s->failures + 1 >= (int)json_int(policy, "attempts", 1))
        return false;
    s->failures++;
    struct failed_arg a = {.s = s, .class = class, .why = why, .acknowledge = acknowledge};
    run_turn(s->run, failed_in_turn, &a);
    return true;
}

// --- after a restart ---

bool stage_waits_again(struct stage *s, const json_t *record)
{
    struct run *run = s->run;
    AUTO_JSON json_t *last = NULL;
    for (s->failures = 0; json_obj(s->args, "retry"); s->failures++) {
        AUTO_FREE char *place = place_of(s, s->failures + 1);
        json_t *next = store_call_get_new(run->env.store, run->id, place, s->n, NULL);
        if (!next)
            break;
        json_decref(last);
        last = next;
    }
    const json_t *answer = json_obj(last, "answer");
    s->attempt = (int)json_int(record, "attempt", 1);
    if (!answer || json_int(answer, "attempt", 0) != s->attempt)
        return false; // the process died in the middle of an attempt
    s->seq = (int)json_int(record, "seq", 0);
    back_off(s, clock_left_ns(json_int(answer, "until_ns", 0), clock_wall_ns(), json_int(answer, "wait_ns", 0)));
    return true;
}
