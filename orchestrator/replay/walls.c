#include "replay/walls.h"

#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"

#include <inttypes.h>

struct extra { // what was asked for differently
    int64_t at, ended;
    struct budget_amounts demand, used; // more than in the journal
};

struct walls {
    const char *account;   // the run's own
    json_t *base;          // limits of it as journaled
    json_t *limits;        // and now; NULL: the same
    json_t *reserved;      // "stage" or "task/n" -> event budget_reserved
    json_t *walls;         // "task/n" -> event budget_exceeded
    json_t *begun, *ended; // "stage" or run of a child -> where in the journal
    VEC(struct extra) extras;
};

static char *place_of(const char *task, int64_t n)
{
    return str_printf("%s/%" PRId64, task, n);
}

static char *key_of(int64_t seq)
{
    return str_printf("%" PRId64, seq);
}

static void note_event(struct walls *w, json_t *event)
{
    const char *kind = json_str(event, "kind", "");
    const json_t *body = json_obj(event, "body");
    int64_t at = json_int(event, "id", 0), seq = json_int(body, "stage", 0);
    AUTO_FREE char *place = place_of(json_str(body, "task", ""), json_int(body, "n", 0));
    AUTO_FREE char *stage = key_of(seq);
    if (str_eq(kind, "run_reopened")) // the walls before were taken away
        json_object_clear(w->walls);
    else if (str_eq(kind, "budget_reserved"))
        json_put(w->reserved, seq ? stage : place, json_incref(event));
    else if (str_eq(kind, "budget_exceeded") && json_list(body, "accounts"))
        json_put(w->walls, place, json_incref(event));
    else if (str_eq(kind, "stage_reserved"))
        json_put_int(w->begun, stage, at);
    else if (str_eq(kind, "child_started"))
        json_put_int(w->begun, json_str(body, "child", "?"), at);
    else if (str_eq(kind, "stage_finished"))
        json_put_int(w->ended, stage, at);
}

struct walls *walls_new(const json_t *run, const json_t *events)
{
    struct walls *w = mem_alloc(sizeof(*w));
    const json_t *options = json_obj(run, "options");
    *w = (struct walls){.account = json_str(options, "account", json_str(run, "id", "")),
                        .base =
                            json_obj(options, "limits") ? json_deep_copy(json_obj(options, "limits")) : json_object(),
                        .reserved = json_object(),
                        .walls = json_object(),
                        .begun = json_object(),
                        .ended = json_object()};
    size_t i;
    json_t *event;
    json_array_foreach (events, i, event)
        note_event(w, event);
    return w;
}

struct walls *walls_free(struct walls *w)
{
    if (!w)
        return NULL;
    json_t *const values[] = {w->base, w->limits, w->reserved, w->walls, w->begun, w->ended};
    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        json_decref(values[i]);
    vec_free(&w->extras);
    mem_free(w);
    return NULL;
}

// Where the script's limit was the one that counted, the new one counts; the operator's counts on.
static void change_limit(json_t *limits, const char *name, const json_t *then, const json_t *now)
{
    const json_t *is = json_object_get(limits, name);
    int64_t before = then ? json_integer_value(then) : INT64_MAX, after = now ? json_integer_value(now) : INT64_MAX;
    if (before == after)
        return;
    if (is && json_integer_value(is) != before)
        after = json_integer_value(is) < after || json_integer_value(is) > before ? json_integer_value(is) : after;
    if (after == INT64_MAX)
        json_object_del(limits, name);
    else
        json_put_int(limits, name, after);
}

int walls_set_limits(struct walls *w, const json_t *declared_then, const json_t *declared_now, const json_t *given,
                     struct err *err)
{
    AUTO_JSON json_t *then = budget_limits_new(declared_then, err);
    AUTO_JSON json_t *now = then ? budget_limits_new(declared_now, err) : NULL;
    AUTO_JSON json_t *more = now ? budget_limits_new(given, err) : NULL;
    if (!more)
        return -(int)err->code;
    for (unsigned k = 0; k < BUDGET_KIND_COUNT_; k++)
        if (json_object_get(more, budget_name((enum budget_kind)k)) && !budget_is_asked((enum budget_kind)k))
            return err_set(err, ERR_UNSUPPORTED,
                           "the limit '%s' is not decided by the journal: it is kept while a run is at work",
                           budget_name((enum budget_kind)k));
    json_t *limits = json_deep_copy(w->base);
    for (unsigned k = 0; k < BUDGET_KIND_COUNT_; k++) {
        const char *name = budget_name((enum budget_kind)k);
        change_limit(limits, name, json_object_get(then, name), json_object_get(now, name));
    }
    json_object_update(limits, more);
    json_decref(w->limits);
    w->limits = json_equal(limits, w->base) ? NULL : json_incref(limits);
    json_decref(limits);
    return 0;
}

// --- deciding ---

