#include "schedule/schedules.h"

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/request.h"
#include "schedule/cron.h"

#include <inttypes.h>
#include <string.h>

#define LOOK_NS   (30 * NS_PER_SEC) // the clock may be set
#define TIMES_MAX 100000            // times that are counted after a long stop; behind that they go by unseen

struct schedules {
    struct schedules_options options;
    struct loop_timer *timer;
    bool at_work;
    bool waits; // a time waits for the end of a run
};

struct due {        // of one schedule, now
    int64_t latest; // seconds; 0: none
    int64_t count;  // that came since the last look
    int64_t next;   // 0: none ever
};

// --- telling ---

static void tell(struct schedules *s, const char *run, enum event_kind kind, const json_t *body)
{
    store_event_add(s->options.store, run, kind, body, NULL, NULL);
    s->options.event(s->options.user, run, kind, body);
}

static json_t *facts_new(const json_t *row, int64_t time)
{
    char when[CLOCK_TEXT_MAX];
    json_t *body = json_object();
    clock_iso(time * NS_PER_SEC, when);
    json_put_str(body, "schedule", json_str(row, "name", ""));
    if (time)
        json_put_str(body, "time", when);
    return body;
}

// For people who look at the schedule and not at the events.
static void keep_outcome(struct schedules *s, const json_t *row, enum event_kind kind, const json_t *body)
{
    AUTO_JSON json_t *outcome = json_copy((json_t *)(uintptr_t)body);
    json_object_del(outcome, "schedule");
    json_put_str(outcome, "event", event_kind_name(kind));
    json_put_int(outcome, "at_ns", clock_wall_ns());
    store_schedule_outcome(s->options.store, json_str(row, "name", ""), json_int(row, "created_ns", 0), outcome, NULL);
}

static void skipped(struct schedules *s, const json_t *row, int64_t time, int64_t times, const char *why)
{
    AUTO_JSON json_t *body = facts_new(row, time);
    json_put_int(body, "times", times);
    json_put_str(body, "why", why);
    keep_outcome(s, row, EVENT_SCHEDULE_SKIPPED, body);
    tell(s, NULL, EVENT_SCHEDULE_SKIPPED, body);
}

// --- starting ---

static int start(struct schedules *s, const json_t *row, const char *key, char ret_run[STORE_NAME_MAX], struct err *err)
{
    struct request_words words;
    struct engine_request request;
    AUTO_FREE char *caller = str_printf("schedule %s", json_str(row, "name", ""));
    int r = request_read(json_obj(row, "request"), &words, &request, err);
    request.key = key;
    request.caller = caller;
    return r < 0 ? r : engine_start(s->options.engine, &request, ret_run, err);
}

// The run, its event and the mark that the time was dealt with become durable together. When that fails, the time is
// still due.
static int fire(struct schedules *s, const json_t *row, int64_t time, const char *key, int64_t handled_ns,
                char run[STORE_NAME_MAX], struct err *err)
{
    struct store *store = s->options.store;
    const char *name = json_str(row, "name", "");
    int64_t created_ns = json_int(row, "created_ns", 0);
    struct err own;
    engine_hold(s->options.engine);
    int r = start(s, row, key, run, err);
    AUTO_JSON json_t *body = facts_new(row, time);
    if (r >= 0) {
        json_put_str(body, "run", run);
        json_put_int(body, "late_ms", time ? clock_wall_ns() / NS_PER_MS - time * 1000 : 0);
    } else {
        json_put_str(body, "why", err->text);
    }
    bool draining = r == -ERR_UNAVAILABLE; // nobody may start anything: the next service does
    if (!draining && time)                 // not when it is triggered
        store_schedule_handled(store, name, created_ns, handled_ns, 0, NULL);
    if (r >= 0)
        store_schedule_fired(store, name, created_ns, run, NULL);
    if (r >= 0 && r != 1)
        store_event_add(store, run, EVENT_SCHEDULE_FIRED, body, NULL, NULL);
    if (!draining)
        keep_outcome(s, row, r >= 0 ? EVENT_SCHEDULE_FIRED : EVENT_SCHEDULE_FAILED, body);
    int released = engine_release(s->options.engine, &own);
    if (released == 0 && r == 0)
        s->options.event(s->options.user, run, EVENT_SCHEDULE_FIRED, body);
    else if (released == 0 && r < 0 && !draining)
        tell(s, NULL, EVENT_SCHEDULE_FAILED, body);
    if (released < 0) {
        *err = own;
        return released;
    }
    return r;
}

static void fire_time(struct schedules *s, const json_t *row, int64_t time, int64_t handled_ns)
{
    char run[STORE_NAME_MAX];
    struct err err;
    AUTO_FREE char *key = str_printf("schedule %s %" PRId64 ", %" PRId64, json_str(row, "name", ""),
                                     json_int(row, "created_ns", 0), time);
    if (fire(s, row, time, key, handled_ns, run, &err) < 0)
        log_fact(LOG_WARN, "schedule_start_failed", "schedule", json_str(row, "name", ""), "why", err.text, NULL);
}

int schedules_trigger(struct schedules *s, const char *name, char ret_run[STORE_NAME_MAX], struct err *err)
{
    char id[ID_UUID_TEXT];
    AUTO_JSON json_t *row = store_schedule_get_new(s->options.store, name, err);
    if (!row)
        return -(int)err->code;
    id_uuid7(clock_wall_ns(), id);
    AUTO_FREE char *key = str_printf("schedule %s %s", name, id);
    int r = fire(s, row, 0, key, json_int(row, "handled_ns", 0), ret_run, err);
    return r < 0 ? r : 0;
}

// --- times ---

