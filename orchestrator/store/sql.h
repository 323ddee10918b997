// Inside the store only: the connection, cached statements, transactions, rows as JSON, lost records.
#pragma once

#include "store/store.h"

#include "base/attr.h"

#include <sqlite3.h>

#define STORE_STATEMENTS_MAX 128
#define STORE_BUSY_MS        15000
#define STORE_NUMBERS_MAX    1024      // run numbers that are remembered
#define STORE_SEQ_SPAN       (1 << 20) // rows that a run can have in a table

struct store_number {
    char id[56];
    int64_t n; // 0: free
};

struct store_owner;

struct store {
    sqlite3 *db;
    char *dir, *db_path;
    struct {
        const char *sql; // compared by address: every statement is a literal used at one place
        sqlite3_stmt *stmt;
    } cache[STORE_STATEMENTS_MAX];
    size_t n_cache;
    int64_t losses; // records that this process could not read
    bool batch;     // opened by store_begin
    int depth;      // transactions inside it
    int64_t data_version;
    json_t *durable; // artifacts this process has synced, hash -> true
    struct store_number numbers[STORE_NUMBERS_MAX];
    struct store_owner *owner; // NULL until this process owns a run
};

// Text for a failed SQLite call; what happens next is up to the caller.
int sql_fail(struct store *s, struct err *err, const char *what);

// Prepares (once) and binds. Types: s text or NULL (must live until sql_done), i int64_t, j const json_t * or NULL
// (compact text). NULL with err on failure. Borrowed; sql_done() when finished with it.
sqlite3_stmt *sql_bind(struct store *s, struct err *err, const char *what, const char *sql, const char *types, ...);
int sql_step(struct store *s, sqlite3_stmt *stmt, const char *what, struct err *err); // 1 row, 0 end, negative error
void sql_done(sqlite3_stmt *stmt);
// One that gives no rows. Returns the number of changed rows. -ERR_EXISTS for a broken uniqueness.
#define sql_run(s, err, what, ...) sql_run_stmt((s), sql_bind((s), (err), (what), __VA_ARGS__), (what), (err))
int sql_run_stmt(struct store *s, sqlite3_stmt *stmt, const char *what, struct err *err);
// Statement text without parameters, not cached.
int sql_text(struct store *s, const char *sql, const char *what, struct err *err);

// A transaction of its own, or a savepoint inside an open batch. sql_end commits when r >= 0, else undoes, and
// returns r
// or the error of the commit.
int sql_begin(struct store *s, struct err *err);
int sql_end(struct store *s, int r, struct err *err);

// Rows as objects. The first column of the statement must be the rowid; the others follow `columns`:
// "name" text, "name:i" integer, "name:j" JSON text; separated by blanks.
struct row_form {
    const char *table, *columns;
    const char *ref; // name of the column that stands in the event of a lost record
};
// All rows of `stmt` as an array (the statement is done after). Unreadable ones go to lost_found.
json_t *sql_rows_new(struct store *s, sqlite3_stmt *stmt, const struct row_form *form, struct err *err);
// First row or NULL with ERR_NOT_FOUND "<what> '<name>' …".
json_t *sql_row_new(struct store *s, sqlite3_stmt *stmt, const struct row_form *form, const char *what,
                    const char *name, struct err *err);

int store_migrate(struct store *s, struct err *err);
// Records something that is gone: row in lost_found and an event. Never fails loudly.
void store_lost(struct store *s, enum event_kind kind, const char *run, const char *source, const char *ref,
                const char *reason, const char *text);

// The number of a run, from 1; negative error. Forgotten when anything is undone.
int64_t store_number(struct store *s, const char *id, struct err *err);
void store_number_known(struct store *s, const char *id, int64_t n);
void store_numbers_forget(struct store *s);
int64_t store_row_id(struct store *s, const char *run, int seq, struct err *err);

// The calls that stand in the rows of their stages, as store_call_list_new() gives them.
json_t *store_stage_calls_new(struct store *s, const char *run, struct err *err);

// Drops the ownership of all runs; for store_close.
void store_owner_free(struct store *s);

// Checks of what comes from outside.
int store_check_id(const char *id, const char *what, struct err *err);
int store_check_text(const char *text, size_t max, const char *what, struct err *err); // NULL is refused
