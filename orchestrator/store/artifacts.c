// Content-addressed files: written to artifacts/tmp, fsynced, renamed to artifacts/ab/cdef…, folder fsynced.
#include "store/sql.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DURABLE_MAX 4096

static const struct row_form REF_FORM = {"artifacts", "seq:i name hash media bytes:i", "name"};

static bool is_hash(const char *hash)
{
    return hash && strlen(hash) == HASH_TEXT - 1 && strspn(hash, "0123456789abcdef") == HASH_TEXT - 1;
}

char *store_artifact_path(const struct store *s, const char *hash)
{
    return is_hash(hash) ? str_printf("%s/artifacts/%.2s/%s", s->dir, hash, hash + 2) : NULL;
}

bool store_artifact_has(const struct store *s, const char *hash)
{
    AUTO_FREE char *path = store_artifact_path(s, hash);
    return path && file_exists(path);
}

static int sync_folder(const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = fd < 0 || fsync(fd) < 0 ? err_sys(err, errno, "cannot sync the folder '%s'", path) : 0;
    if (fd >= 0)
        close(fd);
    return r;
}

static bool is_durable(const struct store *s, const char *hash)
{
    return json_object_get(s->durable, hash) != NULL;
}

static void note_durable(struct store *s, const char *hash)
{
    if (!s->durable)
        s->durable = json_object();
    if (json_object_size(s->durable) >= DURABLE_MAX)
        json_object_clear(s->durable);
    json_put_flag(s->durable, hash, true);
}

struct writer {
    int fd;
    char *temp;
    struct hash *hash;
    int64_t bytes;
};

