#include "store/bundle.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DEPTH_MAX 64

struct bundle {
    sqlite3 *db;
    char *path;
};

static int fail(struct bundle *b, struct err *err, const char *what)
{
    return err_set(err, ERR_IO, "%s '%s': %s", what, b->path, sqlite3_errmsg(b->db));
}

// One statement with up to two values; blob len < 0: text.
static int put_row(struct bundle *b, const char *sql, const char *key, const void *data, int64_t len, struct err *err)
{
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(b->db, sql, -1, &stmt, NULL) != SQLITE_OK)
        return fail(b, err, "cannot write");
    sqlite3_bind_text(stmt, 1, key, -1, SQLITE_STATIC);
    if (len < 0)
        sqlite3_bind_text(stmt, 2, data, -1, SQLITE_STATIC);
    else
        sqlite3_bind_blob64(stmt, 2, data, (sqlite3_uint64)len, SQLITE_STATIC);
    int r = sqlite3_step(stmt) == SQLITE_DONE ? 0 : fail(b, err, "cannot write");
    sqlite3_finalize(stmt);
    return r;
}

static int put_part(struct bundle *b, const char *name, json_t *value_consumed, struct err *err)
{
    if (!value_consumed)
        return err_wrap(err, "part '%s' of the bundle", name);
    char *text = json_compact(value_consumed);
    json_decref(value_consumed);
    int r = put_row(b, "INSERT INTO part VALUES (?, ?)", name, text, -1, err);
    mem_free(text);
    return r;
}

// --- which artifacts belong to the run ---

static void want(json_t *wanted, const char *hash)
{
    if (hash && strlen(hash) == HASH_TEXT - 1)
        json_put(wanted, hash, json_true());
}

// Every {"$artifact": hash} and every "hash" member, wherever it stands.
static void collect(const json_t *v, json_t *wanted, int depth)
{
    size_t i;
    const char *key;
    json_t *item;
    if (depth > DEPTH_MAX)
        return;
    json_array_foreach (v, i, item)
        collect(item, wanted, depth + 1);
    for (void *at = json_object_iter((json_t *)(uintptr_t)v); at;
         at = json_object_iter_next((json_t *)(uintptr_t)v, at)) {
        key = json_object_iter_key(at);
        item = json_object_iter_value(at);
        if ((str_eq(key, "$artifact") || str_eq(key, "hash")) && json_is_string(item))
            want(wanted, json_string_value(item));
        else
            collect(item, wanted, depth + 1);
    }
}

static int put_blobs(struct bundle *b, struct store *store, const json_t *wanted, size_t *missing, struct err *err)
{
    int r = 0;
    for (void *at = json_object_iter((json_t *)(uintptr_t)wanted); at && r == 0;
         at = json_object_iter_next((json_t *)(uintptr_t)wanted, at)) {
        char *data = NULL;
        size_t len = 0;
        if (store_artifact_get(store, json_object_iter_key(at), BUNDLE_BLOB_MAX, &data, &len, NULL) < 0) {
            ++*missing;
            continue;
        }
        r = put_row(b, "INSERT INTO blob VALUES (?, ?)", json_object_iter_key(at), data, (int64_t)len, err);
        mem_free(data);
    }
    return r;
}

static int fill(struct bundle *b, struct store *store, const char *run, size_t *missing, struct err *err)
{
    AUTO_JSON json_t *wanted = json_object();
    json_t *record = store_run_get_new(store, run, err), *stages = store_stage_list_new(store, run, true, err);
    json_t *artifacts = store_artifact_list_new(store, run, err);
    json_object_del(json_obj(record, "options"), "notify"); // addresses may have secrets in them
    want(wanted, json_str(record, "script_hash", NULL));
    for (void *at = json_object_iter(json_obj(record, "agents")); at;
         at = json_object_iter_next(json_obj(record, "agents"), at))
        want(wanted, json_string_value(json_object_iter_value(at)));
    collect(stages, wanted, 0);
    collect(artifacts, wanted, 0);
    json_t *format = json_pack("{s:i, s:s}", "format", BUNDLE_FORMAT, "written_by", "baton " BATON_VERSION);
    int r = put_part(b, "format", format, err);
    if (r == 0)
        r = put_part(b, "run", json_incref(record), err);
    if (r == 0)
        r = put_part(b, "stages", json_incref(stages), err);
    if (r == 0)
        r = put_part(b, "artifacts", json_incref(artifacts), err);
    if (r == 0)
        r = put_part(b, "calls", store_call_list_new(store, run, err), err);
    if (r == 0)
        r = put_part(b, "events", store_event_list_new(store, run, 0, 0, err), err);
    if (r == 0)
        r = put_part(b, "handoffs", store_handoff_list_new(store, run, err), err);
    if (r == 0)
        r = put_blobs(b, store, wanted, missing, err);
    json_decref(record);
    json_decref(stages);
    json_decref(artifacts);
    return r;
}

