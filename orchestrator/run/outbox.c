#include "run/outbox.h"

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "loop/http.h"

#include <string.h>

#define AT_ONCE_MAX  8
#define ATTEMPTS_MAX 40 // some hours
#define WALL_NS      (10 * NS_PER_SEC)
#define CLAIM_NS     (3 * WALL_NS) // nobody else tries meanwhile
#define PAUSE_NS     NS_PER_SEC    // doubled with every attempt
#define PAUSE_MAX_NS (300 * NS_PER_SEC)
#define RESULT_MAX   ((size_t)64 * 1024) // bytes of the script's result in a notification

struct delivery {
    struct outbox *outbox;
    struct loop_http *http;
    json_t *entry;
};

struct outbox {
    struct loop *loop;
    struct store *store;
    struct loop_timer *timer;
    VEC(struct delivery *) under_way;
};

static void forget(struct outbox *o, struct delivery *d)
{
    for (size_t i = 0; i < o->under_way.len; i++)
        if (o->under_way.items[i] == d)
            o->under_way.items[i] = o->under_way.items[--o->under_way.len];
    json_decref(d->entry);
    mem_free(d);
}

static void note(struct store *store, const json_t *entry, enum event_kind kind, int64_t attempts, const char *why)
{
    AUTO_JSON json_t *body = json_object();
    const char *target = json_str(entry, "target", "");
    AUTO_FREE char *place =
        str_eq(json_str(entry, "kind", ""), OUTBOX_NOTIFY) ? loop_http_place(target) : str_dup(target);
    json_put_str(body, "kind", json_str(entry, "kind", NULL));
    json_put_str(body, "key", json_str(entry, "key", NULL));
    json_put_str(body, "place", place);
    json_put_int(body, "attempts", attempts);
    json_put_str(body, "why", why);
    store_event_add(store, json_str(entry, "run", NULL), kind, body, NULL, NULL);
}

// An answer in the 200s is delivered. What may be different in a moment is tried again; the rest is the sender's
// mistake.
static bool may_try_again(int status)
{
    return status == 0 || status == 408 || status == 425 || status == 429 || status >= 500;
}

static void settle(struct outbox *o, const json_t *entry, int status, const char *why)
{
    struct err err;
    int64_t attempts = json_int(entry, "attempts", 0) + 1, pause = PAUSE_NS;
    bool done = status >= 200 && status < 300, again = !done && may_try_again(status) && attempts < ATTEMPTS_MAX;
    for (int64_t i = 1; i < attempts && pause < PAUSE_MAX_NS; i++)
        pause *= 2;
    if (store_outbox_settle(o->store, json_int(entry, "id", 0),
                            done    ? "done"
                            : again ? "waiting"
                                    : "failed",
                            clock_wall_ns() + pause, done ? NULL : why, &err) < 0) {
        log_fact(LOG_WARN, "outbox_not_settled", "key", json_str(entry, "key", "?"), "why", err.text, NULL);
        return; // it will be delivered once more, with the same key
    }
    if (!again)
        note(o->store, entry, done ? EVENT_EFFECT_DELIVERED : EVENT_EFFECT_FAILED, attempts, done ? NULL : why);
}

static void on_done(void *user, int status, const struct err *err)
{
    struct delivery *d = user;
    struct outbox *o = d->outbox;
    AUTO_JSON json_t *entry = json_incref(d->entry);
    AUTO_FREE char *place = loop_http_place(json_str(entry, "target", ""));
    AUTO_FREE char *why = status ? str_printf("%s answered %d", place, status) : str_dup(err->text);
    forget(o, d);
    settle(o, entry, status, why);
    outbox_look(o);
}

static void begin(struct outbox *o, json_t *entry)
{
    struct err err;
    int64_t id = json_int(entry, "id", 0);
    if (store_outbox_claim(o->store, id, json_int(entry, "next_ns", 0), clock_wall_ns() + CLAIM_NS, &err) != 0)
        return;
    AUTO_FREE char *key = str_printf("Idempotency-Key: %s", json_str(entry, "key", ""));
    const char *headers[] = {"Content-Type: application/json", key, NULL};
    const char *body = json_str(entry, "body", "");
    struct loop_http_request request = {.url = json_str(entry, "target", ""),
                                        .headers = headers,
                                        .body = body,
                                        .len = strlen(body),
                                        .wall_ns = WALL_NS};
    struct delivery *d = mem_alloc(sizeof(*d));
    *d = (struct delivery){.outbox = o, .entry = json_incref(entry)};
    vec_push(&o->under_way, d);
    if (loop_http_post(o->loop, &request, on_done, d, &d->http, &err) == 0)
        return;
    forget(o, d);
    settle(o, entry, err.code == ERR_INVALID ? 400 : 0, err.text);
}

