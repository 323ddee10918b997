#include "hashes.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// A file that was changed so short before it was read may be changed again without its time stamp showing it.
static const int64_t FRESH_NS = NS_PER_SEC;

enum { STATE_WORDS = 5, NUMBER_MAX = 20 };

struct entry {
    uint64_t state[STATE_WORDS]; // device, inode, size, mtime, ctime
    char hash[HASH_TEXT];
};

struct hashes {
    char *path;
    bool loaded;
    VEC(struct entry) list; // newest last
};

static char *default_path(void)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (cache && cache[0] == '/')
        return path_join(cache, "baton/program-hashes");
    return home && home[0] == '/' ? path_join(home, ".cache/baton/program-hashes") : NULL;
}

struct hashes *hashes_new(const char *path)
{
    struct hashes *h = mem_alloc(sizeof(*h));
    h->path = path ? str_dup(path) : default_path();
    return h;
}

void hashes_free(struct hashes *h)
{
    if (!h)
        return;
    mem_free(h->path);
    vec_free(&h->list);
    mem_free(h);
}

static int64_t nanoseconds(struct timespec t)
{
    return (int64_t)t.tv_sec * NS_PER_SEC + t.tv_nsec;
}

static void state_of(const struct stat *st, uint64_t ret[STATE_WORDS])
{
    ret[0] = (uint64_t)st->st_dev;
    ret[1] = (uint64_t)st->st_ino;
    ret[2] = (uint64_t)st->st_size;
    ret[3] = (uint64_t)nanoseconds(st->st_mtim);
    ret[4] = (uint64_t)nanoseconds(st->st_ctim);
}

// --- the file ---

static bool take_number(const char **at, const char *end, uint64_t *ret)
{
    uint64_t v = 0;
    int digits = 0;
    for (; *at < end && **at >= '0' && **at <= '9'; (*at)++) {
        uint64_t digit = (uint64_t)(**at - '0');
        if (++digits > NUMBER_MAX || v > (UINT64_MAX - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    *ret = v;
    return digits > 0;
}

static bool take_line(const char *at, const char *end, struct entry *ret)
{
    if (end - at < HASH_TEXT || strspn(at, "0123456789abcdef") != HASH_TEXT - 1)
        return false;
    memcpy(ret->hash, at, HASH_TEXT - 1);
    ret->hash[HASH_TEXT - 1] = '\0';
    at += HASH_TEXT - 1;
    for (size_t i = 0; i < STATE_WORDS; i++)
        if (at == end || *at++ != ' ' || !take_number(&at, end, &ret->state[i]))
            return false;
    return at == end;
}

static void keep(struct hashes *h, const struct entry *e)
{
    if (h->list.len == HASHES_MAX) {
        memmove(h->list.items, h->list.items + 1, (HASHES_MAX - 1) * sizeof(*e));
        h->list.len--;
    }
    vec_push(&h->list, *e);
}

size_t hashes_parse(struct hashes *h, const char *text, size_t len)
{
    size_t taken = 0;
    for (const char *at = text, *end = text + len; at < end;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        struct entry e;
        stop = stop ? stop : end;
        if (take_line(at, stop, &e)) {
            keep(h, &e);
            taken++;
        }
        at = stop + 1;
    }
    return taken;
}

static void load(struct hashes *h)
{
    struct stat st;
    char *text = NULL;
    size_t len = 0;
    h->loaded = true;
    if (h->path && lstat(h->path, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
        !(st.st_mode & (S_IWGRP | S_IWOTH)) && file_read(h->path, HASHES_TEXT_MAX, &text, &len, NULL) == 0)
        hashes_parse(h, text, len);
    mem_free(text);
}

// Somebody else may write at the same time: one of both is lost, and taken again another time.
static void save(const struct hashes *h)
{
    if (!h->path)
        return;
    struct buf b = BUF_INIT;
    for (size_t i = 0; i < h->list.len; i++) {
        const struct entry *e = &h->list.items[i];
        buf_str_add(&b, e->hash);
        for (size_t k = 0; k < STATE_WORDS; k++)
            buf_printf(&b, " %" PRIu64, e->state[k]);
        buf_char(&b, '\n');
    }
    AUTO_FREE char *dir = path_dir(h->path);
    if (file_make_dirs(dir, NULL) == 0)
        file_write(h->path, b.data, b.len, false, NULL);
    buf_free(&b);
}

// --- hashing ---

static int read_hash(int fd, const char *path, char ret[HASH_TEXT], struct err *err)
{
    enum { CHUNK = 256 * 1024 };
    AUTO_FREE char *chunk = mem_array(CHUNK, 1);
    struct hash *hash = hash_new();
    off_t at = 0;
    ssize_t n;
    while ((n = pread(fd, chunk, CHUNK, at)) > 0 || (n < 0 && errno == EINTR)) {
        hash_add(hash, chunk, n > 0 ? (size_t)n : 0);
        at += n > 0 ? n : 0;
    }
    int e = errno;
    hash_finish(hash, ret);
    return n < 0 ? err_sys(err, e, "cannot read the program '%s'", path) : 0;
}

int hashes_take(struct hashes *h, int fd, const struct stat *st, const char *path, char ret[HASH_TEXT], struct err *err)
{
    struct entry e;
    struct stat after;
    state_of(st, e.state);
    if (!h->loaded)
        load(h);
    for (size_t i = h->list.len; i-- > 0;) {
        if (memcmp(h->list.items[i].state, e.state, sizeof(e.state)) == 0) {
            memcpy(ret, h->list.items[i].hash, HASH_TEXT);
            return 0;
        }
    }
    int r = read_hash(fd, path, e.hash, err);
    if (r < 0)
        return r;
    uint64_t now[STATE_WORDS];
    if (fstat(fd, &after) < 0)
        return err_sys(err, errno, "cannot look at the program '%s'", path);
    state_of(&after, now);
    if (memcmp(now, e.state, sizeof(now)) != 0)
        return err_set(err, ERR_CONFLICT, "the program '%s' is being changed", path);
    memcpy(ret, e.hash, HASH_TEXT);
    if (clock_wall_ns() - nanoseconds(st->st_ctim) > FRESH_NS) {
        keep(h, &e);
        save(h);
    }
    return 0;
}
