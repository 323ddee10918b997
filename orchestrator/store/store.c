// Opening and closing, batches, and the helpers of sql.h.
#include "store/sql.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOOKASIDE_BYTES = 1024, LOOKASIDE_PIECES = 256 };

int sql_fail(struct store *s, struct err *err, const char *what)
{
    int code = sqlite3_errcode(s->db);
    switch (code & 0xFF) {
    case SQLITE_FULL:
        return err_set(err, ERR_IO, "cannot %s the journal '%s': the disk is full; free some space and try again", what,
                       s->db_path);
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return err_set(err, ERR_DENIED,
                       "cannot %s the journal '%s': it is read-only for this user; check its owner and mode", what,
                       s->db_path);
    case SQLITE_CANTOPEN:
        return err_set(
            err, ERR_IO,
            "cannot %s the journal '%s': the file cannot be opened; check that its folder exists and is writable", what,
            s->db_path);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return err_set(err, ERR_UNAVAILABLE, "cannot %s the journal '%s': another process kept it locked for %d s",
                       what, s->db_path, STORE_BUSY_MS / 1000);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return err_set(err, ERR_PARSE,
                       "cannot %s the journal '%s': the file is damaged (%s); make a copy of it, and read what is "
                       "whole with: sqlite3 '%s' .recover",
                       what, s->db_path, sqlite3_errmsg(s->db), s->db_path);
    case SQLITE_CONSTRAINT:
        return err_set(err, ERR_EXISTS, "cannot %s the journal '%s': such a record is there (%s)", what, s->db_path,
                       sqlite3_errmsg(s->db));
    default: {
        int sys = sqlite3_system_errno(s->db);
        return err_set(err, ERR_IO, "cannot %s the journal '%s': %s%s%s%s", what, s->db_path, sqlite3_errmsg(s->db),
                       sys ? " (" : "", sys ? strerror(sys) : "", sys ? ")" : "");
    }
    }
}

// --- statements ---

static sqlite3_stmt *prepare(struct store *s, const char *sql, const char *what, struct err *err)
{
    for (size_t i = 0; i < s->n_cache; i++)
        if (s->cache[i].sql == sql)
            return s->cache[i].stmt;
    must(s->n_cache < STORE_STATEMENTS_MAX);
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL) != SQLITE_OK) {
        sql_fail(s, err, what);
        return NULL;
    }
    s->cache[s->n_cache].sql = sql;
    s->cache[s->n_cache++].stmt = stmt;
    return stmt;
}

static int bind_json(sqlite3_stmt *stmt, int at, const json_t *v, struct err *err)
{
    if (!v)
        return sqlite3_bind_null(stmt, at) == SQLITE_OK ? 0 : -1;
    char *text = json_compact(v);
    size_t len = strlen(text);
    if (len > STORE_TEXT_MAX) {
        mem_free(text);
        return err_set(err, ERR_LIMIT,
                       "a record of %zu bytes is larger than the journal takes (%zu); put it into an artifact", len,
                       STORE_TEXT_MAX);
    }
    return sqlite3_bind_text(stmt, at, text, (int)len, mem_free) == SQLITE_OK ? 0 : -1;
}

sqlite3_stmt *sql_bind(struct store *s, struct err *err, const char *what, const char *sql, const char *types, ...)
{
    sqlite3_stmt *stmt = prepare(s, sql, what, err);
    if (!stmt)
        return NULL;
    sqlite3_reset(stmt);
    struct err own = {0};
    bool ok = true;
    va_list args;
    va_start(args, types);
    for (int i = 1; ok && types[i - 1]; i++) {
        switch (types[i - 1]) {
        case 's': {
            const char *text = va_arg(args, const char *);
            ok = (text ? sqlite3_bind_text(stmt, i, text, -1, SQLITE_STATIC) : sqlite3_bind_null(stmt, i)) == SQLITE_OK;
            break;
        }
        case 'i':
            ok = sqlite3_bind_int64(stmt, i, va_arg(args, int64_t)) == SQLITE_OK;
            break;
        default:
            must(types[i - 1] == 'j');
            ok = bind_json(stmt, i, va_arg(args, const json_t *), &own) == 0;
        }
    }
    va_end(args);
    if (ok)
        return stmt;
    if (own.code == ERR_OK)
        sql_fail(s, err, what);
    else if (err)
        *err = own;
    sql_done(stmt);
    return NULL;
}

