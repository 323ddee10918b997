// Runs below a run.
#include "store/sql.h"

static const struct row_form CHILD_FORM = {"runs", "id workflow state project created_ns:i finished_ns:i", "id"};

json_t *store_run_children_new(struct store *s, const char *run, bool unfinished, struct err *err)
{
    if (unfinished)
        return sql_rows_new(
            s,
            sql_bind(s, err, "read",
                     "SELECT rowid, id, workflow, state, project, created, finished FROM runs WHERE parent = ?"
                     " AND finished IS NULL ORDER BY rowid",
                     "s", run),
            &CHILD_FORM, err);
    return sql_rows_new(
        s,
        sql_bind(s, err, "read",
                 "SELECT rowid, id, workflow, state, project, created, finished FROM runs WHERE parent = ?"
                 " ORDER BY rowid",
                 "s", run),
        &CHILD_FORM, err);
}
