// What a worker is given, and what the pool reports of it.
#include "run/stage_internal.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "handoff/handoff.h"
#include "json/write.h"

#include <inttypes.h>
#include <string.h>

#define ANCESTORS_MAX 100

// --- dispatch ---

static json_t *ancestor_new(const json_t *handoff)
{
    static const char *const KEYS[] = {"id",      "parent",     "agent",     "status",
                                       "summary", "next_agent", "next_task", "output"};
    json_t *entry = json_object();
    for (size_t k = 0; k < ARRAY_LEN(KEYS); k++) {
        json_t *value = json_object_get(handoff, KEYS[k]);
        json_put(entry, KEYS[k], value ? json_incref(value) : json_null());
    }
    return entry;
}

// What the parents come from, the nearest last: the newest of several counts for a worker.
static json_t *ancestors_new(const struct run *run, const struct stage *s)
{
    json_t *list = json_array();
    AUTO_JSON json_t *seen = json_object();
    VEC(const json_t *) queue = {0};
    size_t i, n;
    json_t *handoff, *id;
    json_array_foreach (s->parents, i, handoff) {
        json_put(seen, json_str(handoff, "id", ""), json_true());
        vec_push(&queue, handoff);
    }
    for (n = 0; n < queue.len && json_array_size(list) < ANCESTORS_MAX; n++) {
        json_array_foreach (json_list(queue.items[n], "parent"), i, id) {
            const char *text = json_is_string(id) ? json_string_value(id) : "";
            handoff = json_object_get(run->handoffs, text);
            if (!handoff || json_object_get(seen, text) || json_array_size(list) >= ANCESTORS_MAX)
                continue;
            json_put(seen, text, json_true());
            json_array_append_new(list, ancestor_new(handoff));
            vec_push(&queue, handoff);
        }
    }
    vec_free(&queue);
    json_t *ordered = json_array();
    for (n = json_array_size(list); n > 0; n--)
        json_array_append(ordered, json_array_get(list, n - 1));
    json_decref(list);
    return ordered;
}

// The assignment is written as text right away: it only goes to the worker.

static void put_key(struct buf *b, const char *key)
{
    if (b->len && b->data[b->len - 1] != '{')
        buf_char(b, ',');
    buf_char(b, '"');
    buf_str_add(b, key);
    buf_str_add(b, "\":");
}

static void put_text(struct buf *b, const char *key, const char *text)
{
    put_key(b, key);
    json_write_str(b, text);
}

static void put_number(struct buf *b, const char *key, int64_t n)
{
    put_key(b, key);
    buf_printf(b, "%" PRId64, n);
}

static void put_value(struct buf *b, const char *key, const json_t *v, const char *absent)
{
    put_key(b, key);
    if (v)
        json_write(b, v, false);
    else
        buf_str_add(b, absent);
}

static void put_dirs(struct buf *b, const struct run *run, const struct stage *s)
{
    AUTO_FREE char *spool = stage_spool_dir(s);
    AUTO_FREE char *artifacts = path_join(store_dir(run->env.store), "artifacts");
    put_key(b, "dirs");
    buf_char(b, '{');
    put_text(b, "project", run->project);
    if (s->needs_project) {
        AUTO_FREE char *base = workspace_base_dir(run->workspace);
        AUTO_FREE char *work = workspace_work_dir(run->workspace);
        file_make_dirs(spool, NULL);
        put_text(b, "base", base);
        put_text(b, "work", work);
        put_text(b, "cache", run->cache_dir);
    }
    put_text(b, "run", run->dir);
    put_text(b, "spool", spool);
    put_text(b, "artifacts", artifacts);
    buf_char(b, '}');
}

static void put_git(struct buf *b, const struct workspace_facts *facts)
{
    put_key(b, "git");
    buf_char(b, '{');
    put_text(b, "base", facts->base);
    put_text(b, "branch", facts->branch);
    put_text(b, "prefix", facts->prefix);
    buf_char(b, '}');
}