int sql_step(struct store *s, sqlite3_stmt *stmt, const char *what, struct err *err)
{
    int r = sqlite3_step(stmt);
    if (r == SQLITE_ROW)
        return 1;
    if (r == SQLITE_DONE)
        return 0;
    r = sql_fail(s, err, what);
    return r;
}

void sql_done(sqlite3_stmt *stmt)
{
    if (stmt) {
        sqlite3_reset(stmt);
        sqlite3_clear_bindings(stmt);
    }
}

int sql_run_stmt(struct store *s, sqlite3_stmt *stmt, const char *what, struct err *err)
{
    if (!stmt)
        return err ? -(int)err->code : -ERR_IO;
    int r = sql_step(s, stmt, what, err);
    sql_done(stmt);
    return r < 0 ? r : sqlite3_changes(s->db);
}

int sql_text(struct store *s, const char *sql, const char *what, struct err *err)
{
    return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : sql_fail(s, err, what);
}

// --- transactions ---

// After some failures (full disk) SQLite has undone the whole transaction by itself; a batch is dead then.
static int check_batch(struct store *s, struct err *err)
{
    if (s->batch && sqlite3_get_autocommit(s->db))
        return err_set(err, ERR_STATE, "the open batch on '%s' was undone by an earlier failure", s->db_path);
    return 0;
}

int sql_begin(struct store *s, struct err *err)
{
    if (check_batch(s, err) < 0)
        return -ERR_STATE;
    int r = s->batch || s->depth ? sql_run(s, err, "write to", "SAVEPOINT part", "")
                                 : sql_run(s, err, "write to", "BEGIN IMMEDIATE", "");
    if (r >= 0)
        s->depth++;
    return r < 0 ? r : 0;
}

int sql_end(struct store *s, int r, struct err *err)
{
    must(s->depth > 0);
    s->depth--;
    bool inner = s->batch || s->depth;
    if (r >= 0) {
        int done = inner ? sql_run(s, err, "write to", "RELEASE part", "") : sql_run(s, err, "write to", "COMMIT", "");
        if (done >= 0)
            return r;
        r = done;
    }
    store_numbers_forget(s);
    if (!sqlite3_get_autocommit(s->db)) {
        if (inner) {
            sql_run(s, NULL, "undo in", "ROLLBACK TO part", "");
            sql_run(s, NULL, "undo in", "RELEASE part", "");
        } else {
            sql_run(s, NULL, "undo in", "ROLLBACK", "");
        }
    }
    return r;
}

int store_begin(struct store *s, struct err *err)
{
    if (s->batch)
        return err_set(err, ERR_STATE, "a batch is open on '%s'", s->db_path);
    int r = sql_run(s, err, "write to", "BEGIN IMMEDIATE", "");
    if (r < 0)
        return r;
    s->batch = true;
    return 0;
}

int store_commit(struct store *s, struct err *err)
{
    if (!s->batch)
        return err_set(err, ERR_STATE, "no batch is open on '%s'", s->db_path);
    int r = check_batch(s, err);
    if (r >= 0)
        r = sql_run(s, err, "write to", "COMMIT", "");
    if (r < 0) {
        store_rollback(s);
        return r;
    }
    s->batch = false;
    return 0;
}

void store_rollback(struct store *s)
{
    if (!s->batch)
        return;
    if (!sqlite3_get_autocommit(s->db))
        sql_run(s, NULL, "undo in", "ROLLBACK", "");
    store_numbers_forget(s);
    s->batch = false;
}

bool store_in_batch(const struct store *s)
{
    return s->batch;
}

bool store_changed_elsewhere(struct store *s)
{
    sqlite3_stmt *stmt = sql_bind(s, NULL, "read", "PRAGMA data_version", "");
    int64_t now = s->data_version;
    if (stmt && sql_step(s, stmt, "read", NULL) == 1)
        now = sqlite3_column_int64(stmt, 0);
    sql_done(stmt);
    bool changed = now != s->data_version;
    s->data_version = now;
    return changed;
}

