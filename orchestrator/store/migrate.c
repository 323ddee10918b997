// The schema and its versions (PRAGMA user_version). A step is never changed once released: add another one.
#include "store/sql.h"

#include "base/mem.h"
#include "base/str.h"

#define APPLICATION_ID 0x4261746E // "Batn"

static const char *const STEPS[] = {
    // 1
    "CREATE TABLE runs (id TEXT NOT NULL PRIMARY KEY, workflow TEXT NOT NULL, script_hash TEXT NOT NULL,"
    " project TEXT NOT NULL, key TEXT UNIQUE, caller TEXT, parent TEXT, params TEXT NOT NULL, agents TEXT NOT NULL,"
    " options TEXT, state TEXT NOT NULL, result TEXT, cancel TEXT, created INTEGER NOT NULL, updated INTEGER NOT NULL,"
    " finished INTEGER) STRICT;"
    "CREATE INDEX runs_state ON runs (state);"
    "CREATE INDEX runs_project ON runs (project);"
    "CREATE TABLE stages (run TEXT NOT NULL, seq INTEGER NOT NULL, key TEXT NOT NULL, occurrence INTEGER NOT NULL,"
    " task TEXT NOT NULL, agent TEXT NOT NULL, mode TEXT, attempt INTEGER NOT NULL, lease TEXT NOT NULL,"
    " request TEXT NOT NULL, state TEXT NOT NULL, handoff_id TEXT, receipts TEXT, worker TEXT, reused_from TEXT,"
    " created INTEGER NOT NULL, finished INTEGER, PRIMARY KEY (run, seq), UNIQUE (key, run, occurrence)) STRICT;"
    "CREATE TABLE handoffs (run TEXT NOT NULL, id TEXT NOT NULL, seq INTEGER NOT NULL, body TEXT NOT NULL,"
    " created INTEGER NOT NULL, PRIMARY KEY (run, id)) STRICT;"
    "CREATE INDEX handoffs_id ON handoffs (id);"
    "CREATE TABLE calls (run TEXT NOT NULL, task TEXT NOT NULL, n INTEGER NOT NULL, op TEXT NOT NULL,"
    " request_hash TEXT NOT NULL, answer TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (run, task, n)) STRICT;"
    "CREATE TABLE events (id INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT, kind TEXT NOT NULL, at INTEGER NOT NULL,"
    " body TEXT NOT NULL) STRICT;"
    "CREATE INDEX events_run ON events (run, id);"
    "CREATE TABLE inbox (id INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL, kind TEXT NOT NULL,"
    " at INTEGER NOT NULL, body TEXT NOT NULL) STRICT;"
    "CREATE INDEX inbox_run ON inbox (run, id);"
    "CREATE TABLE artifacts (run TEXT NOT NULL, seq INTEGER NOT NULL, name TEXT NOT NULL, hash TEXT NOT NULL,"
    " media TEXT, bytes INTEGER NOT NULL, PRIMARY KEY (run, seq, name)) STRICT;"
    "CREATE INDEX artifacts_hash ON artifacts (hash);"
    "CREATE TABLE lost_found (id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, source TEXT NOT NULL,"
    " ref TEXT NOT NULL, reason TEXT NOT NULL, text TEXT NOT NULL) STRICT;",
};

static int pragma_int(struct store *s, const char *sql, int64_t *ret, struct err *err)
{
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(s->db, sql, -1, &stmt, NULL) != SQLITE_OK || sqlite3_step(stmt) != SQLITE_ROW) {
        int r = sql_fail(s, err, "read the version of");
        sqlite3_finalize(stmt);
        return r;
    }
    *ret = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return 0;
}

int store_migrate(struct store *s, struct err *err)
{
    int64_t version = 0, application = 0, objects = 0;
    if (pragma_int(s, "PRAGMA user_version", &version, err) < 0 ||
        pragma_int(s, "PRAGMA application_id", &application, err) < 0 ||
        pragma_int(s, "SELECT count(*) FROM sqlite_schema", &objects, err) < 0)
        return -(int)err->code;
    if (objects > 0 && application != APPLICATION_ID)
        return err_set(err, ERR_INVALID, "'%s' is a database of another program; give Baton a state folder of its own",
                       s->db_path);
    if (version > (int64_t)ARRAY_LEN(STEPS))
        return err_set(err, ERR_UNSUPPORTED,
                       "the journal '%s' was written by a newer baton (schema %lld, this one knows %zu); use that "
                       "version, or another state folder",
                       s->db_path, (long long)version, ARRAY_LEN(STEPS));
    if (version == (int64_t)ARRAY_LEN(STEPS))
        return 0;
    int r = sql_begin(s, err);
    if (r < 0)
        return r;
    for (size_t i = version > 0 ? (size_t)version : 0; i < ARRAY_LEN(STEPS) && r >= 0; i++)
        r = sql_text(s, STEPS[i], "bring up to date", err);
    if (r >= 0) {
        AUTO_FREE char *stamp =
            str_printf("PRAGMA application_id = %d; PRAGMA user_version = %zu", APPLICATION_ID, ARRAY_LEN(STEPS));
        r = sql_text(s, stamp, "bring up to date", err);
    }
    return sql_end(s, r, err);
}
