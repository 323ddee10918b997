// Ownership of runs. A process that owns runs has one file below <state>/owners, which it keeps locked: flock belongs
// to the open file and ends with the process, however that ends. The row of a run names the file of its owner; taking a
// run costs no file.
#include "store/sql.h"

#include "base/file.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEAD_OWNER_WAIT_MS 3000
#define DEAD_OWNER_STEP_US 5000
#define TAKE_TRIES         20

struct store_owner {
    int fd;
    char name[64];
    json_t *held; // ids of runs that are taken in this process
};

struct store_lock {
    struct store *store;
    char *run;
};

char *store_run_dir(const struct store *s, const char *id)
{
    return str_printf("%s/runs/%s", s->dir, id);
}

static int64_t read_pid(int fd)
{
    char text[32];
    int64_t pid = 0;
    ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    text[strspn(text, "0123456789")] = '\0';
    return str_to_i64(text, &pid) && pid > 0 ? pid : 0;
}

// 0, or an errno. A child that a killed owner had just forked keeps the lock until it has called exec: such a lock is
// free within moments.
static int take_file(int fd)
{
    for (int waited = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; waited += DEAD_OWNER_STEP_US / 1000) {
        int why = errno;
        int64_t pid = read_pid(fd);
        bool dead = pid && kill((pid_t)pid, 0) < 0 && errno == ESRCH;
        if (why != EWOULDBLOCK || waited >= DEAD_OWNER_WAIT_MS || !dead)
            return why;
        usleep(DEAD_OWNER_STEP_US);
    }
    return 0;
}

// The owner of that name lives; its pid (0: not readable) in *ret_pid. The file of a dead one is removed.
static bool lives(const struct store *s, const char *name, int64_t *ret_pid)
{
    *ret_pid = 0;
    if (!*name || strchr(name, '/') || name[0] == '.')
        return false;
    AUTO_FREE char *path = str_printf("%s/owners/%s", s->dir, name);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0 && (errno == EACCES || errno == EROFS)) // not ours to lock: a shared lock tells as much
        fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno != ENOENT && errno != ENOTDIR;
    bool dead = take_file(fd) == 0;
    if (dead)
        unlink(path);
    else
        *ret_pid = read_pid(fd);
    close(fd);
    return !dead;
}

static void sweep(const struct store *s, const char *dir)
{
    DIR *d = opendir(dir);
    const struct dirent *entry;
    int64_t pid;
    while (d && (entry = readdir(d)))
        lives(s, entry->d_name, &pid);
    if (d)
        closedir(d);
}

// Another process may take a file that is not locked yet for one of the dead: then it has no name any more, and is made
// again.
static int make_owner(struct store *s, struct err *err)
{
    AUTO_FREE char *dir = path_join(s->dir, "owners");
    int r = file_make_dirs(dir, err);
    if (r < 0)
        return r;
    sweep(s, dir);
    for (int i = 0; i < TAKE_TRIES; i++) {
        char tag[ID_SHORT_TEXT], name[64];
        id_short(tag);
        snprintf(name, sizeof(name), "%ld-%s", (long)getpid(), tag);
        AUTO_FREE char *path = path_join(dir, name);
        int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd < 0 && errno == EEXIST)
            continue;
        if (fd < 0)
            return err_sys(err, errno, "cannot create '%s'", path);
        struct stat st;
        if (flock(fd, LOCK_EX | LOCK_NB) < 0 || fstat(fd, &st) < 0 || st.st_nlink == 0) {
            close(fd);
            continue;
        }
        // The pid is for people; a disk without room for it does not take the ownership away.
        char pid[32];
        int len = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
        if (len > 0)
            (void)!pwrite(fd, pid, (size_t)len, 0);
        s->owner = mem_alloc(sizeof(*s->owner));
        s->owner->fd = fd;
        strcpy(s->owner->name, name);
        s->owner->held = json_object();
        return 0;
    }
    return err_set(err, ERR_UNAVAILABLE, "no lock could be taken in '%s'", dir);
}

void store_owner_free(struct store *s)
{
    if (!s->owner)
        return;
    AUTO_FREE char *path = str_printf("%s/owners/%s", s->dir, s->owner->name);
    unlink(path);
    flock(s->owner->fd, LOCK_UN); // also for a descriptor that a child between fork and exec still has
    close(s->owner->fd);
    json_decref(s->owner->held);
    mem_free(s->owner);
    s->owner = NULL;
}

