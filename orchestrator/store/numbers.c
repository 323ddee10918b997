// Run ids and their numbers. Rows of a run are stored under its number: n * STORE_SEQ_SPAN + seq for stages and
// handoffs.
#include "store/sql.h"

#include "base/str.h"

#include <string.h>

static size_t slot_of(const char *id)
{
    uint32_t h = 2166136261u;
    for (; *id; id++)
        h = (h ^ (unsigned char)*id) * 16777619u;
    return h % STORE_NUMBERS_MAX;
}

void store_number_known(struct store *s, const char *id, int64_t n)
{
    struct store_number *slot = &s->numbers[slot_of(id)];
    if (strlen(id) < sizeof(slot->id)) {
        strcpy(slot->id, id);
        slot->n = n;
    }
}

void store_numbers_forget(struct store *s)
{
    memset(s->numbers, 0, sizeof(s->numbers));
}

int64_t store_number(struct store *s, const char *id, struct err *err)
{
    const struct store_number *slot = &s->numbers[slot_of(id ? id : "")];
    if (id && slot->n && str_eq(slot->id, id))
        return slot->n;
    sqlite3_stmt *stmt = sql_bind(s, err, "read", "SELECT n FROM runs WHERE id = ?", "s", id);
    if (!stmt)
        return -ERR_IO;
    int r = sql_step(s, stmt, "read", err);
    int64_t n = r == 1 ? sqlite3_column_int64(stmt, 0) : r;
    sql_done(stmt);
    if (r == 0)
        return err_set(err, ERR_NOT_FOUND, "run '%s' does not exist", id ? id : "");
    if (r == 1)
        store_number_known(s, id, n);
    return n;
}

int64_t store_row_id(struct store *s, const char *run, int seq, struct err *err)
{
    if (seq < 0 || seq >= STORE_SEQ_SPAN)
        return err_set(err, ERR_LIMIT, "run '%s': number %d is not between 0 and %d", run, seq, STORE_SEQ_SPAN - 1);
    int64_t n = store_number(s, run, err);
    return n < 0 ? n : n * STORE_SEQ_SPAN + seq;
}
