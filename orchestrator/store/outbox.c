// Effects outside of the journal. They are written down in the transaction of what causes them and delivered when that
// is on disk.
#include "store/sql.h"

#include "base/clock.h"

#define FIELDS "id:i run key kind target body state attempts:i next_ns:i created_ns:i updated_ns:i error"
#define SELECT                                                                                                         \
    "SELECT o.id, o.id, r.id AS run, o.key, o.kind, o.target, o.body, o.state, o.attempts, o.next, o.created, "        \
    "o.updated, o.error"                                                                                               \
    " FROM outbox o LEFT JOIN runs r ON r.n = o.run"

static const struct row_form FORM = {"outbox", FIELDS, "key"};

int store_outbox_put(struct store *s, const char *run, const char *key, const char *kind, const char *target,
                     const char *body, struct err *err)
{
    int64_t n = store_number(s, run, err), now = clock_wall_ns();
    if (n < 0)
        return (int)n;
    int r = sql_run(s, err, "write to",
                    "INSERT INTO outbox (run, key, kind, target, body, state, attempts, next, created, updated)"
                    " VALUES (?1, ?2, ?3, ?4, ?5, 'waiting', 0, ?6, ?6, ?6) ON CONFLICT (key) DO NOTHING",
                    "issssi", n, key, kind, target, body, now);
    return r < 0 ? r : r == 0;
}

json_t *store_outbox_due_new(struct store *s, const char *kind, int64_t now_ns, int limit, struct err *err)
{
    return sql_rows_new(s,
                        sql_bind(s, err, "read",
                                 SELECT
                                 " WHERE o.state = 'waiting' AND o.kind = ? AND o.next <= ? ORDER BY o.next LIMIT ?",
                                 "sii", kind, now_ns, (int64_t)limit),
                        &FORM, err);
}

int64_t store_outbox_next(struct store *s, const char *kind)
{
    sqlite3_stmt *stmt =
        sql_bind(s, NULL, "read", "SELECT min(next) FROM outbox WHERE state = 'waiting' AND kind = ?", "s", kind);
    int64_t next = stmt && sql_step(s, stmt, "read", NULL) == 1 ? sqlite3_column_int64(stmt, 0) : 0;
    sql_done(stmt);
    return next;
}

int store_outbox_claim(struct store *s, int64_t id, int64_t next_ns, int64_t until_ns, struct err *err)
{
    int r = sql_run(s, err, "write to",
                    "UPDATE outbox SET next = ?, attempts = attempts + 1, updated = ? WHERE id = ? AND next = ? AND "
                    "state = 'waiting'",
                    "iiii", until_ns, clock_wall_ns(), id, next_ns);
    return r < 0 ? r : r == 0;
}

int store_outbox_settle(struct store *s, int64_t id, const char *state, int64_t next_ns, const char *error,
                        struct err *err)
{
    int r = sql_run(s, err, "write to",
                    "UPDATE outbox SET state = ?, next = ?, error = ?, updated = ? WHERE id = ? AND state = 'waiting'",
                    "sisii", state, next_ns, error, clock_wall_ns(), id);
    return r < 0 ? r : 0;
}

json_t *store_outbox_list_new(struct store *s, const char *run_or_null, struct err *err)
{
    if (!run_or_null)
        return sql_rows_new(s, sql_bind(s, err, "read", SELECT " ORDER BY o.id", ""), &FORM, err);
    return sql_rows_new(s, sql_bind(s, err, "read", SELECT " WHERE r.id = ? ORDER BY o.id", "s", run_or_null), &FORM,
                        err);
}
