// Runs that wait to be admitted (children begin with their parents and never wait), and who else is at work: little of
// each, for many of them.
#include "store/sql.h"

static const struct row_form QUEUE_FORM = {"runs", "id project caller created_ns:i", "id"};
static const struct row_form BUSY_FORM = {"runs", "project runs:i started_ns:i", "project"};

json_t *store_queue_new(struct store *s, struct err *err)
{
    return sql_rows_new(
        s,
        sql_bind(s, err, "read",
                 "SELECT n, id, project, caller, created FROM runs WHERE finished IS NULL AND state = 'queued'"
                 " AND parent IS NULL ORDER BY n LIMIT ?",
                 "i", (int64_t)STORE_LIST_MAX),
        &QUEUE_FORM, err);
}

json_t *store_busy_projects_new(struct store *s, struct err *err)
{
    return sql_rows_new(
        s,
        sql_bind(
            s, err, "read",
            "SELECT min(n), project, sum(state IN ('running', 'waiting')), max(started) FROM runs"
            " WHERE project IN (SELECT project FROM runs WHERE finished IS NULL AND state = 'queued') GROUP BY project",
            ""),
        &BUSY_FORM, err);
}

bool store_run_key_known(struct store *s, const char *key)
{
    sqlite3_stmt *stmt = key ? sql_bind(s, NULL, "read", "SELECT 1 FROM runs WHERE key = ?", "s", key) : NULL;
    bool known = stmt && sql_step(s, stmt, "read", NULL) == 1;
    sql_done(stmt);
    return known;
}

static const struct row_form AT_WORK_FORM = {
    "stage", "run seq:i agent mode attempt:i created_ns:i dispatched_ns:i worker:i", "agent"};

#define DISPATCH_OF(what)                                                                                              \
    "(SELECT " what " FROM event e WHERE e.run = r.n AND e.kind = 'stage_dispatched' AND"                              \
    " json_extract(e.body, '$.stage') = s.id % 1048576 ORDER BY e.id DESC LIMIT 1)"

json_t *store_stages_at_work_new(struct store *s, int limit, struct err *err)
{
    static_assert(STORE_SEQ_SPAN == 1048576, "it stands in the statement below");
    return sql_rows_new(
        s,
        sql_bind(s, err, "read",
                 "SELECT s.id, r.id, s.id % 1048576, s.agent, s.mode, s.attempt, s.created,"
                 " " DISPATCH_OF("e.at") ", " DISPATCH_OF(
                     "json_extract(e.body, '$.worker')") " FROM runs r"
                                                         " JOIN stage s ON s.id BETWEEN r.n * 1048576 AND r.n * "
                                                         "1048576 + 1048575"
                                                         " WHERE r.finished IS NULL AND s.state = 'reserved' LIMIT ?",
                 "i", (int64_t)limit),
        &AT_WORK_FORM, err);
}
