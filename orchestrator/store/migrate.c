// The schema and its versions (PRAGMA user_version). A step is never changed once released: add another one.
#include "store/sql.h"

#include "base/mem.h"
#include "base/str.h"

#define APPLICATION_ID 0x4261746E // "Batn"

static const char *const STEPS[] = {
    // 1
    ("CREATE TABLE runs (id TEXT NOT NULL PRIMARY KEY, workflow TEXT NOT NULL, script_hash TEXT NOT NULL,"
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
     " ref TEXT NOT NULL, reason TEXT NOT NULL, text TEXT NOT NULL) STRICT;"),
    // 2: runs have numbers, and rows of a run lie side by side: a commit of many runs touches few pages. The views show
    // rows with the names of their runs, for people and tests.
    ("CREATE TABLE runs2 (n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, workflow TEXT NOT NULL, script_hash TEXT NOT "
     "NULL,"
     " project TEXT NOT NULL, key TEXT, caller TEXT, parent TEXT, params TEXT NOT NULL, agents TEXT NOT NULL,"
     " options TEXT, state TEXT NOT NULL, result TEXT, cancel TEXT, created INTEGER NOT NULL, updated INTEGER NOT NULL,"
     " finished INTEGER, owner TEXT) STRICT;"
     "INSERT INTO runs2 SELECT rowid, id, workflow, script_hash, project, key, caller, parent, params, agents, "
     "options, "
     "state,"
     " result, cancel, created, updated, finished, NULL FROM runs;"
     "DROP TABLE runs; ALTER TABLE runs2 RENAME TO runs;"
     "CREATE UNIQUE INDEX runs_key ON runs (key) WHERE key IS NOT NULL;"
     "CREATE INDEX runs_open ON runs (n) WHERE finished IS NULL;"
     "CREATE INDEX runs_project ON runs (project);"
     "CREATE INDEX runs_parent ON runs (parent) WHERE parent IS NOT NULL;"

     "CREATE TABLE stage (id INTEGER PRIMARY KEY, key TEXT NOT NULL, occurrence INTEGER NOT NULL, task TEXT NOT NULL,"
     " agent TEXT NOT NULL, mode TEXT, attempt INTEGER NOT NULL, lease TEXT NOT NULL, request TEXT NOT NULL,"
     " state TEXT NOT NULL, handoff_id TEXT, receipts TEXT, worker TEXT, reused_from TEXT, created INTEGER NOT NULL,"
     " finished INTEGER, reusable INTEGER NOT NULL) STRICT;"
     "INSERT INTO stage SELECT r.n * 1048576 + s.seq, s.key, s.occurrence, s.task, s.agent, s.mode, s.attempt, s.lease,"
     " s.request, s.state, s.handoff_id, s.receipts, s.worker, s.reused_from, s.created, s.finished, 1"
     " FROM stages s JOIN runs r ON r.id = s.run;"
     "DROP TABLE stages;"
     "CREATE INDEX stage_reusable ON stage (key) WHERE reusable;"
     "CREATE VIEW stages AS SELECT r.id AS run, s.id % 1048576 AS seq, s.key, s.occurrence, s.task, s.agent, s.mode, "
     "s.attempt,"
     " s.lease, s.request, s.state, s.handoff_id, s.receipts, s.worker, s.reused_from, s.created, s.finished, "
     "s.reusable"
     " FROM stage s JOIN runs r ON r.n = s.id / 1048576;"

     "CREATE TABLE handoff (id INTEGER PRIMARY KEY, name TEXT NOT NULL, body TEXT NOT NULL, created INTEGER NOT NULL) "
     "STRICT;"
     "INSERT INTO handoff SELECT r.n * 1048576 + h.seq, h.id, h.body, h.created FROM handoffs h JOIN runs r ON r.id = "
     "h.run"
     " WHERE h.seq > 0;"
     "DROP TABLE handoffs;"
     "CREATE VIEW handoffs AS SELECT r.id AS run, h.name AS id, h.id % 1048576 AS seq, h.body, h.created"
     " FROM handoff h JOIN runs r ON r.n = h.id / 1048576;"

     "CREATE TABLE call (id INTEGER PRIMARY KEY, run INTEGER NOT NULL, task TEXT NOT NULL, n INTEGER NOT NULL, op TEXT "
     "NOT NULL,"
     " request_hash TEXT NOT NULL, answer TEXT NOT NULL, at INTEGER NOT NULL) STRICT;"
     "INSERT INTO call SELECT c.rowid, r.n, c.task, c.n, c.op, c.request_hash, c.answer, c.at FROM calls c"
     " JOIN runs r ON r.id = c.run;"
     "DROP TABLE calls;"
     "CREATE UNIQUE INDEX call_place ON call (run, task, n);"
     "CREATE VIEW calls AS SELECT r.id AS run, c.task, c.n, c.op, c.request_hash, c.answer, c.at"
     " FROM call c JOIN runs r ON r.n = c.run;"

     "CREATE TABLE event (id INTEGER PRIMARY KEY, run INTEGER, kind TEXT NOT NULL, at INTEGER NOT NULL, body TEXT NOT "
     "NULL)"
     " STRICT;"
     "INSERT INTO event SELECT e.id, r.n, e.kind, e.at, e.body FROM events e LEFT JOIN runs r ON r.id = e.run;"
     "DROP TABLE events;"
     "CREATE INDEX event_run ON event (run, id) WHERE run IS NOT NULL;"
     "CREATE VIEW events AS SELECT e.id, r.id AS run, e.kind, e.at, e.body FROM event e LEFT JOIN runs r ON r.n = "
     "e.run;"),
    // 3: when a run left the queue
    "ALTER TABLE runs ADD COLUMN started INTEGER",
    // 4: budgets
    ("CREATE TABLE ledger (id INTEGER PRIMARY KEY, run INTEGER NOT NULL, kind TEXT NOT NULL, reserved INTEGER NOT NULL,"
     " used INTEGER NOT NULL, UNIQUE (run, kind)) STRICT"),
    // 5: schedules
    ("CREATE TABLE schedules (n INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, cron TEXT NOT NULL, zone TEXT NOT NULL,"
     " request TEXT NOT NULL, overlap TEXT NOT NULL, catch_up TEXT NOT NULL, paused INTEGER NOT NULL,"
     " created INTEGER NOT NULL, handled INTEGER NOT NULL, pending INTEGER, last_run TEXT, last INTEGER) STRICT;"),
    // 6: effects outside of the journal
    ("CREATE TABLE outbox (id INTEGER PRIMARY KEY, run INTEGER NOT NULL, key TEXT NOT NULL UNIQUE, kind TEXT NOT NULL,"
     " target TEXT NOT NULL, body TEXT NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL, next INTEGER NOT NULL,"
     " created INTEGER NOT NULL, updated INTEGER NOT NULL, error TEXT) STRICT;"
     "CREATE INDEX outbox_waiting ON outbox (kind, next) WHERE state = 'waiting';"),
    // 7: what became of the last time of a schedule
    "ALTER TABLE schedules ADD COLUMN outcome TEXT",
    // 8: a stage is one row, with its handoff and, when `asked` is there, its call: number n of its task, asked of that
    // worker program. So a commit touches few pages.
    ("ALTER TABLE stage ADD COLUMN n INTEGER;"
     "ALTER TABLE stage ADD COLUMN asked TEXT;"
     "ALTER TABLE stage ADD COLUMN body TEXT;"
     "UPDATE stage SET body = h.body FROM handoff h WHERE h.id = stage.id AND h.name = stage.handoff_id;"
     "DROP VIEW handoffs; DROP TABLE handoff;"
     "CREATE VIEW handoffs AS SELECT r.id AS run, s.handoff_id AS id, s.id % 1048576 AS seq, s.body, s.finished AS "
     "created"
     " FROM stage s JOIN runs r ON r.n = s.id / 1048576 WHERE s.body IS NOT NULL;"
     "DROP VIEW calls;"
     "CREATE VIEW calls AS SELECT r.id AS run, c.task, c.n, c.op, c.request_hash, c.answer, c.at"
     " FROM call c JOIN runs r ON r.n = c.run UNION ALL"
     " SELECT r.id, s.task, s.n, 'stage', s.key,"
     " json_object('key', s.key, 'worker', s.asked, 'occurrence', s.occurrence), s.created"
     " FROM stage s JOIN runs r ON r.n = s.id / 1048576 WHERE s.asked IS NOT NULL;"),
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
    if (sqlite3_db_readonly(s->db, "main") > 0)
        return err_set(
            err, ERR_UNSUPPORTED,
            "the journal '%s' is of an older baton (schema %lld, this one knows %zu) and has to be brought up "
            "to date, but it is read-only here; copy it to another folder and set BATON_STATE to that",
            s->db_path, (long long)version, ARRAY_LEN(STEPS));
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