// --- checks ---

int store_check_id(const char *id, const char *what, struct err *err)
{
    size_t len = id ? strlen(id) : 0;
    if (len == 0 || len > 128 || id[0] == '-' ||
        strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != len)
        return err_set(err, ERR_INVALID, "%s '%.140s' is not 1 to 128 letters, digits, '-' or '_'", what, id ? id : "");
    return 0;
}

int store_check_text(const char *text, size_t max, const char *what, struct err *err)
{
    if (!text)
        return err_set(err, ERR_INVALID, "%s is missing", what);
    size_t len = strnlen(text, max + 1);
    if (len > max)
        return err_set(err, ERR_LIMIT, "%s is longer than %zu bytes", what, max);
    if (!str_utf8_valid(text, len))
        return err_set(err, ERR_INVALID, "%s is not UTF-8", what);
    return 0;
}

// --- opening ---

static int configure(struct store *s, struct err *err)
{
    sqlite3_extended_result_codes(s->db, 1);
    sqlite3_busy_timeout(s->db, STORE_BUSY_MS);
    return sql_text(s,
                    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = OFF;"
                    "PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF",
                    "open", err);
}

static void close_db(struct store *s)
{
    for (size_t i = 0; i < s->n_cache; i++)
        sqlite3_finalize(s->cache[i].stmt);
    s->n_cache = 0;
    sqlite3_close(s->db);
    s->db = NULL;
}

// Nobody asks SQLite how much it has allocated, and counting takes a lock for each piece. Small pieces come from a
// store of the connection; the default has room for forty. Both are only quicker: when they are refused (the library is
// in use already), nothing else changes.
static void tune(struct store *s)
{
    (void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_LOOKASIDE, NULL, LOOKASIDE_BYTES, LOOKASIDE_PIECES);
}

static int open_db(struct store *s, struct err *err)
{
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(s->db_path, &s->db, flags, NULL) != SQLITE_OK)
        return s->db ? sql_fail(s, err, "open") : err_set(err, ERR_IO, "cannot open the journal '%s'", s->db_path);
    tune(s);
    int r = configure(s, err);
    return r < 0 ? r : store_migrate(s, err);
}

// The database and its side files move away together, under names that do not collide.
static int set_aside(struct store *s, char **ret_to, struct err *err)
{
    static const char *const ENDS[] = {"", "-wal", "-shm"};
    AUTO_FREE char *dir = path_join(s->dir, "lost+found");
    int r = file_make_dirs(dir, err);
    if (r < 0)
        return r;
    char tag[ID_SHORT_TEXT];
    id_short(tag);
    for (size_t i = 0; i < ARRAY_LEN(ENDS); i++) {
        AUTO_FREE char *from = str_printf("%s%s", s->db_path, ENDS[i]);
        char *to = str_printf("%s/baton.db.%s%s", dir, tag, ENDS[i]);
        if (rename(from, to) < 0 && errno != ENOENT)
            r = err_sys(err, errno, "cannot move the unreadable journal '%s' to '%s'", from, to);
        if (i == 0 && r == 0)
            *ret_to = to;
        else
            mem_free(to);
        if (r < 0)
            return r;
    }
    return 0;
}

static int open_or_begin_anew(struct store *s, bool keep, struct err *err)
{
    struct err first = {0};
    int r = open_db(s, &first);
    if (keep && r == -ERR_PARSE)
        return err_set(err, ERR_PARSE, "%s; 'baton run' and 'baton serve' move it to lost+found and begin a new one",
                       first.text);
    if (r != -ERR_PARSE) {
        if (r < 0 && err)
            *err = first;
        return r;
    }
    close_db(s);
    char *to = NULL;
    r = set_aside(s, &to, err);
    if (r >= 0)
        r = open_db(s, err);
    if (r >= 0)
        store_lost(s, EVENT_STORE_LOST, NULL, STORE_LOST_JOURNAL, to, first.text, "");
    mem_free(to);
    return r;
}

