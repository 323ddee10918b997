// What a run waits for: calls of its script that were begun and not answered.
#include "store/sql.h"

#include "base/str.h"

static json_t *calls_new(struct store *s, int64_t n, struct err *err)
{
    static const struct row_form FORM = {"call", "task n:i op answer:j", "task"};
    // What came of a call that lasts stands beside it, at "<task>~"; a signal that is awaited has only that until it
    // comes. '@old …' are answers of before a reopening.
    return sql_rows_new(
        s,
        sql_bind(s, err, "read",
                 "SELECT id, task, n, op, answer, ?1 AS run FROM call AS c WHERE run = ?1 AND task NOT LIKE '@%' AND"
                 " ((op IN ('sleep', 'child') AND NOT EXISTS"
                 "   (SELECT 1 FROM call AS b WHERE b.run = c.run AND b.task = c.task || '~' AND b.n = c.n))"
                 " OR (op = 'awaits' AND NOT EXISTS (SELECT 1 FROM call AS b WHERE b.run = c.run"
                 "   AND b.task = substr(c.task, 1, length(c.task) - 1) AND b.n = c.n))) ORDER BY id",
                 "i", n),
        &FORM, err);
}

static void add_call(struct store *s, const json_t *call, json_t *waits)
{
    const char *op = json_str(call, "op", "");
    const json_t *answer = json_object_get(call, "answer");
    json_t *wait = json_object();
    if (str_eq(op, "sleep")) {
        json_put_str(wait, "kind", "time");
        json_put_int(wait, "until_ns", json_integer_value(answer));
    } else if (str_eq(op, "awaits")) {
        json_put_str(wait, "kind", "signal");
        json_put_str(wait, "name", json_str(answer, "name", "?"));
        if (json_int(answer, "until_ns", 0))
            json_put_int(wait, "until_ns", json_int(answer, "until_ns", 0));
    } else if (json_str(answer, "run", NULL)) {
        AUTO_JSON json_t *child = store_run_get_new(s, json_str(answer, "run", ""), NULL);
        json_put_str(wait, "kind", "run");
        json_put_str(wait, "run", json_str(answer, "run", NULL));
        json_put_str(wait, "workflow", json_str(child, "workflow", NULL));
    }
    if (json_object_size(wait) > 0)
        json_array_append(waits, wait);
    json_decref(wait);
}

static int add_stages(struct store *s, int64_t n, json_t *waits, struct err *err)
{
    sqlite3_stmt *stmt =
        sql_bind(s, err, "read", "SELECT COUNT(*) FROM stage WHERE state = 'reserved' AND id BETWEEN ? AND ?", "ii",
                 n * STORE_SEQ_SPAN, (n + 1) * STORE_SEQ_SPAN - 1);
    int r = stmt ? sql_step(s, stmt, "read", err) : -ERR_IO;
    int64_t count = r == 1 ? sqlite3_column_int64(stmt, 0) : 0;
    if (stmt)
        sql_done(stmt);
    if (count > 0) {
        json_t *wait = json_object();
        json_put_str(wait, "kind", "stage");
        json_put_int(wait, "count", count);
        json_array_append_new(waits, wait);
    }
    return r < 0 ? r : 0;
}

static void add_questions(const json_t *questions, json_t *waits)
{
    size_t i;
    json_t *q;
    json_array_foreach (questions, i, q) {
        if (json_flag(q, "answered", false))
            continue;
        json_t *wait = json_object();
        json_put_str(wait, "kind", "answer");
        json_put_str(wait, "question", json_str(q, "id", NULL));
        json_put_flag(wait, "expired", json_flag(q, "expired", false));
        json_array_append_new(waits, wait);
    }
}

json_t *store_waits_new(struct store *s, const char *run, struct err *err)
{
    int64_t n = store_number(s, run, err);
    AUTO_JSON json_t *questions = n < 0 ? NULL : store_questions_new(s, run, err);
    AUTO_JSON json_t *calls = questions ? calls_new(s, n, err) : NULL;
    json_t *waits = json_array(), *call;
    size_t i;
    if (!calls || add_stages(s, n, waits, err) < 0) {
        json_decref(waits);
        return NULL;
    }
    add_questions(questions, waits);
    json_array_foreach (calls, i, call)
        add_call(s, call, waits);
    return waits;
}
