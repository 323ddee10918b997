// What runs have set aside and used up: one row for each kind, of runs that have limits or stand above one that spends.
#include "store/sql.h"

static const struct row_form LEDGER_FORM = {"ledger", "kind reserved:i used:i", "kind"};

int store_ledger_add(struct store *s, const char *run, const char *kind, int64_t reserved, int64_t used,
                     struct err *err)
{
    int64_t n = store_number(s, run, err);
    if (n < 0)
        return (int)n;
    int r = sql_run(
        s, err, "write to",
        "INSERT INTO ledger (run, kind, reserved, used) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (run, kind) DO UPDATE"
        " SET reserved = reserved + ?3, used = used + ?4",
        "isii", n, kind, reserved, used);
    return r < 0 ? r : 0;
}

json_t *store_ledger_new(struct store *s, const char *run, struct err *err)
{
    int64_t n = store_number(s, run, err);
    if (n < 0)
        return NULL;
    AUTO_JSON json_t *rows =
        sql_rows_new(s, sql_bind(s, err, "read", "SELECT id, kind, reserved, used FROM ledger WHERE run = ?", "i", n),
                     &LEDGER_FORM, err);
    if (!rows)
        return NULL;
    json_t *ledger = json_object(), *row;
    size_t i;
    json_array_foreach (rows, i, row)
        json_put(ledger, json_str(row, "kind", ""), json_incref(row));
    return ledger;
}
