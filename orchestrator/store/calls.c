// The journal of script calls, and the handoffs.
#include "store/sql.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

static const struct row_form CALL_FORM = {"calls", "task n:i op request_hash answer:j", "task"};
static const struct row_form HANDOFF_FORM = {"handoffs", "id seq:i handoff:j", "id"};

// 1: the same call is there. Conflict when another one is.
static int compare_call(struct store *s, const char *run, const char *task, unsigned n, const char *op,
                        const char *hash, struct err *err)
{
    sqlite3_stmt *stmt =
        sql_bind(s, err, "read", "SELECT op, request_hash FROM calls WHERE run = ? AND task = ? AND n = ?", "ssi", run,
                 task, (int64_t)n);
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
    int r = sql_begin(s, err);
    if (r < 0)
        return r;
    r = compare_call(s, run, task, n, op, request_hash, err);
    if (r == 0) {
        AUTO_JSON json_t *none = json_null();
        r = sql_run(s, err, "write to",
                    "INSERT INTO calls (run, task, n, op, request_hash, answer, at) VALUES (?,?,?,?,?,?,?)", "ssissji",
                    run, task, (int64_t)n, op, request_hash, answer ? answer : none, clock_wall_ns());
        r = r < 0 ? r : 0;
    }
    return sql_end(s, r, err);
}

json_t *store_call_get_new(struct store *s, const char *run, const char *task, unsigned n, struct err *err)
{
    return sql_row_new(
        s,
        sql_bind(s, err, "read",
                 "SELECT rowid, task, n, op, request_hash, answer, run FROM calls WHERE run = ? AND task = ?"
                 " AND n = ?",
                 "ssi", run, task, (int64_t)n),
        &CALL_FORM, "a call of task", task, err);
}

json_t *store_call_list_new(struct store *s, const char *run, struct err *err)
{
    return sql_rows_new(s,
                        sql_bind(s, err, "read",
                                 "SELECT rowid, task, n, op, request_hash, answer, run FROM calls WHERE run = ?"
                                 " ORDER BY task, n",
                                 "s", run),
                        &CALL_FORM, err);
}

int store_handoff_put(struct store *s, const char *run, const char *id, int seq, const json_t *handoff, struct err *err)
{
    int r = store_check_text(id, STORE_NAME_MAX, "the handoff id", err);
    if (r >= 0)
        r = sql_begin(s, err);
    if (r < 0)
        return r;
    struct err there = {0};
    AUTO_JSON json_t *old = store_handoff_get_new(s, run, id, &there);
    if (old) {
        r = json_equal(json_object_get(old, "handoff"), handoff)
                ? 0
                : err_set(err, ERR_EXISTS, "run '%s' has another handoff '%s'; a handoff is never replaced", run, id);
        return sql_end(s, r, err);
    }
    r = sql_run(s, err, "write to", "INSERT INTO handoffs (run, id, seq, body, created) VALUES (?,?,?,?,?)", "ssiji",
                run, id, (int64_t)seq, handoff, clock_wall_ns());
    r = sql_end(s, r, err);
    return r < 0 ? r : 0;
}

json_t *store_handoff_get_new(struct store *s, const char *run, const char *id, struct err *err)
{
    if (!run)
        return sql_row_new(
            s,
            sql_bind(s, err, "read",
                     "SELECT rowid, id, seq, body, run FROM handoffs WHERE id = ? ORDER BY rowid DESC LIMIT 1", "s",
                     id),
            &HANDOFF_FORM, "handoff", id, err);
    return sql_row_new(s,
                       sql_bind(s, err, "read",
                                "SELECT rowid, id, seq, body, run FROM handoffs WHERE run = ? AND id = ?", "ss", run,
                                id),
                       &HANDOFF_FORM, "handoff", id, err);
}

json_t *store_handoff_list_new(struct store *s, const char *run, struct err *err)
{
    return sql_rows_new(s,
                        sql_bind(s, err, "read",
                                 "SELECT rowid, id, seq, body, run FROM handoffs WHERE run = ? ORDER BY seq, rowid",
                                 "s", run),
                        &HANDOFF_FORM, err);
}
