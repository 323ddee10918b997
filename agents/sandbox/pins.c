#include "pins.h"

#include "hashes.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "json/json.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MATCHES_MAX = 200 }; // of one pattern in one folder

struct meaning {
    char **files;
};

struct pins {
    struct hashes *hashes;
    char **changeable;
    json_t *at;    // path: number in `list`
    json_t *names; // PATH and pattern: number in `meanings`
    VEC(struct pin *) list;
    VEC(struct meaning) meanings;
};

struct pins *pins_new(char *const *changeable)
{
    struct pins *p = mem_alloc(sizeof(*p));
    VEC(char *) folders = {0};
    for (; changeable && *changeable; changeable++)
        vec_push(&folders, str_dup(*changeable));
    vec_push(&folders, NULL);
    p->changeable = folders.items;
    p->hashes = hashes_new(NULL);
    p->at = json_object();
    p->names = json_object();
    return p;
}

void pins_free(struct pins *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->list.len; i++) {
        mem_free((void *)(uintptr_t)p->list.items[i]->path);
        mem_free(p->list.items[i]);
    }
    for (size_t i = 0; i < p->meanings.len; i++)
        str_list_free(p->meanings.items[i].files);
    vec_free(&p->list);
    vec_free(&p->meanings);
    json_decref(p->at);
    json_decref(p->names);
    str_list_free(p->changeable);
    hashes_free(p->hashes);
    mem_free(p);
}

bool pins_changeable(const struct pins *p, const char *path)
{
    for (char **folder = p->changeable; *folder; folder++)
        if (path_below(path, *folder))
            return true;
    return false;
}

// --- names ---

struct found {
    VEC(char *) list;
};