static json_t *limits_new(struct stage *s, int64_t wall_ns)
{
    json_t *limits = json_object();
    json_put_int(limits, "wall_ms", wall_ns / NS_PER_MS);
    stage_put_limits(s, limits);
    if (stage_wants_signs(s))
        json_put_flag(limits, "sign", true);
    return limits;
}

static char *assignment_text(struct run *run, struct stage *s, int64_t wall_ns)
{
    struct buf b = BUF_INIT;
    char lease[WIRE_LEASE_TEXT];
    const json_t *options = json_obj(run->record, "options");
    AUTO_JSON json_t *limits = limits_new(s, wall_ns), *ancestors = ancestors_new(run, s);
    wire_lease_text(s->lease, lease);
    buf_char(&b, '{');
    put_text(&b, "run", run->id);
    put_number(&b, "stage", s->seq);
    put_number(&b, "attempt", s->attempt);
    put_text(&b, "lease", lease);
    put_key(&b, "agent");
    buf_str_add(&b, s->agent->told);
    put_text(&b, "mode", s->focus.mode);
    put_text(&b, "focus", s->focus.text);
    put_text(&b, "task", json_str(s->args, "task", NULL));
    put_value(&b, "input", json_obj(s->args, "input"), "{}");
    put_value(&b, "parents", s->parents, "[]");
    put_value(&b, "ancestors", ancestors, "[]");
    put_dirs(&b, run, s);
    if (s->needs_project)
        put_git(&b, run->facts);
    put_value(&b, "operator_rules", json_list(options, "operator_rules"), "[]");
    if (s->bounds)
        put_value(&b, "bounds", s->bounds, "[]");
    if (json_str(options, "profiles", NULL)) // of a run of before they were kept, the worker reads them
        put_text(&b, "profiles", json_str(options, "profiles", NULL));
    put_value(&b, "limits", limits, "{}");
    buf_char(&b, '}');
    return buf_steal(&b);
}

void stage_dispatch_reserved(struct run *run)
{
    for (size_t k = 0; k < run->to_dispatch.len; k++) {
        for (size_t i = 0; i < run->stages.len && !run->ending; i++) {
            struct stage *s = run->stages.items[i];
            if ((uint64_t)s->seq != run->to_dispatch.items[k] || s->started_ns || s->ending)
                continue;
            char *assignment = assignment_text(run, s, stage_wall_ns(s));
            s->started_ns = clock_mono_ns();
            s->dispatched_ns = s->begun_ns = 0;
            stage_limits_set(s);
            pool_submit(run->env.pool, s->role, s->lease, run->env.serial, assignment);
        }
    }
    run->to_dispatch.len = 0;
}

void stage_stop(struct stage *s, enum stage_state state, const char *why)
{
    if (s->ending)
        return;
    s->ending = why;
    s->ending_state = state;
    if (s->lease && s->started_ns)
        pool_cancel(s->run->env.pool, s->lease, why);
    loop_timer_start(s->timer, CANCEL_GRACE_NS, 0);
}

// --- what the pool reports ---

bool run_stage_dispatched(struct run *run, uint64_t lease, pid_t worker)
{
    struct stage *s = stage_by_lease(run, lease);
    if (!s)
        return false;
    json_t *body = stage_facts_new(s);
    stage_sign(s, true);
    json_put_int(body, "worker", worker);
    json_put_str(body, "focus", s->focus.text);
    run_note_late(run, EVENT_STAGE_DISPATCHED, body);
    return true;
}

// Nobody has it now; its lease goes on.
bool run_stage_returned(struct run *run, uint64_t lease)
{
    struct stage *s = stage_by_lease(run, lease);
    if (!s)
        return false;
    s->dispatched_ns = s->begun_ns = 0;
    stage_limits_set(s);
    run_note_late(run, EVENT_STAGE_RETURNED, stage_facts_new(s));
    return true;
}

static void tell_progress(struct run *run, void *arg)
{
    run_tell(run, EVENT_STAGE_PROGRESS, arg);
}

