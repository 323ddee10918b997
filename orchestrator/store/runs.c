#include "store/sql.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

#define COLUMNS                                                                                                        \
    "n, id, workflow, script_hash, project, key, caller, parent, params, agents, options, state, result, cancel,"      \
    " created, updated, started, finished"

static const struct row_form RUN_FORM = {
    "runs",
    "id workflow script_hash project key caller parent params:j agents:j options:j state result:j cancel created_ns:i"
    " updated_ns:i started_ns:i finished_ns:i",
    "id",
};

static int check_run(const struct store_run *run, struct err *err)
{
    if (store_check_id(run->id, "the run id", err) < 0 ||
        store_check_text(run->workflow, STORE_NAME_MAX, "the workflow name", err) < 0 ||
        store_check_text(run->script_hash, STORE_NAME_MAX, "the script hash", err) < 0 ||
        store_check_text(run->project, STORE_PATH_MAX, "the project path", err) < 0 ||
        (run->key && store_check_text(run->key, STORE_NAME_MAX, "the idempotency key", err) < 0) ||
        (run->caller && store_check_text(run->caller, STORE_NAME_MAX, "the caller", err) < 0))
        return -(int)err->code;
    if (!json_is_object(run->params) || !json_is_object(run->agents))
        return err_set(err, ERR_INVALID, "params and agents of run '%s' must be objects", run->id);
    return 0;
}

// 1: the key's run is this request; 0: no run has the key.
static int find_key(struct store *s, const struct store_run *run, char ret_id[STORE_NAME_MAX], struct err *err)
{
    if (!run->key)
        return 0;
    struct err own = {0};
    sqlite3_stmt *stmt = sql_bind(s, err, "read", "SELECT " COLUMNS " FROM runs WHERE key = ?", "s", run->key);
    if (!stmt)
        return -ERR_IO;
    AUTO_JSON json_t *row = sql_row_new(s, stmt, &RUN_FORM, "a run with the key", run->key, &own);
    if (!row) {
        if (own.code == ERR_NOT_FOUND)
            return 0;
        if (err)
            *err = own;
        return -(int)own.code;
    }
    if (!str_eq(json_str(row, "workflow", ""), run->workflow) || !str_eq(json_str(row, "project", ""), run->project) ||
        !json_equal(json_object_get(row, "params"), run->params))
        return err_set(
            err, ERR_CONFLICT,
            "the idempotency key '%s' belongs to run '%s', which is another request (workflow, project or params "
            "differ); choose another key",
            run->key, json_str(row, "id", "?"));
    size_t len = str_utf8_cut(json_str(row, "id", ""), STORE_NAME_MAX - 1);
    memcpy(ret_id, json_str(row, "id", ""), len);
    ret_id[len] = '\0';
    return 1;
}

static int insert(struct store *s, const struct store_run *run, struct err *err)
{
    int64_t now = clock_wall_ns();
    int r =
        sql_run(s, err, "write to",
                "INSERT INTO runs (id, workflow, script_hash, project, key, caller, parent, params, agents, options,"
                " state, created, updated) VALUES (?,?,?,?,?,?,?,?,?,?,'queued',?,?)",
                "sssssssjjjii", run->id, run->workflow, run->script_hash, run->project, run->key, run->caller,
                run->parent, run->params, run->agents, run->options, now, now);
    if (r > 0)
        store_number_known(s, run->id, sqlite3_last_insert_rowid(s->db));
    return r == -ERR_EXISTS ? err_set(err, ERR_EXISTS, "a run named '%s' exists already", run->id) : r;
}

int store_run_create(struct store *s, const struct store_run *run, char ret_id[STORE_NAME_MAX], struct err *err)
{
    struct err own = {0};
    if (!err)
        err = &own;
    int r = check_run(run, err);
    if (r >= 0)
        r = sql_begin(s, err);
    if (r < 0)
        return r;
    r = find_key(s, run, ret_id, err);
    if (r == 0) {
        r = insert(s, run, err);
        if (r >= 0) {
            strcpy(ret_id, run->id);
            r = 0;
        }
    }
    return sql_end(s, r, err);
}

json_t *store_run_get_new(struct store *s, const char *id, struct err *err)
{
    json_t *row = NULL;
    for (int i = 0; i < 2 && !row;
         i++) { // the first reading of an unreadable run empties it, the second shows it as lost
        sqlite3_stmt *stmt = sql_bind(s, err, "read", "SELECT " COLUMNS " FROM runs WHERE id = ?", "s", id);
        row = sql_row_new(s, stmt, &RUN_FORM, "run", id, err);
    }
    return row;
}