static int writer_open(struct store *s, struct writer *w, struct err *err)
{
    char tag[ID_UUID_TEXT];
    id_uuid7(0, tag);
    w->temp = str_printf("%s/artifacts/tmp/%s", s->dir, tag);
    w->fd = open(w->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
    if (w->fd < 0) {
        int r = err_sys(err, errno, "cannot create an artifact in '%s'", s->dir);
        mem_free(w->temp);
        return r;
    }
    w->hash = hash_new();
    w->bytes = 0;
    return 0;
}

static int writer_add(struct store *s, struct writer *w, const char *data, size_t len, struct err *err)
{
    w->bytes += (int64_t)len;
    if (w->bytes > STORE_ARTIFACT_MAX)
        return err_set(err, ERR_LIMIT, "an artifact is larger than %lld bytes", (long long)STORE_ARTIFACT_MAX);
    hash_add(w->hash, data, len);
    while (len) {
        ssize_t n = write(w->fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, errno, "cannot write an artifact to '%s'", s->dir);
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

// Gives the file its place. The folder is synced also when the file is there: the one who put it may not be ready yet.
static int place(struct store *s, struct writer *w, const char *hash, struct err *err)
{
    AUTO_FREE char *path = store_artifact_path(s, hash);
    AUTO_FREE char *folder = path_dir(path);
    if (!file_is_dir(folder)) {
        AUTO_FREE char *parent = path_dir(folder);
        int r = file_make_dirs(folder, err);
        if (r >= 0)
            r = sync_folder(parent, err);
        if (r < 0)
            return r;
    }
    struct stat st;
    bool there = stat(path, &st) == 0 && st.st_size == w->bytes;
    if (!there) {
        if (fsync(w->fd) < 0)
            return err_sys(err, errno, "cannot write an artifact to '%s'", s->dir);
        if (rename(w->temp, path) < 0)
            return err_sys(err, errno, "cannot store '%s'", path);
    }
    return sync_folder(folder, err);
}

static int writer_close(struct store *s, struct writer *w, int r, char ret_hash[HASH_TEXT], struct err *err)
{
    char hash[HASH_TEXT];
    hash_finish(w->hash, hash);
    if (r >= 0)
        r = place(s, w, hash, err);
    close(w->fd);
    unlink(w->temp);
    mem_free(w->temp);
    if (r < 0)
        return r;
    memcpy(ret_hash, hash, HASH_TEXT);
    return 0;
}

int store_artifact_put(struct store *s, const void *data, size_t len, char ret_hash[HASH_TEXT], struct err *err)
{
    char hash[HASH_TEXT];
    hash_bytes(data, len, hash);
    AUTO_FREE char *path = store_artifact_path(s, hash);
    struct stat st;
    if (stat(path, &st) == 0 && st.st_size == (off_t)len) {
        AUTO_FREE char *folder = path_dir(path);
        int r = is_durable(s, hash) ? 0 : sync_folder(folder, err);
        if (r >= 0) {
            memcpy(ret_hash, hash, HASH_TEXT);
            note_durable(s, hash);
        }
        return r;
    }
    struct writer w;
    int r = writer_open(s, &w, err);
    if (r < 0)
        return r;
    return writer_close(s, &w, writer_add(s, &w, data, len, err), ret_hash, err);
}

int store_artifact_put_file(struct store *s, const char *path, char ret_hash[HASH_TEXT], int64_t *ret_bytes,
                            struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    if (fd < 0)
        return err_sys(err, errno, "cannot open '%s'", path);
    struct stat st;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return err_set(err, ERR_INVALID, "'%s' is not a regular file", path);
    }
    struct writer w;
    int r = writer_open(s, &w, err);
    if (r < 0) {
        close(fd);
        return r;
    }
    char chunk[65536];
    while (r >= 0) {
        ssize_t n = read(fd, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            break;
        r = n < 0 ? err_sys(err, errno, "cannot read '%s'", path) : writer_add(s, &w, chunk, (size_t)n, err);
    }
    close(fd);
    int64_t bytes = w.bytes;
    r = writer_close(s, &w, r, ret_hash, err);
    if (r >= 0 && ret_bytes)
        *ret_bytes = bytes;
    return r;
}

static int damaged(struct store *s, const char *path, const char *hash, struct err *err)
{
    AUTO_FREE char *folder = path_join(s->dir, "lost+found");
    AUTO_FREE char *to = str_printf("%s/%s", folder, hash);
    if (file_make_dirs(folder, NULL) >= 0 && rename(path, to) == 0)
        store_lost(s, EVENT_RECORD_LOST, NULL, "artifact", hash, "the content does not have this hash any more", "");
    return err_set(err, ERR_NOT_FOUND, "artifact '%s' was damaged on disk and set aside as '%s'", hash, to);
}

int store_artifact_get(struct store *s, const char *hash, size_t max, char **ret, size_t *ret_len, struct err *err)
{
    AUTO_FREE char *path = store_artifact_path(s, hash);
    if (!path)
        return err_set(err, ERR_INVALID, "'%.80s' is no artifact hash (64 hexadecimal digits)", hash ? hash : "");
    char *data = NULL;
    size_t len = 0;
    int r = file_read(path, max, &data, &len, err);
    if (r == -ERR_NOT_FOUND)
        return err_set(err, ERR_NOT_FOUND, "artifact '%s' does not exist", hash);
    if (r < 0)
        return r;
    char found[HASH_TEXT];
    hash_bytes(data, len, found);
    if (!str_eq(found, hash)) {
        mem_free(data);
        return damaged(s, path, hash, err);
    }
    *ret = data;
    if (ret_len)
        *ret_len = len;
    return 0;
}

int store_artifact_ref(struct store *s, const char *run, int seq, const char *name, const char *hash, const char *media,
                       int64_t bytes, struct err *err)
{
    if (!is_hash(hash))
        return err_set(err, ERR_INVALID, "'%.80s' is no artifact hash (64 hexadecimal digits)", hash ? hash : "");
    int r = store_check_text(name, STORE_NAME_MAX, "the name of an artifact", err);
    if (r >= 0 && media)
        r = store_check_text(media, STORE_NAME_MAX, "the media type of an artifact", err);
    if (r >= 0)
        r = sql_run(s, err, "write to",
                    "INSERT OR REPLACE INTO artifacts (run, seq, name, hash, media, bytes) VALUES (?,?,?,?,?,?)",
                    "sisssi", run, (int64_t)seq, name, hash, media, bytes);
    return r < 0 ? r : 0;
}

json_t *store_artifact_list_new(struct store *s, const char *run, struct err *err)
{
    return sql_rows_new(s,
                        sql_bind(s, err, "read",
                                 "SELECT rowid, seq, name, hash, media, bytes, run FROM artifacts WHERE run = ?"
                                 " ORDER BY seq, name",
                                 "s", run),
                        &REF_FORM, err);
}
