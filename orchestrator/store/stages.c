// Stages: reservation, lease, result. A result and the reservations that follow from it are one transaction.
#include "store/sql.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>

#define COLUMNS                                                                                                        \
    "t.rowid, t.run, t.seq, t.key, t.occurrence, t.task, t.agent, t.mode, t.attempt, t.lease, t.state, t.handoff_id,"  \
    " t.worker, t.reused_from, t.created, t.finished"
#define BODIES ", t.request, t.receipts, h.body"
#define JOIN   " FROM stages t LEFT JOIN handoffs h ON h.run = t.run AND h.id = t.handoff_id"
#define FIELDS                                                                                                         \
    "run seq:i key occurrence:i task agent mode attempt:i lease state handoff_id worker reused_from created_ns:i"      \
    " finished_ns:i"

static const struct row_form FULL_FORM = {"stages", FIELDS " request:j receipts:j handoff:j", "key"};
static const struct row_form ANSWER_FORM = {"stages", "run seq:i key attempt:i state finished_ns:i handoff:j", "key"};
static const struct row_form SHORT_FORM = {"stages", FIELDS, "key"};

static int run_open(struct store *s, const char *run, struct err *err)
{
    sqlite3_stmt *stmt = sql_bind(s, err, "read", "SELECT state FROM runs WHERE id = ?1", "s", run);
    if (!stmt)
        return -ERR_IO;
    int r = sql_step(s, stmt, "read", err);
    enum run_state state;
    if (r == 0)
        r = err_set(err, ERR_NOT_FOUND, "run '%s' does not exist", run);
    else if (r == 1 && run_state_from_name((const char *)sqlite3_column_text(stmt, 0), &state) &&
             run_state_final(state))
        r = err_set(err, ERR_STATE, "run '%s' is finished (%s)", run, run_state_name(state));
    sql_done(stmt);
    return r < 0 ? r : 0;
}

// The stage is open and `lease` (NULL: any) is its present one. *ret_attempt may be NULL.
static int check_lease(struct store *s, const char *run, int seq, const char *lease, int *ret_attempt, struct err *err)
{
    sqlite3_stmt *stmt = sql_bind(s, err, "read", "SELECT state, lease, attempt FROM stages WHERE run = ? AND seq = ?",
                                  "si", run, (int64_t)seq);
    if (!stmt)
        return -ERR_IO;
    int r = sql_step(s, stmt, "read", err);
    if (r == 0)
        r = err_set(err, ERR_NOT_FOUND, "run '%s' has no stage %d", run, seq);
    if (r == 1) {
        enum stage_state state = STAGE_RESERVED;
        const char *name = (const char *)sqlite3_column_text(stmt, 0);
        const char *present = (const char *)sqlite3_column_text(stmt, 1);
        if (!stage_state_from_name(name, &state) || stage_state_final(state))
            r = err_set(err, ERR_STATE, "stage %d of run '%s' has a result (%s); it is not replaced", seq, run, name);
        else if (lease && !str_eq(lease, present))
            r = err_set(err, ERR_CONFLICT, "the lease of stage %d of run '%s' ended: attempt %d has another one", seq,
                        run, sqlite3_column_int(stmt, 2));
        else if (ret_attempt)
            *ret_attempt = sqlite3_column_int(stmt, 2);
    }
    sql_done(stmt);
    return r < 0 ? r : 0;
}

static int put_result(struct store *s, const struct store_result *result, struct err *err)
{
    if (!stage_state_final(result->state))
        return err_set(err, ERR_INVALID, "'%s' is no final state of a stage", stage_state_name(result->state));
    if ((result->handoff != NULL) != (result->handoff_id != NULL))
        return err_set(err, ERR_INVALID, "stage %d of run '%s': a handoff and its id come together", result->seq,
                       result->run);
    int r = run_open(s, result->run, err);
    if (r >= 0)
        r = check_lease(s, result->run, result->seq, result->lease ? result->lease : "", NULL, err);
    if (r >= 0)
        r = sql_run(
            s, err, "write to",
            "UPDATE stages SET state = ?, handoff_id = ?, receipts = ?, worker = ?, reused_from = ?, finished = ?"
            " WHERE run = ? AND seq = ?",
            "ssjssisi", stage_state_name(result->state), result->handoff_id, result->receipts, result->worker,
            result->reused_from, clock_wall_ns(), result->run, (int64_t)result->seq);
    if (r >= 0 && result->handoff)
        r = store_handoff_put(s, result->run, result->handoff_id, result->seq, result->handoff, err);
    return r < 0 ? r : 0;
}

