// Events, the inbox of a run, and the list of what was lost.
#include "store/sql.h"

#include "base/clock.h"

static const struct row_form EVENT_FORM = {"event", "id:i run kind at_ns:i body:j", "kind"};
static const struct row_form INBOX_FORM = {"inbox", "id:i kind at_ns:i body:j", "kind"};
static const struct row_form LOST_FORM = {"lost_found", "id:i at_ns:i source ref reason text", "ref"};

int store_event_add(struct store *s, const char *run, enum event_kind kind, const json_t *body, int64_t *ret_id,
                    struct err *err)
{
    AUTO_JSON json_t *none = body ? NULL : json_object();
    int64_t number = run ? store_number(s, run, err) : 0;
    if (number < 0)
        return (int)number;
    int r = sql_run(s, err, "write to", "INSERT INTO event (run, kind, at, body) VALUES (nullif(?, 0),?,?,?)", "isij",
                    number, event_kind_name(kind), clock_wall_ns(), body ? body : none);
    if (r < 0)
        return r;
    if (ret_id)
        *ret_id = sqlite3_last_insert_rowid(s->db);
    return 0;
}

json_t *store_event_list_new(struct store *s, const char *run, int64_t since, int limit, struct err *err)
{
    int64_t max = limit > 0 && limit < STORE_LIST_MAX ? limit : STORE_LIST_MAX;
    int64_t number = run ? store_number(s, run, err) : 0;
    if (number < 0)
        return number == -ERR_NOT_FOUND ? json_array() : NULL;
    if (run)
        return sql_rows_new(
            s,
            sql_bind(s, err, "read",
                     "SELECT id, id, ?1 AS run, kind, at, body FROM event WHERE run = ?2 AND id > ?3 ORDER BY id"
                     " LIMIT ?4",
                     "siii", run, number, since, max),
            &EVENT_FORM, err);
    return sql_rows_new(
        s,
        sql_bind(s, err, "read",
                 "SELECT e.id, e.id, r.id AS run, e.kind, e.at, e.body FROM event e LEFT JOIN runs r ON r.n = e.run"
                 " WHERE e.id > ? ORDER BY e.id LIMIT ?",
                 "ii", since, max),
        &EVENT_FORM, err);
}

int64_t store_event_last(struct store *s)
{
    sqlite3_stmt *stmt = sql_bind(s, NULL, "read", "SELECT max(id) FROM event", "");
    int64_t id = 0;
    if (stmt && sql_step(s, stmt, "read", NULL) == 1)
        id = sqlite3_column_int64(stmt, 0);
    sql_done(stmt);
    return id;
}

int store_inbox_put(struct store *s, const char *run, const char *kind, const json_t *body, int64_t *ret_id,
                    struct err *err)
{
    int r = store_check_id(kind, "the kind of a message", err);
    if (r < 0)
        return r;
    AUTO_JSON json_t *none = json_object();
    // One statement: a run that does not exist, or is just being finished, gets nothing.
    r = sql_run(s, err, "write to",
                "INSERT INTO inbox (run, kind, at, body) SELECT id, ?, ?, ? FROM runs WHERE id = ? AND finished IS NULL",
                "sijs", kind, clock_wall_ns(), body ? body : none, run);
    if (r == 0 && store_number(s, run, err) >= 0)
        return err_set(err, ERR_STATE, "run '%s' is finished", run);
    if (r <= 0)
        return r < 0 ? r : err_set(err, ERR_NOT_FOUND, "run '%s' does not exist", run);
    if (ret_id)
        *ret_id = sqlite3_last_insert_rowid(s->db);
    return 0;
}

json_t *store_inbox_list_new(struct store *s, const char *run, int64_t since, struct err *err)
{
    return sql_rows_new(
        s,
        sql_bind(s, err, "read",
                 "SELECT id, id, kind, at, body, run FROM inbox WHERE run = ? AND id > ? ORDER BY id LIMIT 10000", "si",
                 run, since),
        &INBOX_FORM, err);
}

bool store_inbox_has_newer(struct store *s, const char *run, int64_t since)
{
    sqlite3_stmt *stmt =
        sql_bind(s, NULL, "read", "SELECT 1 FROM inbox WHERE run = ? AND id > ? LIMIT 1", "si", run, since);
    bool newer = stmt && sql_step(s, stmt, "read", NULL) == 1;
    sql_done(stmt);
    return newer;
}

json_t *store_lost_list_new(struct store *s, struct err *err)
{
    return sql_rows_new(
        s, sql_bind(s, err, "read", "SELECT id, id, at, source, ref, reason, text FROM lost_found ORDER BY id", ""),
        &LOST_FORM, err);
}

int64_t store_losses(const struct store *s)
{
    return s->losses;
}

static bool has_losses(struct store *s)
{
    sqlite3_stmt *stmt = sql_bind(s, NULL, "read", "SELECT 1 FROM lost_found LIMIT 1", "");
    bool has = stmt && sql_step(s, stmt, "read", NULL) == 1;
    sql_done(stmt);
    return has;
}

json_t *store_run_damage_new(struct store *s, const char *run)
{
    static const struct row_form FORM = {"event", "body:j", "id"};
    struct err ignored;
    int64_t n = store_number(s, run, NULL);
    if (n < 0 || !has_losses(s))
        return NULL;
    AUTO_JSON json_t *row = sql_row_new(
        s,
        sql_bind(s, &ignored, "read",
                 "SELECT id, body FROM event WHERE run = ?1 AND kind = 'record_lost' AND id > coalesce((SELECT max(id) "
                 "FROM event"
                 " WHERE run = ?1 AND kind = 'run_reopened'), 0)"
                 " AND json_extract(body, '$.source') IN ('stage', 'handoff', 'call', 'runs') ORDER BY id LIMIT 1",
                 "i", n),
        &FORM, "a lost record of run", run, &ignored);
    return row ? json_incref(json_object_get(row, "body")) : NULL;
}
