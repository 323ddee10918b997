#include "run/letters.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

#define FOLLOW_MAX 1000000 // runs that a run went on in

int letter_check_name(const char *what, const char *name, struct err *err)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");
    if (n == 0 || name[n] || n > LETTER_NAME_MAX)
        return err_set(err, ERR_INVALID, "%s '%.80s': expected 1 to %d letters, digits, '_', '.' and '-'", what, name,
                       LETTER_NAME_MAX);
    return 0;
}

int letter_check_value(const char *what, const json_t *value, struct err *err)
{
    AUTO_FREE char *text = value ? json_compact(value) : NULL;
    size_t len = text ? strlen(text) : 0;
    if (len > LETTER_VALUE_MAX)
        return err_set(err, ERR_LIMIT,
                       "%s has %zu bytes as JSON, at most %zu are taken; pass a path or a handoff id instead", what,
                       len, LETTER_VALUE_MAX);
    return 0;
}

char *letter_latest(struct store *store, const char *run)
{
    char *id = str_dup(run);
    for (int i = 0; i < FOLLOW_MAX; i++) {
        AUTO_JSON json_t *record = store_run_get_new(store, id, NULL);
        const char *next = json_str(json_obj(record, "result"), "continued_as", NULL);
        if (record && !next)
            return id;
        if (!record)
            break;
        str_set(&id, next);
    }
    mem_free(id);
    return NULL;
}

// The record of the last run that it went on in. NULL with ERR_STATE when that is finished.
static json_t *open_run_new(struct store *store, const char *run, struct err *err)
{
    AUTO_FREE char *id = letter_latest(store, run);
    json_t *record = store_run_get_new(store, id ? id : run, err);
    enum run_state state = RUN_LOST;
    if (!record || (run_state_from_name(json_str(record, "state", ""), &state) && !run_state_final(state)))
        return record;
    json_decref(record);
    err_set(err, ERR_STATE, "run '%s' is finished: nothing waits in it", id ? id : run);
    return NULL;
}

// --- answers ---

static bool named(const char *subject, const char *given)
{
    return str_eq(subject, given) || (strlen(given) >= LETTER_SUBJECT_MIN && str_starts(subject, given));
}

int letter_may_answer(const json_t *question, const char *by, const char *subject, struct err *err)
{
    const char *text = json_str(question, "question", "?"), *bound = json_str(question, "subject", NULL);
    const json_t *who = json_list(question, "who");
    size_t i;
    json_t *name;
    bool may = who == NULL;
    AUTO_FREE char *names = str_dup("");
    json_array_foreach (who, i, name) {
        may = may || str_eq(json_string_value(name), by);
        char *longer = str_printf("%s%s%s", names, i ? ", " : "", json_string_value(name));
        mem_free(names);
        names = longer;
    }
    if (!may)
        return err_set(err, ERR_DENIED, "'%s' may not answer '%s': only %s may", by, text, names);
    if (subject && !bound)
        return err_set(err, ERR_CONFLICT, "'%s' is about nothing in particular, and the answer is for '%s'", text,
                       subject);
    if (subject && !named(bound, subject))
        return err_set(err, ERR_CONFLICT,
                       "'%s' is about '%s', and the answer is for '%s'; look at it again before you answer", text,
                       bound, subject);
    return 0;
}

// The oldest that is meant and has no answer; a refusal of the only one that is left is the reason.
static json_t *choose_question(const json_t *list, const struct letter_answer *a, const char *run, struct err *err)
{
    size_t i, open = 0;
    json_t *q;
    struct err why = {0};
    json_array_foreach (list, i, q) {
        if (json_flag(q, "answered", false) || (a->question && !str_eq(json_str(q, "id", ""), a->question)))
            continue;
        open++;
        if (json_flag(q, "expired", false))
            err_set(&why, ERR_STATE, "the question '%s' has expired", json_str(q, "question", "?"));
        else if (letter_may_answer(q, a->by, a->subject, &why) == 0)
            return q;
    }
    if (open)
        *err = why;
    else if (a->question)
        err_set(err, ERR_NOT_FOUND, "run '%s' waits with no question '%s'; 'baton show %s' lists them", run,
                a->question, run);
    else
        err_set(err, ERR_STATE, "run '%s' waits with no question", run);
    return NULL;
}

