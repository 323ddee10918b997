// Values that a script publishes: they stand in the journal of its calls.
#include "store/sql.h"

static const struct row_form PUBLISHED_FORM = {"call", "task n:i answer:j at_ns:i", "task"};

json_t *store_published_new(struct store *s, const char *run, struct err *err)
{
    int64_t number = store_number(s, run, err);
    if (number < 0)
        return NULL;
    AUTO_JSON json_t *rows =
        sql_rows_new(s,
                     sql_bind(s, err, "read",
                              "SELECT id, task, n, answer, at, ?1 AS run FROM call WHERE run = ?2 AND"
                              " op = 'publish' ORDER BY id",
                              "si", run, number),
                     &PUBLISHED_FORM, err);
    if (!rows)
        return NULL;
    json_t *values = json_object(), *row;
    size_t i;
    json_array_foreach (rows, i, row) {
        const json_t *answer = json_obj(row, "answer");
        json_t *one = json_object(), *value = json_object_get(answer, "value");
        json_put(one, "value", value ? json_incref(value) : json_null());
        json_put_int(one, "at_ns", json_int(row, "at_ns", 0));
        json_put(values, json_str(answer, "name", "?"), one); // the newest counts
    }
    return values;
}