// Name of the file of the owner in the row of the run; owned by the caller, "" when nobody has it.
static char *named_owner(struct store *s, int64_t n, struct err *err)
{
    sqlite3_stmt *stmt = sql_bind(s, err, "read", "SELECT coalesce(owner, '') FROM runs WHERE n = ?", "i", n);
    if (!stmt)
        return NULL;
    char *name = sql_step(s, stmt, "read", err) == 1 ? str_dup((const char *)sqlite3_column_text(stmt, 0)) : NULL;
    sql_done(stmt);
    return name;
}

static int conflict(const char *id, int64_t pid, struct err *err)
{
    if (pid == getpid())
        return err_set(err, ERR_CONFLICT, "run '%s' is at work in this process (pid %ld) already", id, (long)pid);
    if (pid)
        return err_set(err, ERR_CONFLICT, "run '%s' belongs to another process (pid %ld)", id, (long)pid);
    return err_set(err, ERR_CONFLICT, "run '%s' belongs to another process", id);
}

// The row may have got another owner since it was read: then everything is looked at again.
static int take_row(struct store *s, const char *id, struct err *err)
{
    int64_t n = store_number(s, id, err), pid;
    if (n < 0)
        return (int)n;
    for (int i = 0; i < TAKE_TRIES; i++) {
        AUTO_FREE char *before = named_owner(s, n, err);
        if (!before)
            return err->code ? -(int)err->code : -ERR_IO;
        if (*before && !str_eq(before, s->owner->name) && lives(s, before, &pid))
            return conflict(id, pid, err);
        int r = sql_run(s, err, "write to", "UPDATE runs SET owner = ? WHERE n = ? AND coalesce(owner, '') = ?", "sis",
                        s->owner->name, n, before);
        if (r != 0)
            return r < 0 ? r : 0;
    }
    return conflict(id, 0, err);
}

int store_run_lock(struct store *s, const char *id, struct store_lock **ret, struct err *err)
{
    struct err own;
    if (!err)
        err = &own;
    err_clear(err);
    int r = store_check_id(id, "the run id", err);
    if (r >= 0 && !s->owner)
        r = make_owner(s, err);
    if (r >= 0 && json_object_get(s->owner->held, id))
        r = conflict(id, getpid(), err);
    if (r >= 0)
        r = take_row(s, id, err);
    if (r < 0)
        return r;
    json_put(s->owner->held, id, json_true());
    struct store_lock *lock = mem_alloc(sizeof(*lock));
    *lock = (struct store_lock){.store = s, .run = str_dup(id)};
    *ret = lock;
    return 0;
}

int64_t store_run_owner(struct store *s, const char *id)
{
    int64_t n = store_number(s, id, NULL), pid = 0;
    AUTO_FREE char *name = n > 0 ? named_owner(s, n, NULL) : NULL;
    if (!name || !*name)
        return 0;
    if (s->owner && str_eq(name, s->owner->name))
        return json_object_get(s->owner->held, id) ? getpid() : 0;
    return lives(s, name, &pid) ? (pid ? pid : -1) : 0;
}

bool store_run_interrupted(struct store *s, const json_t *record)
{
    enum run_state state = RUN_QUEUED;
    return run_state_from_name(json_str(record, "state", ""), &state) && !run_state_final(state) &&
           state != RUN_QUEUED && !store_run_owner(s, json_str(record, "id", ""));
}

struct store_lock *store_lock_forget(struct store_lock *lock)
{
    if (lock) {
        if (lock->store->owner)
            json_object_del(lock->store->owner->held, lock->run);
        mem_free(lock->run);
        mem_free(lock);
    }
    return NULL;
}

struct store_lock *store_lock_release(struct store_lock *lock)
{
    struct store *s = lock ? lock->store : NULL;
    if (s && s->owner && s->db) // when it cannot be written, the run is free when this process ends
        sql_run(s, NULL, "write to", "UPDATE runs SET owner = NULL WHERE id = ? AND owner = ?", "ss", lock->run,
                s->owner->name);
    return store_lock_forget(lock);
}
