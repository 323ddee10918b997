// Taking up a run again that has ended, or with another script. What its script asked for becomes a stock of answers
// that the new one takes from (task "@old …"); stages are found by their keys, so that order and place do not matter.
#include "store/sql.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

#define OLD "@old "

int store_run_check_reopen(const json_t *record, struct err *err)
{
    static const enum run_state MAY[] = {RUN_RUNNING,   RUN_WAITING,   RUN_LOST,        RUN_DIVERGED,        RUN_FAILED,
                                         RUN_CANCELLED, RUN_TIMED_OUT, RUN_OVER_BUDGET, RUN_NEEDS_DISCUSSION};
    enum run_state state = RUN_QUEUED;
    run_state_from_name(json_str(record, "state", ""), &state);
    for (size_t i = 0; i < ARRAY_LEN(MAY); i++)
        if (MAY[i] == state)
            return 0;
    return err_set(err, ERR_STATE, "run '%s' is %s and cannot be taken up again", json_str(record, "id", "?"),
                   run_state_name(state));
}

static int open_run(struct store *s, const char *id, const struct store_reopen *how, struct err *err)
{
    int64_t now = clock_wall_ns();
    return sql_run(
        s, err, "write to",
        "UPDATE runs SET state = 'running', result = NULL, cancel = NULL, finished = NULL, updated = ?1, started = ?1,"
        " script_hash = coalesce(?2, script_hash), agents = coalesce(?3, agents), options = coalesce(?4, options)"
        " WHERE id = ?5",
        "isjjs", now, how->script_hash, how->agents, how->options, id);
}

static int stock_calls(struct store *s, int64_t n, const json_t *again, struct err *err)
{
    size_t i;
    json_t *call;
    int r = sql_run(s, err, "write to", "DELETE FROM call WHERE run = ? AND task LIKE '" OLD "%'", "i", n);
    json_array_foreach (again, i, call)
        if (r >= 0)
            r = sql_run(s, err, "write to", "DELETE FROM call WHERE run = ? AND task = ? AND n = ?", "isi", n,
                        json_str(call, "task", ""), json_int(call, "n", -1));
    if (r >= 0)
        r = sql_run(s, err, "write to",
                    "DELETE FROM call WHERE run = ? AND task <> 'engine' AND (op IN ('stage', 'gate', 'on_failure') OR "
                    "task LIKE '%~')",
                    "i", n);
    if (r >= 0) // the script asks for its stages anew
        r = sql_run(s, err, "write to", "UPDATE stage SET asked = NULL WHERE id BETWEEN ? AND ? AND asked IS NOT NULL",
                    "ii", n * STORE_SEQ_SPAN, (n + 1) * STORE_SEQ_SPAN - 1);
    if (r >= 0)
        r = sql_run(s, err, "write to", "UPDATE call SET task = '" OLD "' || task WHERE run = ? AND task <> 'engine'",
                    "i", n);
    return r;
}

// What is to be executed again keeps its row, but answers no more; so does what was under way.
static int void_stages(struct store *s, int64_t n, const json_t *again, struct err *err)
{
    size_t i;
    json_t *seq;
    int r = sql_run(s, err, "write to",
                    "UPDATE stage SET state = 'cancelled', finished = ?, key = 'void ' || key WHERE id BETWEEN ? AND ?"
                    " AND state = 'reserved'",
                    "iii", clock_wall_ns(), n * STORE_SEQ_SPAN, (n + 1) * STORE_SEQ_SPAN - 1);
    json_array_foreach (again, i, seq)
        if (r >= 0)
            r = sql_run(s, err, "write to",
                        "UPDATE stage SET key = 'void ' || key WHERE id = ? AND key NOT LIKE 'void %'", "i",
                        n * STORE_SEQ_SPAN + json_integer_value(seq));
    return r;
}

int store_run_reopen(struct store *s, const char *id, const struct store_reopen *how, struct err *err)
{
    int64_t n = store_number(s, id, err);
    int r = n < 0 ? (int)n : sql_begin(s, err);
    if (r < 0)
        return r;
    AUTO_JSON json_t *record = store_run_get_new(s, id, err);
    r = record ? store_run_check_reopen(record, err) : -(int)err->code;
    if (r >= 0)
        r = open_run(s, id, how, err);
    if (r >= 0)
        r = stock_calls(s, n, how->calls, err);
    if (r >= 0)
        r = void_stages(s, n, how->stages, err);
    if (r >= 0)
        r = store_event_add(s, id, EVENT_RUN_REOPENED, how->facts, NULL, err);
    r = sql_end(s, r, err);
    return r < 0 ? r : 0;
}

json_t *store_call_take_old_new(struct store *s, const char *run, const char *task, const char *op,
                                const char *request_hash, struct err *err)
{
    static const struct row_form FORM = {"call", "task n:i answer:j", "task"};
    int64_t n = store_number(s, run, err);
    AUTO_FREE char *old = str_printf(OLD "%s", task);
    if (n < 0)
        return NULL;
    AUTO_JSON json_t *row = sql_row_new(s,
                                        sql_bind(s, err, "read",
                                                 "SELECT id, task, n, answer, ?1 AS run FROM call WHERE run = ?2 AND "
                                                 "task = ?3 AND op = ?4 AND request_hash = ?5"
                                                 " ORDER BY n LIMIT 1",
                                                 "sisss", run, n, old, op, request_hash),
                                        &FORM, "an earlier call of task", task, err);
    if (!row || sql_run(s, err, "write to", "DELETE FROM call WHERE run = ? AND task = ? AND n = ?", "isi", n, old,
                        json_int(row, "n", -1)) < 0)
        return NULL;
    return json_incref(json_object_get(row, "answer"));
}