static char *uri_new(const char *path)
{
    struct buf uri = BUF_INIT;
    buf_str_add(&uri, "file:");
    for (; *path; path++)
        if (*path == '?' || *path == '#' || *path == '%')
            buf_printf(&uri, "%%%02X", (unsigned)(unsigned char)*path);
        else
            buf_char(&uri, *path);
    buf_str_add(&uri, "?immutable=1");
    char *text = str_dup(buf_str(&uri));
    buf_free(&uri);
    return text;
}

// A folder that nobody here can write to. Without a log all that was committed stands in the file itself; with one,
// SQLite needs its index beside it.
static int open_read_only(struct store *s, struct err *err)
{
    AUTO_FREE char *wal = str_printf("%s-wal", s->db_path), *shm = str_printf("%s-shm", s->db_path);
    AUTO_FREE char *uri = uri_new(s->db_path);
    struct stat st;
    if (stat(s->db_path, &st) < 0)
        return err_sys(err, errno, "cannot read the journal '%s'", s->db_path);
    bool logged = stat(wal, &st) == 0 && st.st_size > 0;
    if (logged && access(shm, R_OK) < 0)
        return err_set(err, ERR_IO,
                       "the journal '%s' has a log beside it ('%s') that cannot be read without writing in its folder, "
                       "and that is read-only here; copy both files to another folder and set BATON_STATE to it",
                       s->db_path, wal);
    int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | (logged ? 0 : SQLITE_OPEN_URI);
    if (sqlite3_open_v2(logged ? s->db_path : uri, &s->db, flags, NULL) != SQLITE_OK)
        return s->db ? sql_fail(s, err, "read") : err_set(err, ERR_IO, "cannot read the journal '%s'", s->db_path);
    sqlite3_extended_result_codes(s->db, 1);
    sqlite3_busy_timeout(s->db, STORE_BUSY_MS);
    return store_migrate(s, err);
}

// First opening (WAL switch, migration, setting aside) happens in one process at a time.
static int open_locked(struct store *s, bool keep, struct err *err)
{
    AUTO_FREE char *path = path_join(s->dir, "open.lock");
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0 && keep && (errno == EROFS || errno == EACCES || errno == EPERM))
        return open_read_only(s, err);
    if (fd < 0)
        return err_sys(err, errno, "cannot write to the state folder '%s'", s->dir);
    int r;
    do
        r = flock(fd, LOCK_EX);
    while (r < 0 && errno == EINTR);
    r = r < 0 ? err_sys(err, errno, "cannot lock '%s'", path) : open_or_begin_anew(s, keep, err);
    close(fd);
    return r;
}

static int open_store(const char *state_dir, bool look, struct store **ret, struct err *err)
{
    struct err own;
    if (!err)
        err = &own;
    struct store *s = mem_alloc(sizeof(*s));
    int r = file_make_dirs(state_dir, err);
    if (r >= 0) {
        s->dir = path_real(state_dir, err);
        r = s->dir ? 0 : -(int)err->code;
    }
    if (r >= 0) {
        s->db_path = path_join(s->dir, "baton.db");
        AUTO_FREE char *temp = path_join(s->dir, "artifacts/tmp");
        r = look ? 0 : file_make_dirs(temp, err);
    }
    if (r >= 0)
        r = open_locked(s, look, err);
    if (r < 0) {
        store_close(s);
        return r;
    }
    store_changed_elsewhere(s);
    *ret = s;
    return 0;
}

int store_open(const char *state_dir, struct store **ret, struct err *err)
{
    return open_store(state_dir, false, ret, err);
}

int store_open_to_look(const char *state_dir, struct store **ret, struct err *err)
{
    return open_store(state_dir, true, ret, err);
}

struct store *store_close(struct store *s)
{
    if (!s)
        return NULL;
    if (s->db) {
        store_rollback(s);
        store_owner_free(s);
        close_db(s);
    }
    json_decref(s->durable);
    mem_free(s->dir);
    mem_free(s->db_path);
    mem_free(s);
    return NULL;
}

const char *store_dir(const struct store *s)
{
    return s->dir;
}