static bool can_be_started(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

static void find_matching(struct found *f, const char *dir, const char *pattern)
{
    DIR *d = opendir(dir);
    struct dirent *e;
    size_t most = f->list.len + MATCHES_MAX;
    while (d && f->list.len < most && (e = readdir(d)) != NULL) {
        if (fnmatch(pattern, e->d_name, FNM_PERIOD) != 0)
            continue;
        char *path = path_join(dir, e->d_name);
        if (can_be_started(path))
            vec_push(&f->list, path);
        else
            mem_free(path);
    }
    if (d)
        closedir(d);
}

static char **find(const char *path, const char *pattern)
{
    char **dirs = str_split(path ? path : "", ":", true, NULL);
    bool plain = !strpbrk(pattern, "*?[") || str_eq(pattern, "[");
    struct found f = {0};
    for (char **d = dirs; *d && *pattern && !(plain && f.list.len); d++) {
        if ((*d)[0] != '/')
            continue;
        if (!plain) {
            find_matching(&f, *d, pattern);
            continue;
        }
        char *file = path_join(*d, pattern);
        if (can_be_started(file))
            vec_push(&f.list, file);
        else
            mem_free(file);
    }
    str_list_free(dirs);
    vec_push(&f.list, NULL);
    return f.list.items;
}

char *const *pins_named(struct pins *p, const char *path, const char *pattern)
{
    AUTO_FREE char *key = str_printf("%s\n%s", pattern, path ? path : "");
    const json_t *known = json_object_get(p->names, key);
    if (known)
        return p->meanings.items[json_integer_value(known)].files;
    char **files = find(path, pattern);
    vec_push(&p->meanings, (struct meaning){files});
    if (json_object_set_new(p->names, key, json_integer((json_int_t)p->meanings.len - 1)) < 0)
        errno = 0; // a PATH that is not UTF-8: looked up again next time
    return files;
}

const char *pins_find(struct pins *p, const char *path, const char *name)
{
    return strpbrk(name, "*?/") ? NULL : pins_named(p, path, name)[0];
}

// --- files ---

static void identify(const struct stat *st, struct pin *ret)
{
    ret->is = (struct box_identity){.device = (uint64_t)st->st_dev,
                                    .inode = (uint64_t)st->st_ino,
                                    .size = (uint64_t)st->st_size,
                                    .changed_ns = (int64_t)st->st_mtim.tv_sec * NS_PER_SEC + st->st_mtim.tv_nsec};
    ret->status_ns = (int64_t)st->st_ctim.tv_sec * NS_PER_SEC + st->st_ctim.tv_nsec;
}

static struct pin *known(const struct pins *p, const char *path)
{
    const json_t *at = json_object_get(p->at, path);
    if (at)
        return p->list.items[json_integer_value(at)];
    for (size_t i = p->list.len; json_object_size(p->at) < p->list.len && i-- > 0;) // names that are not UTF-8
        if (str_eq(p->list.items[i]->path, path))
            return p->list.items[i];
    return NULL;
}

static struct pin *add(struct pins *p, const char *path, const struct stat *st)
{
    struct pin *pin = mem_alloc(sizeof(*pin));
    pin->path = str_dup(path);
    identify(st, pin);
    vec_push(&p->list, pin);
    if (json_object_set_new(p->at, path, json_integer((json_int_t)p->list.len - 1)) < 0)
        errno = 0;
    return pin;
}

static int look(const char *path, struct stat *ret, struct err *err)
{
    if (stat(path, ret) < 0)
        return err_sys(err, errno, "cannot start '%s'", path);
    if (!S_ISREG(ret->st_mode) || access(path, X_OK) != 0)
        return err_set(err, ERR_NOT_FOUND, "'%s' is not a program that can be started", path);
    return 0;
}

static int hash_now(struct pins *p, const char *path, struct stat *ret_st, char ret[HASH_TEXT], struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return err_sys(err, errno, "cannot read the program '%s'", path);
    int r = fstat(fd, ret_st) < 0 ? err_sys(err, errno, "cannot look at the program '%s'", path)
                                  : hashes_take(p->hashes, fd, ret_st, path, ret, err);
    close(fd);
    return r;
}

static int refuse(const struct pin *was, const char *what, struct err *err)
{
    return err_set(err, ERR_DENIED,
                   "'%s' %s since this stage began, and only the program it was then may be started; if the change is "
                   "yours, start the stage again",
                   was->path, what);
}

// The inode is the same, its state is not: the content decides.
static int compare(struct pins *p, struct pin *was, struct err *err)
{
    char hash[HASH_TEXT];
    struct stat st;
    if (!was->hash[0])
        return refuse(was, "was changed", err);
    int r = hash_now(p, was->path, &st, hash, err);
    if (r < 0)
        return r;
    struct pin now = *was;
    identify(&st, &now);
    if (now.is.device != was->is.device || now.is.inode != was->is.inode || !str_eq(hash, was->hash))
        return refuse(was, "was changed", err);
    was->is = now.is;
    was->status_ns = now.status_ns;
    return 0;
}

int pins_take(struct pins *p, const char *path, const struct pin **ret, struct err *err)
{
    struct stat st;
    int r = look(path, &st, err);
    struct pin *pin = known(p, path), now = {0};
    if (r < 0)
        return pin ? refuse(pin, "was removed", err) : r;
    if (!pin)
        pin = add(p, path, &st);
    identify(&st, &now);
    if (now.is.device != pin->is.device || now.is.inode != pin->is.inode)
        return refuse(pin, "was replaced", err);
    if (now.is.size != pin->is.size || now.is.changed_ns != pin->is.changed_ns || now.status_ns != pin->status_ns)
        r = compare(p, pin, err);
    *ret = pin;
    return r;
}

int pins_hash(struct pins *p, const char *path, const struct pin **ret, struct err *err)
{
    int r = pins_take(p, path, ret, err);
    if (r < 0 || (*ret)->hash[0])
        return r;
    struct pin *pin = known(p, path), now = {0};
    struct stat st;
    r = hash_now(p, path, &st, pin->hash, err);
    identify(&st, &now);
    if (r < 0 || memcmp(&now.is, &pin->is, sizeof(now.is)) != 0) {
        pin->hash[0] = '\0';
        return r < 0 ? r : refuse(pin, "was changed", err);
    }
    return 0;
}

const struct pin *pins_was(struct pins *p, const char *path)
{
    struct stat st;
    const struct pin *pin = known(p, path);
    if (!pin && !pins_changeable(p, path) && look(path, &st, NULL) == 0)
        pin = add(p, path, &st);
    return pin;
}