static int count_due(const json_t *row, int64_t handled, int64_t now, struct due *ret, struct err *err)
{
    struct cron cron;
    struct zone *zone = NULL;
    *ret = (struct due){0};
    int r = cron_parse(json_str(row, "cron", ""), &cron, err);
    if (r == 0)
        r = zone_load(json_str(row, "zone", "UTC"), &zone, err);
    int64_t time = handled;
    while (r == 0 && cron_next(&cron, zone, time, &ret->next) && ret->next <= now) {
        time = ret->latest = ret->next;
        ret->next = 0;
        if (++ret->count >= TIMES_MAX)
            time = now - SCHEDULES_GRACE_S > time ? now - SCHEDULES_GRACE_S : time;
    }
    zone_free(zone);
    return r;
}

static bool has_ended(struct schedules *s, const char *run)
{
    AUTO_JSON json_t *record = run ? store_run_get_new(s->options.store, run, NULL) : NULL;
    enum run_state state = RUN_RUNNING;
    return !record || !run_state_from_name(json_str(record, "state", ""), &state) || run_state_final(state);
}

static void mark(struct schedules *s, const json_t *row, int64_t handled, int64_t pending)
{
    struct err err;
    if (store_schedule_handled(s->options.store, json_str(row, "name", ""), json_int(row, "created_ns", 0),
                               handled * NS_PER_SEC, pending * NS_PER_SEC, &err) < 0)
        log_fact(LOG_ERROR, "schedule_not_journaled", "schedule", json_str(row, "name", ""), "why", err.text, NULL);
}

// A time is due that is not too late.
static void come(struct schedules *s, const json_t *row, int64_t time, int64_t pending)
{
    const char *before = json_str(row, "last_run", NULL), *overlap = json_str(row, "overlap", "skip");
    if (has_ended(s, before)) {
        fire_time(s, row, time, time * NS_PER_SEC);
        return;
    }
    AUTO_FREE char *why = str_printf("run %s has not ended", before);
    if (str_eq(overlap, "cancel")) {
        if (engine_cancel(s->options.engine, before, "the next run of its schedule is due", NULL) == -ERR_NOT_FOUND)
            store_run_request_cancel(s->options.store, before, "the next run of its schedule is due", NULL);
        fire_time(s, row, time, time * NS_PER_SEC);
    } else if (str_eq(overlap, "queue") && !pending) {
        s->waits = true;
        mark(s, row, time, time);
    } else {
        mark(s, row, time, pending);
        skipped(s, row, time, 1, why);
    }
}

// Deals with what is due of one schedule; seconds of its next time, 0 when there is none.
static int64_t look_at(struct schedules *s, const json_t *row, int64_t now)
{
    struct due due;
    struct err err;
    int64_t handled = json_int(row, "handled_ns", 0) / NS_PER_SEC,
            pending = json_int(row, "pending_ns", 0) / NS_PER_SEC;
    s->waits = s->waits || pending;
    if (json_int(row, "paused", 0))
        return 0;
    if (handled >
        now + SCHEDULES_BACK_S) { // the clock was set back by so much that the schedule would be silent for long
        handled = now;
        mark(s, row, handled, pending);
    }
    if (count_due(row, handled, now, &due, &err) < 0) {
        log_fact(LOG_ERROR, "schedule_not_understood", "schedule", json_str(row, "name", ""), "why", err.text, NULL);
        return 0;
    }
    if (pending && has_ended(s, json_str(row, "last_run", NULL))) {
        fire_time(s, row, pending, handled * NS_PER_SEC);
        return now + 1; // and again, with what the journal says then
    }
    if (!due.count)
        return due.next;
    bool wanted = now - due.latest < SCHEDULES_GRACE_S || str_eq(json_str(row, "catch_up", ""), "once");
    int64_t missed = due.count - wanted;
    if (missed)
        skipped(s, row, wanted ? 0 : due.latest, missed, "it was missed: no service was there, or the clock was set");
    if (wanted)
        come(s, row, due.latest, pending);
    else
        mark(s, row, due.latest, pending);
    return due.next;
}

static void look(void *user)
{
    struct schedules *s = user;
    int64_t now_ns = clock_wall_ns(), wait_ns = LOOK_NS;
    if (!s->at_work)
        return;
    s->waits = false;
    AUTO_JSON json_t *rows = store_schedule_list_new(s->options.store, NULL);
    size_t i;
    json_t *row;
    json_array_foreach (rows, i, row) {
        int64_t next = look_at(s, row, now_ns / NS_PER_SEC);
        int64_t left_ns = next * NS_PER_SEC - now_ns;
        if (next && left_ns < wait_ns)
            wait_ns = left_ns > 0 ? left_ns : 0;
    }
    if (s->at_work)
        loop_timer_start(s->timer, wait_ns, 0);
}

// --- life ---

struct schedules *schedules_new(const struct schedules_options *options)
{
    struct schedules *s = mem_alloc(sizeof(*s));
    s->options = *options;
    s->timer = loop_timer_new(options->loop, look, s);
    return s;
}

struct schedules *schedules_free(struct schedules *s)
{
    if (!s)
        return NULL;
    loop_timer_close(s->timer);
    mem_free(s);
    return NULL;
}

void schedules_begin(struct schedules *s)
{
    s->at_work = true;
    loop_timer_start(s->timer, 0, 0);
}

void schedules_stop(struct schedules *s)
{
    s->at_work = false;
    loop_timer_stop(s->timer);
}

void schedules_changed(struct schedules *s)
{
    if (s->at_work)
        loop_timer_start(s->timer, 0, 0);
}

void schedules_run_ended(struct schedules *s)
{
    if (s->waits)
        schedules_changed(s);
}
