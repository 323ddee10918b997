// The journal of script calls, and the list of handoffs (stages.c writes them).
#include "store/sql.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

static const struct row_form CALL_FORM = {"call", "task n:i op request_hash answer:j", "task"};

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

json_t *store_call_of_stages_new(struct store *s, const char *run, struct err *err)
{
    static const struct row_form FORM = {"call", "task n:i answer:j", "task"};
    int64_t number = store_number(s, run, err);
    if (number < 0)
        return NULL;
    return sql_rows_new(s,
                        sql_bind(s, err, "read",
                                 "SELECT id, task, n, answer, ?1 AS run FROM call WHERE run = ?2 AND op = 'stage'",
                                 "si", run, number),
                        &FORM, err);
}

static bool comes_first(const json_t *a, const json_t *b)
{
    int order = strcmp(json_str(a, "task", ""), json_str(b, "task", ""));
    return order < 0 || (order == 0 && json_int(a, "n", 0) <= json_int(b, "n", 0));
}

json_t *store_call_list_new(struct store *s, const char *run, struct err *err)
{
    int64_t number = store_number(s, run, err);
    if (number < 0)
        return number == -ERR_NOT_FOUND ? json_array() : NULL;
    AUTO_JSON json_t *own =
        sql_rows_new(s,
                     sql_bind(s, err, "read",
                              "SELECT id, task, n, op, request_hash, answer, ?1 AS run FROM call WHERE run = ?2"
                              " ORDER BY task, n",
                              "si", run, number),
                     &CALL_FORM, err);
    AUTO_JSON json_t *stages = own ? store_stage_calls_new(s, run, err) : NULL;
    if (!stages)
        return NULL;
    json_t *list = json_array();
    size_t i = 0, k = 0, n_own = json_array_size(own), n_stages = json_array_size(stages);
    while (i < n_own || k < n_stages) {
        json_t *a = json_array_get(own, i), *b = json_array_get(stages, k);
        bool first = !b || (a && comes_first(a, b));
        json_array_append(list, first ? a : b);
        i += first;
        k += !first;
    }
    return list;
}

int64_t store_call_latest_ns(struct store *s, const char *run)
{
    int64_t n = store_number(s, run, NULL), latest = 0;
    sqlite3_stmt *stmt =
        n < 0 ? NULL
              : sql_bind(s, NULL, "read",
                         "SELECT max(at) FROM (SELECT finished AS at FROM stage WHERE id BETWEEN ?1 * 1048576 AND"
                         " ?1 * 1048576 + 1048575 UNION ALL SELECT CASE WHEN op = 'woke' THEN answer + 0"
                         " WHEN json_type(answer) = 'object' THEN json_extract(answer, '$.at_ns') END FROM call"
                         " WHERE run = ?1 AND op <> 'stage' AND json_valid(answer))",
                         "i", n);
    if (stmt && sql_step(s, stmt, "read", NULL) == 1)
        latest = sqlite3_column_int64(stmt, 0);
    sql_done(stmt);
    return latest;
}