static int reserve(struct store *s, const struct store_stage *stage, struct err *err)
{
    int r = run_open(s, stage->run, err);
    if (r >= 0 && (store_check_text(stage->key, STORE_NAME_MAX, "the stage key", err) < 0 ||
                   store_check_text(stage->task, STORE_NAME_MAX, "the task of a stage", err) < 0 ||
                   store_check_text(stage->agent, STORE_NAME_MAX, "the agent of a stage", err) < 0 ||
                   (stage->mode && store_check_text(stage->mode, STORE_NAME_MAX, "the mode of a stage", err) < 0) ||
                   store_check_text(stage->lease, STORE_NAME_MAX, "the lease of a stage", err) < 0))
        return -(int)err->code;
    if (r >= 0 && !stage->request)
        return err_set(err, ERR_INVALID, "stage %d of run '%s' has no request", stage->seq, stage->run);
    if (r < 0)
        return r;
    r = sql_run(
        s, err, "write to",
        "INSERT INTO stages (run, seq, key, occurrence, task, agent, mode, attempt, lease, request, state, created)"
        " VALUES (?,?,?,?,?,?,?,1,?,?,'reserved',?)",
        "sisissssji", stage->run, (int64_t)stage->seq, stage->key, (int64_t)stage->occurrence, stage->task,
        stage->agent, stage->mode, stage->lease, stage->request, clock_wall_ns());
    if (r == -ERR_EXISTS)
        return err_set(err, ERR_EXISTS, "run '%s' has stage %d, or its key for the %d. time, already", stage->run,
                       stage->seq, stage->occurrence + 1);
    return r < 0 ? r : 0;
}

int store_commit_stage(struct store *s, const struct store_result *result, const struct store_stage *next,
                       size_t n_next, struct err *err)
{
    struct err own = {0};
    if (!err)
        err = &own;
    int r = sql_begin(s, err);
    if (r < 0)
        return r;
    if (result)
        r = put_result(s, result, err);
    for (size_t i = 0; i < n_next && r >= 0; i++)
        r = reserve(s, &next[i], err);
    return sql_end(s, r, err);
}

int store_stage_lease(struct store *s, const char *run, int seq, const char *old_lease, const char *new_lease,
                      int *ret_attempt, struct err *err)
{
    int attempt = 0;
    int r = store_check_text(new_lease, STORE_NAME_MAX, "the lease of a stage", err);
    if (r >= 0)
        r = sql_begin(s, err);
    if (r < 0)
        return r;
    r = run_open(s, run, err);
    if (r >= 0)
        r = check_lease(s, run, seq, old_lease, &attempt, err);
    if (r >= 0)
        r = sql_run(s, err, "write to", "UPDATE stages SET lease = ?, attempt = attempt + 1 WHERE run = ? AND seq = ?",
                    "ssi", new_lease, run, (int64_t)seq);
    r = sql_end(s, r, err);
    if (r < 0)
        return r;
    if (ret_attempt)
        *ret_attempt = attempt + 1;
    return 0;
}

json_t *store_stage_get_new(struct store *s, const char *run, int seq, struct err *err)
{
    char name[32];
    snprintf(name, sizeof(name), "%d", seq);
    return sql_row_new(s,
                       sql_bind(s, err, "read", "SELECT " COLUMNS BODIES JOIN " WHERE t.run = ? AND t.seq = ?", "si",
                                run, (int64_t)seq),
                       &FULL_FORM, "stage", name, err);
}

json_t *store_stage_find_new(struct store *s, const char *run, const char *key, int occurrence, struct err *err)
{
    return sql_row_new(s,
                       sql_bind(s, err, "read",
                                "SELECT " COLUMNS BODIES JOIN " WHERE t.key = ? AND t.run = ? AND t.occurrence = ?",
                                "ssi", key, run, (int64_t)occurrence),
                       &FULL_FORM, "a stage with the key", key, err);
}

json_t *store_stage_answer_new(struct store *s, const char *run, const char *key, int occurrence, struct err *err)
{
    return sql_row_new(s,
                       sql_bind(s, err, "read",
                                "SELECT t.rowid, t.run, t.seq, t.key, t.attempt, t.state, t.finished, h.body" JOIN
                                " WHERE t.key = ? AND t.run = ? AND t.occurrence = ?",
                                "ssi", key, run, (int64_t)occurrence),
                       &ANSWER_FORM, "a stage with the key", key, err);
}

json_t *store_stage_reusable_new(struct store *s, const char *key, const char *not_in_run, struct err *err)
{
    return sql_row_new(s,
                       sql_bind(s, err, "read",
                                "SELECT " COLUMNS BODIES JOIN " WHERE t.key = ?1 AND t.state = 'completed' AND"
                                " (?2 IS NULL OR t.run <> ?2) ORDER BY t.finished DESC LIMIT 1",
                                "ss", key, not_in_run),
                       &FULL_FORM, "a finished stage with the key", key, err);
}

int store_stage_last(struct store *s, const char *run)
{
    sqlite3_stmt *stmt = sql_bind(s, NULL, "read", "SELECT max(seq) FROM stages WHERE run = ?", "s", run);
    int last = stmt && sql_step(s, stmt, "read", NULL) == 1 ? sqlite3_column_int(stmt, 0) : 0;
    sql_done(stmt);
    return last;
}

json_t *store_stage_list_new(struct store *s, const char *run, bool bodies, struct err *err)
{
    if (bodies)
        return sql_rows_new(
            s, sql_bind(s, err, "read", "SELECT " COLUMNS BODIES JOIN " WHERE t.run = ? ORDER BY t.seq", "s", run),
            &FULL_FORM, err);
    return sql_rows_new(
        s, sql_bind(s, err, "read", "SELECT " COLUMNS " FROM stages t WHERE t.run = ? ORDER BY t.seq", "s", run),
        &SHORT_FORM, err);
}
