#include "engine/deliver.h"

#include "base/log.h"
#include "run/run.h"
#include "wire/wire.h"

static struct run *owner_of(const struct deliver *d, uint64_t serial)
{
    return map_get(&d->runs, serial);
}

static void on_dispatched(void *user, uint64_t owner, uint64_t lease, pid_t worker)
{
    struct run *run = owner_of(user, owner);
    if (run)
        run_stage_dispatched(run, lease, worker);
}

static void on_progress(void *user, uint64_t owner, uint64_t lease, double fraction, const char *text)
{
    struct run *run = owner_of(user, owner);
    if (run)
        run_stage_progress(run, lease, fraction, text);
}

static void on_result(void *user, uint64_t owner, uint64_t lease, const char *worker, json_t *draft)
{
    const struct deliver *d = user;
    struct run *run = owner_of(d, owner);
    if (!run || !run_stage_result(run, lease, worker, draft))
        pool_done(d->pool, lease, false);
}

static void on_returned(void *user, uint64_t owner, uint64_t lease)
{
    struct run *run = owner_of(user, owner);
    if (run)
        run_stage_returned(run, lease);
}

static void on_lost(void *user, uint64_t owner, uint64_t lease, bool begun, const char *why)
{
    struct run *run = owner_of(user, owner);
    if (run)
        run_stage_lost(run, lease, begun, why);
}

static void on_failed(void *user, uint64_t owner, uint64_t lease, const struct err *err)
{
    struct run *run = owner_of(user, owner);
    if (run)
        run_stage_failed(run, lease, err);
}

static void on_refused(void *user, uint64_t lease, const char *why)
{
    const struct deliver *d = user;
    char text[WIRE_LEASE_TEXT];
    wire_lease_text(lease, text);
    AUTO_JSON json_t *body = json_object();
    json_put_str(body, "lease", text);
    json_put_str(body, "why", why);
    store_event_add(d->store, NULL, EVENT_STAGE_REFUSED, body, NULL, NULL);
    metrics_event(d->metrics, EVENT_STAGE_REFUSED, body);
    log_fact(LOG_WARN, "stage_refused", "lease", text, "why", why, NULL);
}

const struct pool_events DELIVER_EVENTS = {.dispatched = on_dispatched,
                                           .progress = on_progress,
                                           .result = on_result,
                                           .returned = on_returned,
                                           .lost = on_lost,
                                           .failed = on_failed,
                                           .refused = on_refused};