int letter_answer(struct store *store, const char *run, const struct letter_answer *a, json_t **ret_question,
                  struct err *err)
{
    AUTO_JSON json_t *record = open_run_new(store, run, err);
    const char *id = json_str(record, "id", "");
    AUTO_JSON json_t *list = record ? store_questions_new(store, id, err) : NULL;
    const json_t *q = list ? choose_question(list, a, id, err) : NULL;
    if (!q)
        return -(int)err->code;
    AUTO_JSON json_t *body = json_object();
    json_put_flag(body, "approved", a->approved);
    json_put_str(body, "by", a->by);
    json_put_str(body, "note", a->note ? a->note : "");
    json_put_str(body, "task", json_str(q, "task", ""));
    json_put_int(body, "n", json_int(q, "n", 0));
    json_put_str(body, "subject", a->subject);
    int r = store_inbox_put(store, id, "approval", body, NULL, err);
    if (r == 0)
        *ret_question = json_incref((json_t *)(uintptr_t)q);
    return r;
}

// --- signals ---

// Records that no journaled answer names.
static size_t count_pending(struct store *store, const char *run)
{
    AUTO_JSON json_t *inbox = store_inbox_list_new(store, run, 0, NULL);
    AUTO_JSON json_t *calls =
        json_array_size(inbox) < LETTER_SIGNALS_MAX ? NULL : store_call_list_new(store, run, NULL);
    size_t i, n = 0, taken = 0;
    json_t *row;
    json_array_foreach (inbox, i, row)
        n += str_eq(json_str(row, "kind", ""), "signal");
    json_array_foreach (calls, i, row)
        taken += str_eq(json_str(row, "op", ""), "signal") && json_int(json_obj(row, "answer"), "inbox", 0);
    return n > taken ? n - taken : 0;
}

static int put_signal(struct store *store, const char *run, const char *name, const json_t *value, const char *by,
                      struct err *err)
{
    AUTO_JSON json_t *record = open_run_new(store, run, err);
    if (!record)
        return -(int)err->code;
    const char *id = json_str(record, "id", "");
    if (count_pending(store, id) >= LETTER_SIGNALS_MAX)
        return err_set(err, ERR_LIMIT, "run '%s' has %d signals that it has not waited for; no more are taken", id,
                       LETTER_SIGNALS_MAX);
    AUTO_JSON json_t *body = json_object();
    json_put_str(body, "name", name);
    json_put(body, "value", json_incref((json_t *)(uintptr_t)value));
    json_put_str(body, "by", by);
    return store_inbox_put(store, id, "signal", body, NULL, err);
}

int letter_signal(struct store *store, const char *run, const char *name, const json_t *value, const char *by,
                  struct err *err)
{
    AUTO_JSON json_t *none = json_null();
    int r = letter_check_name("the signal", name, err);
    if (r == 0)
        r = letter_check_value("the value of the signal", value, err);
    if (r < 0)
        return r;
    for (int i = 0; i < FOLLOW_MAX; i++) { // it may go on in another run just now
        r = put_signal(store, run, name, value ? value : none, by, err);
        AUTO_FREE char *latest = r == -ERR_STATE ? letter_latest(store, run) : NULL;
        AUTO_JSON json_t *record = latest ? store_run_get_new(store, latest, NULL) : NULL;
        enum run_state state = RUN_LOST;
        if (!record || !run_state_from_name(json_str(record, "state", ""), &state) || run_state_final(state))
            break;
    }
    return r;
}
