// Stages: reservation, lease, result. A result and the reservations that follow from it are one transaction.
#include "store/sql.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

// ?1 is the run's name in every reading statement.
#define COLUMNS                                                                                                        \
    "t.id, ?1 AS run, t.id % 1048576, t.key, t.occurrence, t.task, t.agent, t.mode, t.attempt, t.lease, t.state,"      \
    " t.handoff_id, t.worker, t.reused_from, t.created, t.finished"
#define BODIES ", t.request, t.receipts, t.body"
#define FIELDS                                                                                                         \
    "run seq:i key occurrence:i task agent mode attempt:i lease state handoff_id worker reused_from created_ns:i"      \
    " finished_ns:i"
static_assert(STORE_SEQ_SPAN == 1048576, "the statements have it as text");

static const struct row_form FULL_FORM = {"stage", FIELDS " request:j receipts:j handoff:j", "key"};
static const struct row_form ANSWER_FORM = {"stage", "run seq:i key attempt:i state finished_ns:i handoff:j", "key"};
static const struct row_form SHORT_FORM = {"stage", FIELDS, "key"};
static const struct row_form PLACE_FORM = {"stage", "seq:i key occurrence:i task n:i asked", "key"};
static const struct row_form CALL_FORM = {"stage", "task n:i key asked occurrence:i", "key"};
static const struct row_form HANDOFF_FORM = {"stage", "id seq:i handoff:j", "id"};

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
    int64_t id = store_row_id(s, run, seq, err);
    sqlite3_stmt *stmt =
        id < 0 ? NULL : sql_bind(s, err, "read", "SELECT state, lease, attempt FROM stage WHERE id = ?", "i", id);
    if (!stmt)
        return id < 0 ? (int)id : -ERR_IO;
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

// One statement decides and writes; the reasons are looked for only when it did not.
static int put_result(struct store *s, const struct store_result *result, struct err *err)
{
    if (!stage_state_final(result->state))
        return err_set(err, ERR_INVALID, "'%s' is no final state of a stage", stage_state_name(result->state));
    if ((result->handoff != NULL) != (result->handoff_id != NULL))
        return err_set(err, ERR_INVALID, "stage %d of run '%s': a handoff and its id come together", result->seq,
                       result->run);
    int64_t id = store_row_id(s, result->run, result->seq, err);
    if (id < 0)
        return (int)id;
    if (result->handoff && store_check_text(result->handoff_id, STORE_NAME_MAX, "the handoff id", err) < 0)
        return -(int)err->code;
    const char *lease = result->lease ? result->lease : "";
    int r = sql_run(
        s, err, "write to",
        "UPDATE stage SET state = ?1, handoff_id = ?2, receipts = ?3, worker = ?4, reused_from = ?5, finished = ?6,"
        " body = ?9 WHERE id = ?7 AND lease = ?8 AND state = 'reserved' AND"
        " EXISTS (SELECT 1 FROM runs WHERE n = ?7 / 1048576 AND finished IS NULL)",
        "ssjssiisj", stage_state_name(result->state), result->handoff_id, result->receipts, result->worker,
        result->reused_from, result->finished_ns ? result->finished_ns : clock_wall_ns(), id, lease, result->handoff);
    if (r == 0) {
        r = run_open(s, result->run, err);
        if (r >= 0)
            r = check_lease(s, result->run, result->seq, lease, NULL, err);
        return r < 0 ? r
                     : err_set(err, ERR_STATE, "stage %d of run '%s' cannot take a result", result->seq, result->run);
    }
    return r < 0 ? r : 0;
}