static struct budget_amounts minus(const struct budget_amounts *a, const struct budget_amounts *b)
{
    struct budget_amounts d = {0};
    for (unsigned k = 0; k < BUDGET_KIND_COUNT_; k++)
        d.of[k] = a->of[k] - b->of[k];
    return d;
}

static void plus(struct budget_amounts *a, const struct budget_amounts *b)
{
    for (unsigned k = 0; k < BUDGET_KIND_COUNT_; k++)
        a->of[k] += b->of[k];
}

static bool is_nothing(const struct budget_amounts *a)
{
    for (unsigned k = 0; k < BUDGET_KIND_COUNT_; k++)
        if (a->of[k])
            return false;
    return true;
}

// What is asked for now counts for all that comes later.
static void remember(struct walls *w, const struct walls_question *q, const json_t *event, int64_t at)
{
    AUTO_FREE char *stage = key_of(q->seq);
    struct budget_amounts then = {0}, nothing = {0};
    for (unsigned k = 0; k < BUDGET_KIND_COUNT_; k++)
        then.of[k] = json_int(json_obj(event, "body"), budget_name((enum budget_kind)k), 0);
    struct budget_amounts used_now = budget_used(&q->demand, q->completed, q->receipts),
                          used_then = event ? budget_used(&then, q->completed, q->receipts) : nothing;
    struct extra a = {.at = at,
                      .ended = q->seq ? json_int(w->ended, stage, 0) : at,
                      .demand = minus(&q->demand, &then),
                      .used = minus(&used_now, &used_then)};
    if (!is_nothing(&a.demand) || !is_nothing(&a.used))
        vec_push(&w->extras, a);
}

static void add_since(const struct walls *w, int64_t at, struct budget *b)
{
    for (size_t i = 0; i < w->extras.len; i++) {
        const struct extra *a = &w->extras.items[i];
        if (a->at >= at)
            continue;
        bool ended = a->ended && a->ended < at;
        plus(ended ? &b->used : &b->reserved, ended ? &a->used : &a->demand);
    }
}

// accounts: as they stood in the journal; NULL: it has none, the run had no limits.
static json_t *wall_now_new(const struct walls *w, const json_t *accounts, int64_t at,
                            const struct budget_amounts *demand, const struct budget_amounts *asked)
{
    AUTO_JSON json_t *none = json_pack("[{s:s}]", "run", w->account);
    size_t i;
    json_t *account;
    json_array_foreach (accounts ? accounts : w->limits ? none : NULL, i, account) {
        const char *run = json_str(account, "run", "?");
        const json_t *limits = w->limits && str_eq(run, w->account) ? w->limits : json_obj(account, "limits");
        struct budget b;
        enum budget_kind kind;
        budget_load(&b, limits, json_obj(account, "ledger"));
        add_since(w, at, &b);
        if (!budget_fits(&b, demand, &kind))
            return budget_wall_new(kind, run, &b, asked->of[kind]);
    }
    return NULL;
}

static json_t *wall_then_new(const json_t *event)
{
    static const char *const MEMBERS[] = {"wall", "run", "limit", "asked", "used", "reserved", "left"};
    json_t *wall = json_object();
    for (size_t i = 0; i < ARRAY_LEN(MEMBERS); i++)
        json_put(wall, MEMBERS[i], json_incref(json_object_get(json_obj(event, "body"), MEMBERS[i])));
    return wall;
}

bool walls_stood(const struct walls *w, const char *task, unsigned n)
{
    AUTO_FREE char *place = place_of(task ? task : "", n);
    return task ? json_object_get(w->walls, place) != NULL : json_object_size(w->walls) > 0;
}

struct walls_answer walls_decide(struct walls *w, const struct walls_question *q)
{
    AUTO_FREE char *place = place_of(q->task, q->n);
    AUTO_FREE char *stage = key_of(q->seq);
    const json_t *reserved = json_obj(w->reserved, q->seq ? stage : place);
    const json_t *wall = q->seq || q->child ? NULL : json_obj(w->walls, place);
    const json_t *event = wall ? wall : reserved;
    int64_t at = json_int(event, "id", json_int(w->begun, q->child ? q->child : stage, 0));
    struct walls_answer answer = {
        .then = wall ? wall_then_new(wall) : NULL,
        .now = wall_now_new(w, json_list(json_obj(event, "body"), "accounts"), at, &q->demand, &q->demand)};
    if (!wall && at)
        remember(w, q, reserved, at);
    return answer;
}

struct walls_answer walls_decide_attempt(struct walls *w, const struct walls_question *q)
{
    static const struct budget_amounts NOTHING = {0};
    AUTO_FREE char *place = place_of(q->task, q->n);
    const json_t *wall = q->seq ? json_obj(w->walls, place) : NULL;
    if (!wall)
        return (struct walls_answer){0};
    return (struct walls_answer){.then = wall_then_new(wall),
                                 .now = wall_now_new(w, json_list(json_obj(wall, "body"), "accounts"),
                                                     json_int(wall, "id", 0), &NOTHING, &q->demand),
                                 .at_ns = json_int(wall, "at_ns", 0)};
}
