// Rows as JSON objects, and what happens with a row that cannot be read.
#include "store/sql.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"

#include <string.h>

#define LOST_TEXT_MAX 4096

void store_lost(struct store *s, enum event_kind kind, const char *run, const char *source, const char *ref,
                const char *reason, const char *text)
{
    AUTO_JSON json_t *body = json_pack("{s:s, s:s}", "source", source, "reason", reason);
    if (!body)
        body = json_object();
    json_put_str(body, "ref", ref);
    s->losses++;
    log_fact(LOG_ERROR, event_kind_name(kind), "source", source, "ref", ref, "reason", reason, NULL);
    struct err err;
    if (sql_begin(s, &err) < 0)
        return;
    AUTO_JSON json_t *clean = json_text_new(text, strnlen(text, LOST_TEXT_MAX));
    int r = sql_run(s, &err, "write to", "INSERT INTO lost_found (at, source, ref, reason, text) VALUES (?,?,?,?,?)",
                    "issss", clock_wall_ns(), source, ref, reason, json_string_value(clean));
    if (r >= 0)
        r = store_event_add(s, run, kind, body, NULL, &err);
    sql_end(s, r, &err);
}

// One column at a time, as "name=value" lines: what is left of a record, for people.
static char *dump_row(sqlite3_stmt *stmt)
{
    struct buf b = BUF_MAX(LOST_TEXT_MAX);
    for (int i = 0; i < sqlite3_column_count(stmt); i++) {
        buf_printf(&b, "%s=", sqlite3_column_name(stmt, i));
        const void *data = sqlite3_column_blob(stmt, i);
        if (data)
            buf_add(&b, data, (size_t)sqlite3_column_bytes(stmt, i));
        buf_char(&b, '\n');
    }
    return buf_steal(&b);
}

struct lost_row {
    int64_t rowid;
    const char *table; // it leaves this one
    char *reason, *text, *ref, *run;
};

// A run stays visible with its texts emptied, a stage without its handoff; records of other tables leave their table.
static void move_lost(struct store *s, const struct lost_row *lost)
{
    struct err err;
    if (sql_begin(s, &err) < 0)
        return;
    bool is_run = str_eq(lost->table, "runs");
    AUTO_FREE char *sql =
        is_run ? str_printf("UPDATE runs SET params='{}', agents='{}', options=NULL, result=NULL, state='lost',"
                            " finished=%lld WHERE rowid=%lld",
                            (long long)clock_wall_ns(), (long long)lost->rowid)
        : str_eq(lost->table, "handoff")
            ? str_printf("UPDATE stage SET body=NULL WHERE rowid=%lld", (long long)lost->rowid)
            : str_printf("DELETE FROM %s WHERE rowid=%lld", lost->table, (long long)lost->rowid);
    // Its event comes first: the id of a lost event is not given once more.
    store_lost(s, EVENT_RECORD_LOST, is_run ? lost->ref : lost->run, lost->table, lost->ref, lost->reason, lost->text);
    int r = sql_text(s, sql, "clean", &err);
    sql_end(s, r, &err);
}

static json_t *column_new(sqlite3_stmt *stmt, int at, char type, const char *name, struct buf *reason)
{
    if (sqlite3_column_type(stmt, at) == SQLITE_NULL)
        return json_null();
    if (type == 'i')
        return json_integer(sqlite3_column_int64(stmt, at));
    const char *text = (const char *)sqlite3_column_text(stmt, at);
    size_t len = (size_t)sqlite3_column_bytes(stmt, at);
    if (type == 'j') {
        struct err err = {0};
        json_t *v = json_parse_new(text ? text : "", len, name, &err);
        if (!v)
            buf_str_add(reason, err.text);
        return v;
    }
    if (!text || !str_utf8_valid(text, len)) {
        buf_printf(reason, "'%s' is not UTF-8 text", name);
        return NULL;
    }
    return json_stringn(text, len);
}

