#include "engine/engine.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "engine/admission.h"
#include "engine/deliver.h"
#include "engine/gather.h"
#include "engine/parking.h"
#include "engine/reopen.h"
#include "pool/pool.h"
#include "probe/probe.h"
#include "run/agents.h"
#include "run/batch.h"
#include "run/catalog.h"
#include "run/outbox.h"
#include "run/run.h"
#include "run/starting.h"
#include "script/script.h"
#include "script/stock.h"

#include <stdio.h>
#include <string.h>

#define LOOK_AROUND_NS (150 * NS_PER_MS) // how often other processes' requests (cancel, approval) are looked for
#define PARK_ABOVE     64                // with more runs than this, those that only wait leave the memory
#define PARK_MIN_NS    (2 * NS_PER_SEC)  // shorter sleeps are not worth it

struct engine {
    struct engine_options options;
    char *program_dir, *data_dir;
    struct pool *pool;
    struct probe *probe;
    struct batch *batch;
    struct parking *parking;
    bool looking; // at the parked ones, some at a time
    bool look_on; // the timer runs: every start would put it off
    struct agents *agents;
    struct script_cache *scripts;
    struct script_stock *stock;
    struct starting starting;
    struct loop_timer *look_timer, *bury_timer, *admit_timer;
    struct admission *admission;
    bool admits; // the queue of the journal was taken up: before, new runs are behind those in it
    bool draining;
    bool held; // starts wait for engine_release to be on disk
    VEC(struct run *) runs;
    struct outbox *outbox;
    struct deliver deliver;
    uint64_t last_serial;
    VEC(struct run *) ended; // to be freed when nobody is inside them any more
};

// --- run events ---

static void bury(void *user)
{
    struct engine *e = user;
    while (e->ended.len)
        run_free(e->ended.items[--e->ended.len]);
}

static void on_event(void *user, const char *run, enum event_kind kind, const json_t *body)
{
    struct engine *e = user;
    metrics_event(e->options.metrics, kind, body);
    if (e->options.event)
        e->options.event(e->options.user, run, kind, body);
}

// Those that wait for the run hear of its end; their list may change meanwhile.
static void tell_parents(struct engine *e, const char *id, const struct err *why)
{
    for (size_t i = 0; i < e->runs.len;)
        i = run_child_ended(e->runs.items[i], id, why) ? 0 : i + 1;
}

// When the turn is over: whoever is inside of a run may be its own reason for a free place.
static void admit_soon(struct engine *e)
{
    if (e->admits && !e->draining && admission_length(e->admission))
        loop_timer_start(e->admit_timer, 0, 0);
}

static int take_up(struct engine *e, const char *id, struct store_lock *lock_take, struct err *err);

// The run that another one went on in.
static void go_on_with(struct engine *e, const char *next)
{
    struct err err;
    if (take_up(e, next, NULL, &err) < 0 && e->options.ended) // it can be resumed
        e->options.ended(e->options.user, next, RUN_RUNNING, NULL, &err);
}

static void on_ended(void *user, struct run *run, enum run_state state, const json_t *result, const struct err *why)
{
    struct engine *e = user;
    for (size_t i = 0; i < e->runs.len; i++)
        if (e->runs.items[i] == run)
            e->runs.items[i] = e->runs.items[--e->runs.len];
    map_remove(&e->deliver.runs, run_serial(run));
    vec_push(&e->ended, run);
    loop_timer_start(e->bury_timer, 0, 0);
    if (run_tells(run))
        outbox_look(e->outbox);
    if (e->runs.len == 0 && parking_count(e->parking) == 0) {
        loop_timer_stop(e->look_timer);
        e->look_on = false;
    }
    admit_soon(e);
    if (e->options.ended)
        e->options.ended(e->options.user, run_id(run), state, result, why);
    if (state == RUN_CONTINUED && !e->draining)
        go_on_with(e, json_str(result, "continued_as", ""));
    tell_parents(e, run_id(run), why);
}

