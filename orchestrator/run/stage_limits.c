// `timeout = { queue, start, run, heartbeat }`: how long a stage may wait for a worker, a worker for its beginning, the
// work take, and be silent. One timer per stage, set for the next of its limits; a stage without such limits has its
// wall limit alone.
#include "run/stage_internal.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "handoff/handoff.h"

struct limit {
    const char *name, *what;
    int64_t since_ns, length_ns; // since 0: it does not count now
};

static int64_t length_of(const struct stage *s, const char *key)
{
    return json_int(json_obj(s->args, "timeouts"), key, 0) * NS_PER_MS;
}

int64_t stage_wall_ns(const struct stage *s)
{
    int64_t wall = json_int(s->args, "timeout_ms", 0) * NS_PER_MS;
    wall = wall > 0 ? wall : length_of(s, "run_ms");
    return wall > 0 ? wall : STAGE_WALL_NS;
}

bool stage_wants_signs(const struct stage *s)
{
    return length_of(s, "start_ms") > 0 || length_of(s, "heartbeat_ms") > 0;
}

// The limit that ends first. In the order of the table when two end together.
static struct limit next_limit(const struct stage *s)
{
    bool parts = json_obj(s->args, "timeouts") != NULL;
    const struct limit all[] = {
        {"queue", "no worker was free for it", s->dispatched_ns ? 0 : s->started_ns, length_of(s, "queue_ms")},
        {"start", "the worker that has it did not begin", s->begun_ns ? 0 : s->dispatched_ns, length_of(s, "start_ms")},
        {"heartbeat", "it gave no sign of progress", s->begun_ns, length_of(s, "heartbeat_ms")},
        // With limits of its own, the time it waits for a worker is not part of the time it runs.
        {"run", "it took longer than its limit", parts ? s->dispatched_ns : s->started_ns, stage_wall_ns(s)},
    };
    const struct limit *first = NULL;
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (all[i].since_ns && all[i].length_ns > 0 &&
            (!first || all[i].since_ns + all[i].length_ns < first->since_ns + first->length_ns))
            first = &all[i];
    return first ? *first : (struct limit){0};
}

void stage_limits_set(struct stage *s)
{
    struct limit limit = next_limit(s);
    if (s->ending || s->backoff)
        return;
    if (!limit.name) { // nothing is limited now
        loop_timer_stop(s->timer);
        return;
    }
    int64_t left = limit.since_ns + limit.length_ns - clock_mono_ns();
    loop_timer_start(s->timer, left > 0 ? left : 0, 0);
}

void stage_sign(struct stage *s, bool dispatched)
{
    int64_t now = clock_mono_ns();
    if (dispatched)
        s->dispatched_ns = now;
    else
        s->begun_ns = now;
    if (json_obj(s->args, "timeouts"))
        stage_limits_set(s);
}

json_t *stage_timed_out_draft_new(struct stage *s, json_t *draft)
{
    json_t *output = json_obj(draft, "output");
    if (s->limit && output)
        json_put_str(output, "timeout", s->limit);
    return draft;
}

void stage_limit_reached(struct stage *s)
{
    struct limit limit = next_limit(s);
    if (!limit.name || limit.since_ns + limit.length_ns > clock_mono_ns()) { // a sign came meanwhile
        stage_limits_set(s);
        return;
    }
    char length[CLOCK_TEXT_MAX];
    clock_human(limit.length_ns, length);
    s->limit = limit.name;
    mem_free(s->limit_text);
    s->limit_text = str_printf("%s (timeout '%s', %s)", limit.what, limit.name, length);
    bool waits = !s->dispatched_ns;
    stage_stop(s, STAGE_TIMED_OUT, s->limit_text);
    if (waits && !stage_retry(s, "timeout", s->limit_text, false)) // nobody has it: nobody is to be waited for
        stage_finish(s, stage_timed_out_draft_new(s, handoff_blocked_draft_new(s->limit_text, NULL)), STAGE_TIMED_OUT,
                     NULL);
}