json_t *store_run_list_new(struct store *s, const struct store_run_filter *filter, struct err *err)
{
    static const struct store_run_filter ALL = {0};
    const struct store_run_filter *f = filter ? filter : &ALL;
    int64_t limit = f->limit > 0 && f->limit < STORE_LIST_MAX ? f->limit : STORE_LIST_MAX;
    if (f->unfinished)
        return sql_rows_new(
            s,
            sql_bind(s, err, "read",
                     "SELECT " COLUMNS " FROM runs WHERE finished IS NULL AND"
                     " (?1 IS NULL OR project = ?1) AND (?2 IS NULL OR workflow = ?2) AND (?3 IS NULL OR parent = ?3)"
                     " AND (?4 IS NULL OR state = ?4) ORDER BY n DESC LIMIT ?5",
                     "ssssi", f->project, f->workflow, f->parent, f->state, limit),
            &RUN_FORM, err);
    return sql_rows_new(s,
                        sql_bind(s, err, "read",
                                 "SELECT " COLUMNS " FROM runs WHERE (?1 IS NULL OR project = ?1) AND"
                                 " (?2 IS NULL OR workflow = ?2) AND (?3 IS NULL OR parent = ?3) AND"
                                 " (?4 IS NULL OR state = ?4) ORDER BY n DESC LIMIT ?5",
                                 "ssssi", f->project, f->workflow, f->parent, f->state, limit),
                        &RUN_FORM, err);
}

// State and cancel reason of a run; inside the caller's transaction.
static int read_state(struct store *s, const char *id, enum run_state *ret, struct err *err)
{
    sqlite3_stmt *stmt = sql_bind(s, err, "read", "SELECT state FROM runs WHERE id = ?", "s", id);
    if (!stmt)
        return -ERR_IO;
    int r = sql_step(s, stmt, "read", err);
    if (r == 0)
        r = err_set(err, ERR_NOT_FOUND, "run '%s' does not exist", id);
    else if (r == 1 && !run_state_from_name((const char *)sqlite3_column_text(stmt, 0), ret))
        r = err_set(err, ERR_PARSE, "run '%s' has an unknown state", id);
    sql_done(stmt);
    return r < 0 ? r : 0;
}

int store_run_set_state(struct store *s, const char *id, enum run_state state, const json_t *result, struct err *err)
{
    int r = sql_begin(s, err);
    if (r < 0)
        return r;
    enum run_state old = RUN_QUEUED;
    r = read_state(s, id, &old, err);
    if (r >= 0 && run_state_final(old))
        r = err_set(err, ERR_STATE, "run '%s' is finished (%s)", id, run_state_name(old));
    int64_t now = clock_wall_ns();
    if (r >= 0 && run_state_final(state))
        r = sql_run(s, err, "write to",
                    "UPDATE runs SET state = ?, result = coalesce(?, result), updated = ?, finished = ? WHERE id = ?",
                    "sjiis", run_state_name(state), result, now, now, id);
    else if (r >= 0)
        r = sql_run(s, err, "write to",
                    "UPDATE runs SET state = ?1, result = coalesce(?2, result), updated = ?3,"
                    " started = coalesce(started, CASE ?1 WHEN 'running' THEN ?3 END) WHERE id = ?4",
                    "sjis", run_state_name(state), result, now, id);
    r = sql_end(s, r, err);
    return r < 0 ? r : 0;
}

int store_run_request_cancel(struct store *s, const char *id, const char *reason, struct err *err)
{
    int r = store_check_text(reason, STORE_NAME_MAX - 1, "the reason of the cancel", err);
    if (r >= 0)
        r = sql_begin(s, err);
    if (r < 0)
        return r;
    enum run_state old = RUN_QUEUED;
    r = read_state(s, id, &old, err);
    if (r >= 0 && run_state_final(old))
        r = err_set(err, ERR_STATE, "run '%s' is finished (%s)", id, run_state_name(old));
    if (r >= 0) {
        r = sql_run(s, err, "write to", "UPDATE runs SET cancel = ?, updated = ? WHERE id = ? AND cancel IS NULL",
                    "sis", reason, clock_wall_ns(), id);
        r = r < 0 ? r : r == 0;
    }
    return sql_end(s, r, err);
}

int store_run_cancel_requested(struct store *s, const char *id, char ret_reason[STORE_NAME_MAX], struct err *err)
{
    sqlite3_stmt *stmt = sql_bind(s, err, "read", "SELECT cancel FROM runs WHERE id = ?", "s", id);
    if (!stmt)
        return -ERR_IO;
    int r = sql_step(s, stmt, "read", err);
    if (r == 0) {
        r = err_set(err, ERR_NOT_FOUND, "run '%s' does not exist", id);
    } else if (r == 1) {
        const char *text = (const char *)sqlite3_column_text(stmt, 0);
        r = text != NULL;
        if (text && ret_reason) {
            size_t len = str_utf8_cut(text, STORE_NAME_MAX - 1);
            memcpy(ret_reason, text, len);
            ret_reason[len] = '\0';
        }
    }
    sql_done(stmt);
    return r;
}
