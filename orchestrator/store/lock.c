// Ownership of a run. flock belongs to the open file: it ends with the process, however that ends.
#include "store/sql.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define DEAD_OWNER_WAIT_MS 3000
#define DEAD_OWNER_STEP_US 5000

struct store_lock {
    int fd;
};

char *store_run_dir(const struct store *s, const char *id)
{
    return str_printf("%s/runs/%s", s->dir, id);
}

static void read_owner(int fd, char pid[32])
{
    ssize_t n = pread(fd, pid, 31, 0);
    pid[n > 0 ? n : 0] = '\0';
    pid[strspn(pid, "0123456789")] = '\0';
}

static bool owner_is_dead(int fd)
{
    char pid[32];
    int64_t owner = 0;
    read_owner(fd, pid);
    return str_to_i64(pid, &owner) && owner > 0 && kill((pid_t)owner, 0) < 0 && errno == ESRCH;
}

// 0, or an errno. A child that a killed owner had just forked keeps the lock until it has called exec: such a lock is
// free within moments.
static int take(int fd)
{
    for (int waited = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; waited += DEAD_OWNER_STEP_US / 1000) {
        int why = errno;
        if (why != EWOULDBLOCK || waited >= DEAD_OWNER_WAIT_MS || !owner_is_dead(fd))
            return why;
        usleep(DEAD_OWNER_STEP_US);
    }
    return 0;
}

static int conflict(int fd, const char *id, struct err *err)
{
    char pid[32];
    read_owner(fd, pid);
    return err_set(err, ERR_CONFLICT, "run '%s' belongs to another process (pid %s)", id, *pid ? pid : "unknown");
}

int store_run_lock(struct store *s, const char *id, struct store_lock **ret, struct err *err)
{
    int r = store_check_id(id, "the run id", err);
    if (r < 0)
        return r;
    AUTO_FREE char *dir = store_run_dir(s, id);
    r = file_make_dirs(dir, err);
    if (r < 0)
        return r;
    AUTO_FREE char *path = path_join(dir, "lock");
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        return err_sys(err, errno, "cannot open '%s'", path);
    int why = take(fd);
    if (why) {
        r = why == EWOULDBLOCK ? conflict(fd, id, err) : err_sys(err, why, "cannot lock '%s'", path);
        close(fd);
        return r;
    }
    // The pid is for people; a disk without room for it does not take the ownership away.
    char pid[32];
    int len = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) == 0 && len > 0)
        (void)!pwrite(fd, pid, (size_t)len, 0);
    struct store_lock *lock = mem_alloc(sizeof(*lock));
    lock->fd = fd;
    *ret = lock;
    return 0;
}

bool store_run_held(const struct store *s, const char *id)
{
    AUTO_FREE char *path = str_printf("%s/runs/%s/lock", s->dir, id);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool held = flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK && !owner_is_dead(fd);
    close(fd); // and with it the lock, if it was there to be had
    return held;
}

bool store_run_interrupted(const struct store *s, const json_t *record)
{
    enum run_state state = RUN_QUEUED;
    return run_state_from_name(json_str(record, "state", ""), &state) && !run_state_final(state) &&
           state != RUN_QUEUED && !store_run_held(s, json_str(record, "id", ""));
}

struct store_lock *store_lock_release(struct store_lock *lock)
{
    if (lock) {
        flock(lock->fd, LOCK_UN); // also for a descriptor that a child between fork and exec still has
        close(lock->fd);
        mem_free(lock);
    }
    return NULL;
}