void outbox_look(struct outbox *o)
{
    int64_t now = clock_wall_ns();
    size_t i;
    json_t *entry;
    if (o->under_way.len < AT_ONCE_MAX) {
        AUTO_JSON json_t *due =
            store_outbox_due_new(o->store, OUTBOX_NOTIFY, now, AT_ONCE_MAX - (int)o->under_way.len, NULL);
        json_array_foreach (due, i, entry)
            begin(o, entry);
    }
    int64_t next = store_outbox_next(o->store, OUTBOX_NOTIFY);
    if (next && o->under_way.len < AT_ONCE_MAX)
        loop_timer_start(o->timer, next > now ? next - now : NS_PER_MS, 0);
    else
        loop_timer_stop(o->timer);
}

static void on_time(void *user)
{
    outbox_look(user);
}

struct outbox *outbox_new(struct loop *loop, struct store *store)
{
    struct outbox *o = mem_alloc(sizeof(*o));
    o->loop = loop;
    o->store = store;
    o->timer = loop_timer_new(loop, on_time, o);
    loop_timer_start(o->timer, 0, 0);
    return o;
}

struct outbox *outbox_free(struct outbox *o)
{
    if (!o)
        return NULL;
    while (o->under_way.len) {
        loop_http_close(o->under_way.items[0]->http);
        forget(o, o->under_way.items[0]);
    }
    vec_free(&o->under_way);
    loop_timer_close(o->timer);
    mem_free(o);
    return NULL;
}

size_t outbox_under_way(const struct outbox *o)
{
    return o->under_way.len;
}

// --- the end of a run ---

static json_t *notification_new(const json_t *record, enum run_state state, const json_t *result)
{
    static const char *const SAME[] = {"workflow", "project", "caller", "parent", "key"};
    char when[CLOCK_TEXT_MAX];
    json_t *v = json_object(), *part = result ? json_deep_copy(result) : json_object();
    AUTO_FREE char *text = json_compact(part);
    json_put_str(v, "event", event_kind_name(EVENT_RUN_FINISHED));
    json_put_str(v, "run", json_str(record, "id", NULL));
    for (size_t i = 0; i < ARRAY_LEN(SAME); i++)
        json_put_str(v, SAME[i], json_str(record, SAME[i], NULL));
    json_put_str(v, "state", run_state_name(state));
    json_put_int(v, "exit", run_state_exit_status(state));
    json_put_str(v, "reason", json_str(result, "reason", NULL));
    clock_iso(json_int(record, "created_ns", 0), when);
    json_put_str(v, "created", when);
    clock_iso(clock_wall_ns(), when);
    json_put_str(v, "finished", when);
    if (strlen(text) <= RESULT_MAX)
        json_put(v, "result", json_incref(part));
    else
        json_put(v, "result", json_null());
    json_decref(part);
    return v;
}

int outbox_put_end(struct store *store, const json_t *record, enum run_state state, const json_t *result,
                   struct err *err)
{
    const json_t *urls = json_list(json_obj(record, "options"), "notify");
    size_t i;
    json_t *url;
    int r = 0;
    AUTO_JSON json_t *body = json_array_size(urls) ? notification_new(record, state, result) : NULL;
    AUTO_FREE char *text = body ? json_compact(body) : NULL;
    json_array_foreach (urls, i, url) {
        char tag[ID_SHORT_TEXT];
        id_short(tag); // a run that is taken up again ends once more: that is another notification
        AUTO_FREE char *key = str_printf("%s-%s", json_str(record, "id", "?"), tag);
        if (r >= 0)
            r = store_outbox_put(store, json_str(record, "id", ""), key, OUTBOX_NOTIFY, json_string_value(url), text,
                                 err);
    }
    return r < 0 ? r : 0;
}

int outbox_note_done(struct store *store, const char *run, const char *key, struct err *err)
{
    AUTO_JSON json_t *entries = store_outbox_list_new(store, run, err);
    size_t i;
    json_t *entry;
    int r = entries ? 0 : -(int)err->code;
    json_array_foreach (entries, i, entry) {
        if (r < 0 || !str_eq(json_str(entry, "key", ""), key) || !str_eq(json_str(entry, "state", ""), "waiting"))
            continue;
        r = store_outbox_settle(store, json_int(entry, "id", 0), "done", clock_wall_ns(), NULL, err);
        if (r >= 0)
            note(store, entry, EVENT_EFFECT_DELIVERED, 1, NULL);
    }
    return r < 0 ? r : 0;
}

int outbox_end_run(struct store *store, const char *run, enum run_state state, const json_t *result, struct err *err)
{
    AUTO_JSON json_t *record = store_run_get_new(store, run, err);
    bool own = record && !store_in_batch(store);
    int r = !record ? -ERR_NOT_FOUND : own ? store_begin(store, err) : 0;
    if (r < 0)
        return r;
    r = store_run_set_state(store, run, state, result, err);
    if (r >= 0)
        r = outbox_put_end(store, record, state, result, err);
    if (own && r >= 0)
        return store_commit(store, err);
    if (own)
        store_rollback(store);
    return r < 0 ? r : 0;
}