static int execute(struct bundle *b, const char *sql, struct err *err)
{
    return sqlite3_exec(b->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : fail(b, err, "cannot write");
}

int bundle_write(struct store *store, const char *run, const char *path, size_t *ret_missing, struct err *err)
{
    char tag[ID_SHORT_TEXT];
    id_short(tag);
    struct bundle b = {.path = str_printf("%s.%s.tmp", path, tag)};
    size_t missing = 0;
    int r = sqlite3_open_v2(b.path, &b.db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) == SQLITE_OK
                ? 0
                : fail(&b, err, "cannot create");
    if (r == 0)
        r = execute(&b,
                    "PRAGMA journal_mode = OFF; PRAGMA synchronous = FULL; BEGIN;"
                    "CREATE TABLE part(name TEXT PRIMARY KEY, body TEXT NOT NULL);"
                    "CREATE TABLE blob(hash TEXT PRIMARY KEY, data BLOB NOT NULL)",
                    err);
    if (r == 0)
        r = fill(&b, store, run, &missing, err);
    if (r == 0)
        r = execute(&b, "COMMIT", err);
    if (sqlite3_close(b.db) != SQLITE_OK && r == 0)
        r = err_set(err, ERR_IO, "cannot close '%s'", b.path);
    if (r == 0 && rename(b.path, path) < 0)
        r = err_set(err, ERR_IO, "cannot write '%s'", path);
    if (r < 0)
        unlink(b.path);
    else
        *ret_missing = missing;
    mem_free(b.path);
    return r;
}

// --- reading ---

int bundle_open(const char *path, struct bundle **ret, struct err *err)
{
    if (!file_exists(path))
        return err_set(err, ERR_NOT_FOUND, "no file '%s'", path);
    struct bundle *b = mem_alloc(sizeof(*b));
    b->path = str_dup(path);
    int r = sqlite3_open_v2(path, &b->db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK ? 0 : fail(b, err, "cannot open");
    AUTO_JSON json_t *format = r == 0 ? bundle_part_new(b, "format", NULL) : NULL;
    int64_t number = json_int(format, "format", 0);
    if (r == 0 && number == 0)
        r = err_set(err, ERR_PARSE, "'%s' is not a run exported by baton", path);
    else if (r == 0 && number > BUNDLE_FORMAT)
        r = err_set(err, ERR_UNSUPPORTED, "'%s' was written by a newer baton (%s)", path,
                    json_str(format, "written_by", "?"));
    if (r < 0) {
        bundle_close(b);
        return r;
    }
    *ret = b;
    return 0;
}

struct bundle *bundle_close(struct bundle *b)
{
    if (!b)
        return NULL;
    sqlite3_close(b->db);
    mem_free(b->path);
    mem_free(b);
    return NULL;
}

// Column 0 of the row with that key; *ret owned by the caller.
static int get_row(struct bundle *b, const char *sql, const char *key, char **ret, size_t *ret_len, struct err *err)
{
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(b->db, sql, -1, &stmt, NULL) != SQLITE_OK)
        return fail(b, err, "cannot read");
    sqlite3_bind_text(stmt, 1, key, -1, SQLITE_STATIC);
    int step = sqlite3_step(stmt), r = 0;
    if (step == SQLITE_ROW) {
        const void *data = sqlite3_column_blob(stmt, 0);
        *ret_len = (size_t)sqlite3_column_bytes(stmt, 0);
        *ret = str_ndup(data, *ret_len);
    } else {
        r = step == SQLITE_DONE ? err_set(err, ERR_NOT_FOUND, "'%s' has no '%s'", b->path, key)
                                : fail(b, err, "cannot read");
    }
    sqlite3_finalize(stmt);
    return r;
}

json_t *bundle_part_new(struct bundle *b, const char *name, struct err *err)
{
    char *text = NULL;
    size_t len = 0;
    if (get_row(b, "SELECT body FROM part WHERE name = ?", name, &text, &len, err) < 0)
        return NULL;
    json_t *v = json_parse_new(text, len, name, err);
    mem_free(text);
    return v;
}

int bundle_blob(struct bundle *b, const char *hash, char **ret, size_t *ret_len, struct err *err)
{
    char *data = NULL, found[HASH_TEXT];
    size_t len = 0;
    int r = get_row(b, "SELECT data FROM blob WHERE hash = ?", hash, &data, &len, err);
    if (r < 0)
        return r;
    hash_bytes(data, len, found);
    if (!str_eq(found, hash)) {
        mem_free(data);
        return err_set(err, ERR_PARSE, "'%s': the content of '%.12s' is damaged", b->path, hash);
    }
    *ret = data;
    *ret_len = len;
    return 0;
}