bool run_stage_progress(struct run *run, uint64_t lease, double fraction, const char *text)
{
    struct stage *s = stage_by_lease(run, lease);
    if (!s)
        return false;
    json_t *body = stage_facts_new(s);
    stage_sign(s, false);
    json_put_str(body, "text", text);
    json_put_num(body, "fraction", fraction < 0 ? -1 : fraction);
    if (run->late.len == 0 || !run_turn(run, tell_progress, body)) // its dispatch is told first, and is on disk then
        run_tell(run, EVENT_STAGE_PROGRESS, body);
    return true;
}

bool run_stage_result(struct run *run, uint64_t lease, const char *worker, json_t *draft)
{
    struct stage *s = stage_by_lease(run, lease);
    if (!s)
        return false;
    enum stage_state state = s->ending ? s->ending_state : STAGE_COMPLETED;
    bool late = state == STAGE_TIMED_OUT;
    const char *class = late ? "timeout" : s->ending ? NULL : stage_class_of(draft);
    AUTO_FREE char *why = class ? str_dup(late ? s->ending : json_str(draft, "blockers", "")) : NULL;
    if (stage_retry(s, class, why, true))
        return true;
    AUTO_FREE char *name = str_dup(worker);
    stage_finish(s, stage_timed_out_draft_new(s, json_incref(draft)), state, name);
    return true;
}

struct retry_arg {
    struct stage *s;
    const char *why;
    bool begun; // the lost worker had begun it
};

static void retry_in_turn(struct run *run, void *arg)
{
    struct retry_arg *a = arg;
    struct stage *s = a->s;
    struct err err;
    char before[WIRE_LEASE_TEXT], after[WIRE_LEASE_TEXT];
    json_t *body = stage_facts_new(s);
    json_put_str(body, "why", a->why);
    run_note(run, EVENT_STAGE_LOST, body);
    if (a->begun && !stage_pays_attempt(s))
        return;
    wire_lease_text(s->lease, before);
    s->lease = pool_lease(run->env.pool);
    wire_lease_text(s->lease, after);
    if (store_stage_lease(run->env.store, run->id, s->seq, before, after, &s->attempt, &err) < 0) {
        run_end(run, RUN_FAILED, NULL, err.text);
        return;
    }
    s->started_ns = 0;
    run_note(run, EVENT_STAGE_RETRIED, stage_facts_new(s));
    vec_push(&run->to_dispatch, (uint64_t)s->seq);
}

// One that only waited in the lost worker is simply given to another.
bool run_stage_lost(struct run *run, uint64_t lease, bool begun, const char *why)
{
    struct stage *s = stage_by_lease(run, lease);
    if (!s)
        return false;
    bool late = s->ending && s->ending_state == STAGE_TIMED_OUT;
    AUTO_FREE char *reached = str_dup(late ? s->ending : NULL);
    if (late ? stage_retry(s, "timeout", reached, false) : !s->ending && begun && stage_retry(s, "lost", why, false))
        return true;
    if (s->ending) {
        stage_finish(s, stage_timed_out_draft_new(s, handoff_blocked_draft_new(s->ending, why)), s->ending_state, NULL);
    } else if (!begun || (!stage_retry_names(s, "lost") &&
                          ++s->losses < STAGE_ATTEMPTS_MAX + (int)json_int(s->args, "retries", 0))) {
        struct retry_arg a = {.s = s, .why = why, .begun = begun};
        run_turn(run, retry_in_turn, &a);
    } else {
        AUTO_FREE char *reason = str_printf("%s (attempt %d)", why, s->attempt);
        stage_finish(s, handoff_blocked_draft_new(reason, NULL), STAGE_FAILED, NULL);
    }
    return true;
}

bool run_stage_failed(struct run *run, uint64_t lease, const struct err *err)
{
    struct stage *s = stage_by_lease(run, lease);
    if (!s)
        return false;
    if (!stage_retry(s, err_name(err->code), err->text, false))
        stage_finish(s, handoff_blocked_draft_new(err->text, NULL), STAGE_FAILED, NULL);
    return true;
}