static int reserve(struct store *s, const struct store_stage *stage, struct err *err)
{
    if (store_check_text(stage->key, STORE_NAME_MAX, "the stage key", err) < 0 ||
        store_check_text(stage->task, STORE_NAME_MAX, "the task of a stage", err) < 0 ||
        store_check_text(stage->agent, STORE_NAME_MAX, "the agent of a stage", err) < 0 ||
        (stage->mode && store_check_text(stage->mode, STORE_NAME_MAX, "the mode of a stage", err) < 0) ||
        (stage->asked && store_check_text(stage->asked, STORE_NAME_MAX, "the worker of a stage", err) < 0) ||
        store_check_text(stage->lease, STORE_NAME_MAX, "the lease of a stage", err) < 0)
        return -(int)err->code;
    if (!stage->request)
        return err_set(err, ERR_INVALID, "stage %d of run '%s' has no request", stage->seq, stage->run);
    int64_t id = store_row_id(s, stage->run, stage->seq, err);
    if (id < 0)
        return (int)id;
    int r = sql_run(s, err, "write to",
                    "INSERT INTO stage (id, key, occurrence, task, agent, mode, attempt, lease, request, state, "
                    "created, reusable, n,"
                    " asked) SELECT ?1, ?2, ?3, ?4, ?5, ?6, 1, ?7, ?8, 'reserved', ?9, ?10, ?11, ?12"
                    " WHERE EXISTS (SELECT 1 FROM runs WHERE n = ?1 / 1048576 AND finished IS NULL)",
                    "isissssjiiis", id, stage->key, (int64_t)stage->occurrence, stage->task, stage->agent, stage->mode,
                    stage->lease, stage->request, clock_wall_ns(), (int64_t)stage->reusable, (int64_t)stage->n,
                    stage->asked);
    if (r == 0) {
        r = run_open(s, stage->run, err);
        return r < 0 ? r : err_set(err, ERR_STATE, "run '%s' takes no stages", stage->run);
    }
    if (r == -ERR_EXISTS)
        return err_set(err, ERR_EXISTS, "run '%s' has stage %d already", stage->run, stage->seq);
    return r < 0 ? r : 0;
}

int store_commit_stage(struct store *s, const struct store_result *result, const struct store_stage *next,
                       size_t n_next, struct err *err)
{
    struct err own = {0};
    if (!err)
        err = &own;
    if (s->batch && (result != NULL) + n_next == 1) // one statement needs no transaction in the batch
        return result ? put_result(s, result, err) : reserve(s, next, err);
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
        r = sql_run(s, err, "write to", "UPDATE stage SET lease = ?, attempt = attempt + 1 WHERE id = ?", "si",
                    new_lease, store_row_id(s, run, seq, err));
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
    int64_t id = store_row_id(s, run, seq, err);
    if (id < 0)
        return NULL;
    return sql_row_new(
        s, sql_bind(s, err, "read", "SELECT " COLUMNS BODIES " FROM stage t WHERE t.id = ?2", "si", run, id),
        &FULL_FORM, "stage", name, err);
}

json_t *store_stage_answer_new(struct store *s, const char *run, int seq, struct err *err)
{
    char name[32];
    snprintf(name, sizeof(name), "%d", seq);
    int64_t id = store_row_id(s, run, seq, err);
    if (id < 0)
        return NULL;
    return sql_row_new(s,
                       sql_bind(s, err, "read",
                                "SELECT t.id, ?1 AS run, t.id % 1048576, t.key, t.attempt, t.state, t.finished, t.body"
                                " FROM stage t WHERE t.id = ?2",
                                "si", run, id),
                       &ANSWER_FORM, "stage", name, err);
}

// Without a tree per row: a resumed run reads them all. Rows that cannot be read are moved away after the others.
int store_stage_places(struct store *s, const char *run, store_place_fn fn, void *user, struct err *err)
{
    static const char SQL[] = "SELECT id, id % 1048576, key, occurrence, task, n, asked, ?1 AS run FROM stage"
                              " WHERE id BETWEEN ?2 AND ?3";
    int64_t first = store_row_id(s, run, 0, err);
    sqlite3_stmt *stmt =
        first < 0 ? NULL : sql_bind(s, err, "read", SQL, "sii", run, first, first + STORE_SEQ_SPAN - 1);
    if (!stmt)
        return first < 0 ? (int)first : -ERR_IO;
    bool whole = true;
    int r;
    while ((r = sql_step(s, stmt, "read", err)) == 1) {
        struct store_place place = {.seq = sqlite3_column_int(stmt, 1),
                                    .key = (const char *)sqlite3_column_text(stmt, 2),
                                    .occurrence = sqlite3_column_int64(stmt, 3),
                                    .task = (const char *)sqlite3_column_text(stmt, 4),
                                    .n = sqlite3_column_int64(stmt, 5),
                                    .called = sqlite3_column_type(stmt, 6) != SQLITE_NULL};
        if (place.key && str_utf8_valid(place.key, strlen(place.key)) && place.task &&
            str_utf8_valid(place.task, strlen(place.task)))
            fn(user, &place);
        else
            whole = false;
    }
    sql_done(stmt);
    if (r == 0 && !whole)
        json_decref(sql_rows_new(s, sql_bind(s, err, "read", SQL, "sii", run, first, first + STORE_SEQ_SPAN - 1),
                                 &PLACE_FORM, err));
    return r;
}

