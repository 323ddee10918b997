// Questions to people that nobody has answered: they stand in the events of a run, their answers in the journal of its
// calls.
#include "store/store.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

static json_t *question_new(const json_t *event)
{
    static const char *const KEYS[] = {"task", "n", "question", "about", "who", "subject"};
    const json_t *body = json_obj(event, "body");
    json_t *q = json_object();
    AUTO_FREE char *id = str_printf("%s:%d", json_str(body, "task", "?"), (int)json_int(body, "n", 0));
    json_put_str(q, "id", id);
    for (size_t i = 0; i < ARRAY_LEN(KEYS); i++)
        if (json_object_get(body, KEYS[i]))
            json_put(q, KEYS[i], json_incref(json_object_get(body, KEYS[i])));
    int64_t asked = json_int(event, "at_ns", 0), expires = json_int(body, "expires_ms", 0);
    json_put_int(q, "asked_ns", asked);
    if (expires > 0)
        json_put_int(q, "expires_ns", asked + expires * NS_PER_MS);
    if (expires > 0 && asked + expires * NS_PER_MS < clock_wall_ns())
        json_put_flag(q, "expired", true);
    json_put_int(q, "inbox", json_int(body, "inbox", 0));
    return q;
}

static json_t *find_question(const json_t *list, const char *id)
{
    size_t i;
    json_t *q;
    json_array_foreach (list, i, q)
        if (str_eq(json_str(q, "id", ""), id))
            return q;
    return NULL;
}

// Answers that no process has taken yet.
static void note_answered(struct store *store, const char *run, json_t *questions)
{
    AUTO_JSON json_t *inbox = store_inbox_list_new(store, run, 0, NULL);
    size_t i;
    json_t *item;
    json_array_foreach (inbox, i, item) {
        const json_t *body = json_obj(item, "body");
        AUTO_FREE char *id = str_printf("%s:%d", json_str(body, "task", "?"), (int)json_int(body, "n", -1));
        json_t *q = str_eq(json_str(item, "kind", ""), "approval") ? find_question(questions, id) : NULL;
        if (q && json_int(item, "id", 0) > json_int(q, "inbox", 0))
            json_put_flag(q, "answered", true);
    }
}

json_t *store_questions_new(struct store *store, const char *run, struct err *err)
{
    AUTO_JSON json_t *record = store_run_get_new(store, run, err);
    enum run_state state = RUN_LOST;
    if (!record)
        return NULL;
    json_t *list = json_array();
    if (run_state_from_name(json_str(record, "state", ""), &state) && run_state_final(state))
        return list;
    AUTO_JSON json_t *events = store_event_list_new(store, run, 0, 0, err);
    size_t i;
    json_t *event;
    json_array_foreach (events, i, event) {
        if (!str_eq(json_str(event, "kind", ""), event_kind_name(EVENT_APPROVAL_ASKED)))
            continue;
        json_t *q = question_new(event);
        AUTO_JSON json_t *answer =
            store_call_get_new(store, run, json_str(q, "task", ""), (unsigned)json_int(q, "n", 0), NULL);
        if (answer || find_question(list, json_str(q, "id", "")))
            json_decref(q);
        else
            json_array_append_new(list, q);
    }
    note_answered(store, run, list);
    json_array_foreach (list, i, event)
        json_object_del(event, "inbox");
    return list;
}