static void park_sleepers(struct engine *e)
{
    int64_t wake_ns, seen, now = clock_wall_ns();
    if (e->runs.len <= PARK_ABOVE || batch_flush(e->batch, NULL) < 0)
        return;
    for (size_t i = 0; i < e->runs.len;) {
        struct run *run = e->runs.items[i];
        if (!run_sleeps(run, &wake_ns, &seen) || wake_ns - now < PARK_MIN_NS) {
            i++;
            continue;
        }
        if (seen >= 0 && store_inbox_has_newer(e->options.store, run_id(run), seen)) {
            run_look_around(run); // what it has not read would wake it at once
            i++;
            continue;
        }
        AUTO_FREE char *id = str_dup(run_id(run));
        e->runs.items[i] = e->runs.items[--e->runs.len];
        map_remove(&e->deliver.runs, run_serial(run));
        parking_add(e->parking, id, run_park(run), wake_ns, seen);
    }
}

static void look_around(void *user)
{
    struct engine *e = user;
    bool changed = store_changed_elsewhere(e->options.store);
    for (size_t i = 0; i < e->runs.len; i++)
        if (changed || run_watches(e->runs.items[i]))
            run_look_around(e->runs.items[i]);
    if (changed || e->looking)
        e->looking = parking_look(e->parking);
    park_sleepers(e);
    if (changed && e->admits)
        admission_load(e->admission, NULL);
    admit_soon(e);
}

static void on_commit(void *user, size_t turns, int64_t ns, bool failed)
{
    struct metrics *m = user;
    metrics_add(m, METRIC_COMMIT_FAILURES, NULL, NULL, failed);
    metrics_observe(m, METRIC_COMMIT_SECONDS, NULL, NULL, (double)ns / (double)NS_PER_SEC);
    metrics_observe(m, METRIC_COMMIT_TURNS, NULL, NULL, (double)turns);
}

// --- life ---

static void wake(void *user, const char *id, struct store_lock *lock_take);
static void admit(void *user);

// What was reserved is on disk: workers need not wait for the next turn of the loop.
static void after_batch(void *user)
{
    struct engine *e = user;
    if (e->pool)
        pool_turn(e->pool);
}

static void on_probed(void *user)
{
    struct engine *e = user;
    if (e->options.probed) {
        AUTO_JSON json_t *facts = probe_facts_new(e->probe, NULL);
        e->options.probed(e->options.user, facts);
    }
    for (size_t i = e->runs.len; i > 0; i--) // one that ends takes itself out
        if (i <= e->runs.len)
            run_probed(e->runs.items[i - 1]);
}

void engine_probe(struct engine *e)
{
    probe_begin(e->probe);
}

int engine_new(const struct engine_options *options, struct engine **ret, struct err *err)
{
    struct engine *e = mem_alloc(sizeof(*e));
    e->options = *options;
    e->program_dir = str_dup(options->program_dir);
    e->data_dir = str_dup(options->data_dir);
    e->look_timer = loop_timer_new(options->loop, look_around, e);
    e->bury_timer = loop_timer_new(options->loop, bury, e);
    e->outbox = outbox_new(options->loop, options->store);
    e->admit_timer = loop_timer_new(options->loop, admit, e);
    e->admission = admission_new(options->store, options->most_running, options->most_queued);
    e->admits = options->most_running == 0;
    e->batch = batch_new(options->loop, options->store, after_batch, e);
    if (options->metrics)
        batch_watch(e->batch, on_commit, options->metrics);
    e->parking = parking_new(options->loop, options->store, wake, e);
    e->agents = agents_new(options->store, options->data_dir);
    e->scripts = script_cache_new();
    e->stock = script_stock_new();
    e->starting = (struct starting){e->options.store, e->agents, e->scripts, e->data_dir};
    AUTO_FREE char *runtime = path_join(store_dir(options->store), "run");
    struct pool_options pool = {.program_dir = e->program_dir, .runtime_dir = runtime};
    int r = pool_new(options->loop, &pool, &DELIVER_EVENTS, &e->deliver, &e->pool, err);
    if (r < 0) {
        engine_free(e);
        return r;
    }
    e->probe = probe_new(options->loop, options->program_dir, on_probed, e);
    e->deliver.pool = e->pool;
    e->deliver.store = options->store;
    e->deliver.metrics = options->metrics;
    *ret = e;
    return 0;
}