json_t *store_stage_calls_new(struct store *s, const char *run, struct err *err)
{
    int64_t first = store_row_id(s, run, 0, err);
    AUTO_JSON json_t *rows =
        first < 0 ? NULL
                  : sql_rows_new(s,
                                 sql_bind(s, err, "read",
                                          "SELECT id, task, n, key, asked, occurrence, ?1 AS run FROM stage"
                                          " WHERE id BETWEEN ?2 AND ?3 AND asked IS NOT NULL ORDER BY task, n",
                                          "sii", run, first, first + STORE_SEQ_SPAN - 1),
                                 &CALL_FORM, err);
    json_t *calls = rows ? json_array() : NULL, *row;
    size_t i;
    json_array_foreach (rows, i, row) {
        json_t *call = json_object(), *answer = json_object();
        json_put_str(call, "task", json_str(row, "task", ""));
        json_put_int(call, "n", json_int(row, "n", 0));
        json_put_str(call, "op", "stage");
        json_put_str(call, "request_hash", json_str(row, "key", ""));
        json_put_str(answer, "key", json_str(row, "key", ""));
        json_put_str(answer, "worker", json_str(row, "asked", ""));
        json_put_int(answer, "occurrence", json_int(row, "occurrence", 0));
        json_put(call, "answer", answer);
        json_array_append_new(calls, call);
    }
    return calls;
}

json_t *store_handoff_list_new(struct store *s, const char *run, struct err *err)
{
    int64_t first = store_row_id(s, run, 0, err);
    if (first < 0)
        return first == -ERR_NOT_FOUND ? json_array() : NULL;
    return sql_rows_new(s,
                        sql_bind(s, err, "read",
                                 "SELECT id, handoff_id, id % 1048576, body, ?1 AS run FROM stage"
                                 " WHERE id BETWEEN ?2 AND ?3 AND body IS NOT NULL ORDER BY id",
                                 "sii", run, first, first + STORE_SEQ_SPAN - 1),
                        &HANDOFF_FORM, err);
}

json_t *store_stage_reusable_new(struct store *s, const char *key, const char *not_in_run, struct err *err)
{
    return sql_row_new(
        s,
        sql_bind(s, err, "read",
                 "SELECT t.id, r.id AS run, t.id % 1048576, t.key, t.occurrence, t.task, t.agent, t.mode,"
                 " t.attempt, t.lease, t.state, t.handoff_id, t.worker, t.reused_from, t.created, t.finished" BODIES
                 " FROM stage t JOIN runs r ON r.n = t.id / 1048576"
                 " WHERE t.key = ?1 AND t.reusable AND t.state = 'completed' AND (?2 IS NULL OR r.id <> ?2)"
                 " ORDER BY t.finished DESC LIMIT 1",
                 "ss", key, not_in_run),
        &FULL_FORM, "a finished stage with the key", key, err);
}

int store_stage_last(struct store *s, const char *run)
{
    int64_t first = store_row_id(s, run, 0, NULL);
    sqlite3_stmt *stmt =
        first < 0 ? NULL
                  : sql_bind(s, NULL, "read",
                             "SELECT id % 1048576 FROM stage WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT 1", "ii",
                             first, first + STORE_SEQ_SPAN - 1);
    int last = stmt && sql_step(s, stmt, "read", NULL) == 1 ? sqlite3_column_int(stmt, 0) : 0;
    sql_done(stmt);
    return last;
}

json_t *store_stage_list_new(struct store *s, const char *run, bool bodies, struct err *err)
{
    int64_t first = store_row_id(s, run, 0, err), last = first + STORE_SEQ_SPAN - 1;
    if (first < 0)
        return err && err->code == ERR_NOT_FOUND ? json_array() : NULL;
    if (bodies)
        return sql_rows_new(s,
                            sql_bind(s, err, "read",
                                     "SELECT " COLUMNS BODIES
                                     " FROM stage t WHERE t.id BETWEEN ?2 AND ?3 ORDER BY t.id",
                                     "sii", run, first, last),
                            &FULL_FORM, err);
    return sql_rows_new(s,
                        sql_bind(s, err, "read",
                                 "SELECT " COLUMNS " FROM stage t WHERE t.id BETWEEN ?2 AND ?3 ORDER BY t.id", "sii",
                                 run, first, last),
                        &SHORT_FORM, err);
}
