// The journal of script calls, and the handoffs.
#include "store/sql.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

static const struct row_form CALL_FORM = {"call", "task n:i op request_hash answer:j", "task"};
static const struct row_form HANDOFF_FORM = {"handoff", "id seq:i handoff:j", "id"};

#define HAND_MADE (STORE_SEQ_SPAN / 2) // handoffs that no stage wrote have row ids from here

// 1: the same call is there. Conflict when another one is.
static int compare_call(struct store *s, const char *run, int64_t number, const char *task, unsigned n, const char *op,
                        const char *hash, struct err *err)
{
    sqlite3_stmt *stmt =
        sql_bind(s, err, "read", "SELECT op, request_hash FROM call WHERE run = ? AND task = ? AND n = ?", "isi",
                 number, task, (int64_t)n);
    if (!stmt)
        return -ERR_IO;
    int r = sql_step(s, stmt, "read", err);
    if (r == 1) {
        const char *old_op = (const char *)sqlite3_column_text(stmt, 0);
        const char *old_hash = (const char *)sqlite3_column_text(stmt, 1);
        if (!str_eq(old_op, op) || !str_eq(old_hash, hash))
            r = err_set(
                err, ERR_CONFLICT,
                "run '%s' diverged at call %u of task %s: the journal has '%s' (request %.12s), the script now asks "
                "for '%s' (request %.12s)",
                run, n, task, old_op, old_hash, op, hash);
    }
    sql_done(stmt);
    return r;
}

int store_call_put(struct store *s, const char *run, const char *task, unsigned n, const char *op,
                   const char *request_hash, const json_t *answer, struct err *err)
{
    int64_t number = store_number(s, run, err);
    if (number < 0)
        return (int)number;
    AUTO_JSON json_t *none = json_null();
    int r = sql_run(s, err, "write to",
                    "INSERT INTO call (run, task, n, op, request_hash, answer, at) VALUES (?,?,?,?,?,?,?)"
                    " ON CONFLICT (run, task, n) DO NOTHING",
                    "isissji", number, task, (int64_t)n, op, request_hash, answer ? answer : none, clock_wall_ns());
    if (r == 0)
        return compare_call(s, run, number, task, n, op, request_hash, err);
    return r < 0 ? r : 0;
}

json_t *store_call_get_new(struct store *s, const char *run, const char *task, unsigned n, struct err *err)
{
    int64_t number = store_number(s, run, err);
    if (number < 0)
        return NULL;
    return sql_row_new(
        s,
        sql_bind(s, err, "read",
                 "SELECT id, task, n, op, request_hash, answer, ?1 AS run FROM call WHERE run = ?2 AND task = ?3"
                 " AND n = ?4",
                 "sisi", run, number, task, (int64_t)n),
        &CALL_FORM, "a call of task", task, err);
}

json_t *store_call_list_new(struct store *s, const char *run, struct err *err)
{
    int64_t number = store_number(s, run, err);
    if (number < 0)
        return number == -ERR_NOT_FOUND ? json_array() : NULL;
    return sql_rows_new(s,
                        sql_bind(s, err, "read",
                                 "SELECT id, task, n, op, request_hash, answer, ?1 AS run FROM call WHERE run = ?2"
                                 " ORDER BY task, n",
                                 "si", run, number),
                        &CALL_FORM, err);
}

// --- handoffs ---

static int compare_handoff(struct store *s, const char *run, const char *name, const json_t *handoff, struct err *err)
{
    AUTO_JSON json_t *old = store_handoff_get_new(s, run, name, err);
    if (!old)
        return -(int)err->code;
    if (json_equal(json_object_get(old, "handoff"), handoff))
        return 0;
    return err_set(err, ERR_EXISTS, "run '%s' has another handoff '%s'; a handoff is never replaced", run, name);
}

int store_handoff_put(struct store *s, const char *run, const char *id, int seq, const json_t *handoff, struct err *err)
{
    struct err own;
    if (!err)
        err = &own;
    int r = store_check_text(id, STORE_NAME_MAX, "the handoff id", err);
    int64_t first = r < 0 ? r : store_row_id(s, run, 0, err);
    if (first < 0)
        return (int)first;
    r = sql_run(s, err, "write to",
                "INSERT INTO handoff (id, name, body, created)"
                " SELECT CASE WHEN ?1 > 0 THEN ?2 + ?1 ELSE"
                " (SELECT coalesce(max(id) + 1, ?3) FROM handoff WHERE id BETWEEN ?3 AND ?4) END, ?5, ?6, ?7"
                " WHERE NOT EXISTS (SELECT 1 FROM handoff WHERE name = ?5 AND id BETWEEN ?2 AND ?4)",
                "iiiisji", (int64_t)seq, first, first + HAND_MADE, first + STORE_SEQ_SPAN - 1, id, handoff,
                clock_wall_ns());
    if (r == 0)
        return compare_handoff(s, run, id, handoff, err);
    if (r == -ERR_EXISTS)
        return err_set(err, ERR_EXISTS, "stage %d of run '%s' has another handoff than '%s'", seq, run, id);
    return r < 0 ? r : 0;
}

#define HANDOFF_COLUMNS                                                                                                \
    "SELECT h.id, h.name AS id, CASE WHEN h.id % 1048576 < 524288 THEN h.id % 1048576 ELSE 0 END, h.body, r.id AS run" \
    " FROM handoff h JOIN runs r ON r.n = h.id / 1048576"

json_t *store_handoff_get_new(struct store *s, const char *run, const char *id, struct err *err)
{
    if (!run)
        return sql_row_new(
            s, sql_bind(s, err, "read", HANDOFF_COLUMNS " WHERE h.name = ? ORDER BY h.id DESC LIMIT 1", "s", id),
            &HANDOFF_FORM, "handoff", id, err);
    int64_t first = store_row_id(s, run, 0, err);
    if (first < 0)
        return NULL;
    return sql_row_new(s,
                       sql_bind(s, err, "read", HANDOFF_COLUMNS " WHERE h.name = ? AND h.id BETWEEN ? AND ?", "sii", id,
                                first, first + STORE_SEQ_SPAN - 1),
                       &HANDOFF_FORM, "handoff", id, err);
}

json_t *store_handoff_list_new(struct store *s, const char *run, struct err *err)
{
    int64_t first = store_row_id(s, run, 0, err);
    if (first < 0)
        return first == -ERR_NOT_FOUND ? json_array() : NULL;
    return sql_rows_new(s,
                        sql_bind(s, err, "read", HANDOFF_COLUMNS " WHERE h.id BETWEEN ? AND ? ORDER BY h.id", "ii",
                                 first, first + STORE_SEQ_SPAN - 1),
                        &HANDOFF_FORM, err);
}