struct engine *engine_free(struct engine *e)
{
    if (!e)
        return NULL;
    bury(e);
    while (e->runs.len)
        run_free(e->runs.items[--e->runs.len]);
    vec_free(&e->runs);
    map_free(&e->deliver.runs);
    vec_free(&e->ended);
    loop_timer_close(e->look_timer);
    loop_timer_close(e->bury_timer);
    outbox_free(e->outbox);
    loop_timer_close(e->admit_timer);
    admission_free(e->admission);
    parking_free(e->parking);
    batch_free(e->batch);
    agents_free(e->agents);
    script_stock_free(e->stock);
    script_cache_free(e->scripts);
    pool_free(e->pool);
    probe_free(e->probe);
    mem_free(e->program_dir);
    mem_free(e->data_dir);
    mem_free(e);
    return NULL;
}

size_t engine_effects_under_way(const struct engine *e)
{
    return outbox_under_way(e->outbox);
}

size_t engine_run_count(const struct engine *e)
{
    return e->runs.len + parking_count(e->parking);
}

static int family_create(void *user, const json_t *parent, const json_t *wanted, char ret_id[STORE_NAME_MAX],
                         struct err *err)
{
    struct engine *e = user;
    return starting_child(&e->starting, parent, wanted, ret_id, err);
}

static bool family_has(void *user, const char *id)
{
    struct engine *e = user;
    for (size_t i = 0; i < e->runs.len; i++)
        if (str_eq(run_id(e->runs.items[i]), id))
            return true;
    return parking_has(e->parking, id);
}

static int family_take_up(void *user, const char *id, struct err *err)
{
    struct err own;
    return family_has(user, id) ? 0 : engine_resume(user, id, err ? err : &own);
}

static void family_cancel(void *user, const char *id, const char *reason)
{
    engine_cancel(user, id, reason, NULL);
}

static const struct run_family FAMILY = {family_create, family_take_up, family_has, family_cancel};

static int take_up(struct engine *e, const char *id, struct store_lock *lock_take, struct err *err)
{
    struct run_env env = {.loop = e->options.loop,
                          .store = e->options.store,
                          .batch = e->batch,
                          .agents = e->agents,
                          .scripts = e->scripts,
                          .stock = e->stock,
                          .pool = e->pool,
                          .probe = e->probe,
                          .family = &FAMILY,
                          .serial = ++e->last_serial,
                          .may_ask = e->options.may_ask,
                          .user = e,
                          .event = on_event,
                          .ended = on_ended};
    struct run *run = NULL;
    int r = run_new(&env, id, lock_take, &run, err);
    if (r < 0)
        return r;
    vec_push(&e->runs, run);
    admission_served(e->admission, run_project(run));
    map_put(&e->deliver.runs, env.serial, run);
    if (!e->look_on)
        loop_timer_start(e->look_timer, LOOK_AROUND_NS, LOOK_AROUND_NS);
    e->look_on = true;
    run_begin(run);
    return 0;
}

static void wake(void *user, const char *id, struct store_lock *lock_take)
{
    struct engine *e = user;
    struct err err;
    if (take_up(e, id, lock_take, &err) == 0)
        return;
    store_lock_release(lock_take);
    if (e->options.ended) // it can be resumed when what is missing is there again
        e->options.ended(e->options.user, id, RUN_RUNNING, NULL, &err);
}

json_t *engine_plan_new(struct engine *e, const char *id, const struct engine_reopen *how, struct err *err)
{
    return reopen_plan_new(&e->starting, id, how, err);
}

int engine_reopen(struct engine *e, const char *id, const struct engine_reopen *how, struct err *err)
{
    return reopen(&e->starting, id, how, err);
}

int engine_resume(struct engine *e, const char *id, struct err *err)
{
    return take_up(e, id, NULL, err);
}

json_t *engine_workers_new(const struct engine *e)
{
    return pool_workers_new(e->pool);
}