// *ret_bad: the column that cannot be read.
static json_t *read_row(sqlite3_stmt *stmt, const struct row_form *form, int *ret_bad, struct buf *reason)
{
    json_t *row = json_object();
    const char *p = form->columns;
    for (int at = 1; *p; at++) {
        size_t len = strcspn(p, " ");
        char name[32];
        must(len < sizeof(name));
        memcpy(name, p, len);
        name[len] = '\0';
        char *colon = strchr(name, ':');
        char type = colon ? colon[1] : 's';
        if (colon)
            *colon = '\0';
        json_t *v = column_new(stmt, at, type, name, reason);
        if (!v) {
            *ret_bad = at;
            json_decref(row);
            return NULL;
        }
        json_put(row, name, v);
        p += len + strspn(p + len, " ");
    }
    return row;
}

static char *column_copy(sqlite3_stmt *stmt, const char *name)
{
    for (int i = 0; i < sqlite3_column_count(stmt); i++) {
        if (!str_eq(sqlite3_column_name(stmt, i), name))
            continue;
        const unsigned char *text = sqlite3_column_text(stmt, i);
        if (!text)
            return NULL;
        json_t *clean = json_text_new((const char *)text, (size_t)sqlite3_column_bytes(stmt, i));
        char *copy = str_dup(json_string_value(clean));
        json_decref(clean);
        return copy;
    }
    return NULL;
}

// Of a stage that is read with its handoff, only the handoff goes when that is what is damaged.
static struct lost_row note_lost(sqlite3_stmt *stmt, const struct row_form *form, int bad, struct buf *reason)
{
    struct lost_row lost = {
        .rowid = sqlite3_column_int64(stmt, 0), .table = form->table, .run = column_copy(stmt, "run")};
    lost.reason = buf_steal(reason);
    if (str_eq(form->table, "stage") && str_eq(sqlite3_column_name(stmt, bad), "body")) {
        lost.table = "handoff";
        lost.ref = str_printf("stage %lld", (long long)(lost.rowid % STORE_SEQ_SPAN));
        const void *data = sqlite3_column_blob(stmt, bad);
        lost.text = data ? str_ndup(data, strnlen(data, (size_t)sqlite3_column_bytes(stmt, bad))) : str_dup("");
        return lost;
    }
    lost.ref = column_copy(stmt, form->ref);
    if (!lost.ref)
        lost.ref = str_printf("row %lld", (long long)lost.rowid);
    lost.text = dump_row(stmt);
    return lost;
}

static json_t *rows(struct store *s, sqlite3_stmt *stmt, const struct row_form *form, size_t max, struct err *err)
{
    if (!stmt)
        return NULL;
    json_t *list = json_array();
    VEC(struct lost_row) lost = {0};
    int r = 0;
    while (json_array_size(list) < max && (r = sql_step(s, stmt, "read", err)) == 1) {
        struct buf reason = BUF_INIT;
        int bad = 0;
        json_t *row = read_row(stmt, form, &bad, &reason);
        if (row)
            must(json_array_append_new(list, row) == 0);
        else
            vec_push(&lost, note_lost(stmt, form, bad, &reason));
        buf_free(&reason);
    }
    sql_done(stmt);
    for (size_t i = 0; i < lost.len; i++) {
        move_lost(s, &lost.items[i]);
        mem_free(lost.items[i].ref);
        mem_free(lost.items[i].run);
        mem_free(lost.items[i].text);
        mem_free(lost.items[i].reason);
    }
    vec_free(&lost);
    if (r >= 0)
        return list;
    json_decref(list);
    return NULL;
}

json_t *sql_rows_new(struct store *s, sqlite3_stmt *stmt, const struct row_form *form, struct err *err)
{
    return rows(s, stmt, form, STORE_LIST_MAX, err);
}

json_t *sql_row_new(struct store *s, sqlite3_stmt *stmt, const struct row_form *form, const char *what,
                    const char *name, struct err *err)
{
    json_t *list = rows(s, stmt, form, 1, err);
    if (!list)
        return NULL;
    json_t *row = json_incref(json_array_get(list, 0));
    json_decref(list);
    if (!row)
        err_set(err, ERR_NOT_FOUND, "%s '%s' does not exist", what, name);
    return row;
}