void engine_measure(struct engine *e)
{
    struct metrics *m = e->options.metrics;
    if (!m)
        return;
    metrics_set(m, METRIC_RUNS_OPEN, NULL, NULL, (double)e->runs.len);
    metrics_set(m, METRIC_RUNS_PARKED, NULL, NULL, (double)parking_count(e->parking));
    metrics_set(m, METRIC_RUNS_LIMIT, NULL, NULL, (double)e->options.most_running);
    metrics_set(m, METRIC_QUEUE_LENGTH, NULL, NULL, (double)admission_length(e->admission));
    metrics_set(m, METRIC_STAGES_AT_WORK, NULL, NULL, (double)pool_jobs_at_work(e->pool));
    metrics_clear(m, METRIC_WORKERS);
    AUTO_JSON json_t *workers = pool_workers_new(e->pool);
    size_t i;
    json_t *worker;
    json_array_foreach (workers, i, worker)
        metrics_add(m, METRIC_WORKERS, json_str(worker, "role", ""), NULL, 1);
}

static int cancel_queued(struct engine *e, const char *id, const char *reason, struct err *err)
{
    int r = store_run_request_cancel(e->options.store, id, reason, err);
    if (r >= 0)
        r = take_up(e, id, NULL, err); // only to be ended, as a run that was at work is
    if (r == 0)
        admission_remove(e->admission, id);
    return r;
}

int engine_cancel(struct engine *e, const char *id, const char *reason, struct err *err)
{
    for (size_t i = 0; i < e->runs.len; i++) {
        if (str_eq(run_id(e->runs.items[i]), id)) {
            run_cancel(e->runs.items[i], reason);
            return 0;
        }
    }
    if (parking_wake(e->parking, id))
        return engine_cancel(e, id, reason, err);
    if (admission_has(e->admission, id))
        return cancel_queued(e, id, reason, err);
    return err_set(err, ERR_NOT_FOUND, "this process has no run '%s'", id);
}

int engine_look(struct engine *e, const char *id, struct err *err)
{
    int r = batch_flush(e->batch, err);
    for (size_t i = 0; i < e->runs.len && r == 0; i++) {
        if (str_eq(run_id(e->runs.items[i]), id)) {
            run_look_around(e->runs.items[i]);
            return 0;
        }
    }
    if (r == 0)
        parking_wake(e->parking, id);
    return r;
}

// --- the queue ---

// Runs that only wait have no worker and need no place. busy (may be NULL): project -> those that have one.
static size_t count_at_work(const struct engine *e, json_t *busy)
{
    size_t n = 0;
    for (size_t i = 0; i < e->runs.len; i++) {
        if (run_waits(e->runs.items[i]))
            continue;
        const char *project = run_project(e->runs.items[i]);
        if (busy)
            json_put_int(busy, project, json_int(busy, project, 0) + 1);
        n++;
    }
    return n;
}

// What cannot be begun must not stay in the way of the others.
static void give_up_queued(struct engine *e, const char *id, const struct err *why)
{
    AUTO_JSON json_t *result = json_object();
    json_put_str(result, "outcome", run_state_name(RUN_FAILED));
    json_put_str(result, "reason", why->text);
    if (outbox_end_run(e->options.store, id, RUN_FAILED, result, NULL) < 0)
        return;
    outbox_look(e->outbox);
    AUTO_JSON json_t *body = json_object();
    json_put_str(body, "state", run_state_name(RUN_FAILED));
    json_put_str(body, "reason", why->text);
    store_event_add(e->options.store, id, EVENT_RUN_FINISHED, body, NULL, NULL);
    on_event(e, id, EVENT_RUN_FINISHED, body);
}

static void admit(void *user)
{
    struct engine *e = user;
    while (e->admits && !e->draining && admission_has_place(e->admission, count_at_work(e, NULL))) {
        AUTO_JSON json_t *busy = json_object();
        struct err err;
        count_at_work(e, busy);
        AUTO_FREE char *id = str_dup(admission_next(e->admission, busy));
        if (!id)
            return;
        admission_remove(e->admission, id);
        int r = take_up(e, id, NULL, &err);
        if (r < 0 && err.code != ERR_CONFLICT && err.code != ERR_STATE) // another process has it, or it was cancelled
            give_up_queued(e, id, &err);
    }
}

int engine_admit(struct engine *e, struct err *err)
{
    int r = batch_flush(e->batch, err);
    if (r == 0)
        r = admission_load(e->admission, err);
    e->admits = r == 0;
    admit_soon(e);
    return r;
}

size_t engine_queue_length(const struct engine *e)
{
    return admission_length(e->admission);
}

size_t engine_queue_position(const struct engine *e, const char *run)
{
    AUTO_JSON json_t *busy = json_object();
    count_at_work(e, busy);
    return admission_position(e->admission, run, busy);
}

void engine_drain(struct engine *e, void (*done)(void *user), void *user)
{
    e->draining = true;
    pool_drain(e->pool, done, user);
}

size_t engine_stages_at_work(const struct engine *e)
{
    return pool_jobs_at_work(e->pool);
}

// --- starting ---

struct queued { // is told when it is on disk
    struct engine *engine;
    char *run;
    json_t *body;
};

static void queued_settled(void *user, const struct err *why)
{
    struct queued *q = user;
    if (why)
        admission_remove(q->engine->admission, q->run);
    else
        on_event(q->engine, q->run, EVENT_RUN_QUEUED, q->body);
    json_decref(q->body);
    mem_free(q->run);
    mem_free(q);
}

// In the transaction of its record.
static int enqueue(struct engine *e, const char *run, const struct parts *p, struct err *err)
{
    struct queued *q = mem_alloc(sizeof(*q));
    admission_add(e->admission, run, p->project);
    *q = (struct queued){e, str_dup(run), json_object()};
    json_put_str(q->body, "workflow", p->name);
    json_put_str(q->body, "project", p->project);
    json_put_int(q->body, "position", (int64_t)engine_queue_position(e, run));
    int r = store_event_add(e->options.store, run, EVENT_RUN_QUEUED, q->body, NULL, err);
    return r < 0 ? r : batch_join(e->batch, queued_settled, q, err);
}

// 1: the new run must wait.
static int must_wait(struct engine *e, const struct engine_request *q, struct err *err)
{
    if (e->draining)
        return err_set(err, ERR_UNAVAILABLE, "the service is ending and starts nothing new; try again in a moment");
    if (e->admits && !admission_length(e->admission) &&
        (e->options.most_running == 0 || admission_has_place(e->admission, count_at_work(e, NULL))))
        return 0;
    if (q->key && store_run_key_known(e->options.store, q->key))
        return 1; // perhaps it is there already: it needs no room
    int r = admission_check_room(e->admission, err);
    return r < 0 ? r : 1;
}

// The run's first turn is part of the same transaction. One that cannot be begun is not left in the journal as if it
// waited.
static int begin_at_once(struct engine *e, const char *run, struct err *err)
{
    struct err why;
    int r = take_up(e, run, NULL, &why);
    if (r < 0) {
        give_up_queued(e, run, &why);
        *err = why;
    }
    return r;
}

int engine_start(struct engine *e, const struct engine_request *q, char ret_run[STORE_NAME_MAX], struct err *err)
{
    struct parts p = {0};
    int waits = must_wait(e, q, err);
    int r = waits < 0 ? waits : gather_parts(&e->starting, q, &p, err);
    if (r == 0)
        r = batch_join(e->batch, NULL, NULL, err);
    if (r == 0)
        r = parts_journal(&e->starting, &p, q->key, q->caller, NULL, ret_run, err);
    if (r == 0 && waits > 0)
        r = enqueue(e, ret_run, &p, err);
    else if (r == 0)
        r = begin_at_once(e, ret_run, err);
    parts_free(&p);
    if (r == 0 && !e->held)
        r = batch_flush(e->batch, err);
    if (r < 0)
        metrics_add(e->options.metrics, METRIC_STARTS_REFUSED, err_name((enum err_code) - r), NULL, 1);
    return r;
}

void engine_hold(struct engine *e)
{
    e->held = true;
}

int engine_release(struct engine *e, struct err *err)
{
    e->held = false;
    return batch_flush(e->batch, err);
}
