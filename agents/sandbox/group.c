// Rules that the code does not show:
// - With version 1 a process joins by writing 0 to `tasks`: a single thread that moves itself needs none of the locks
//   that make every other way wait for a grace period of the kernel (tens of milliseconds on a busy host).
// - Names say which namespace the process number in them belongs to, so that nobody takes a living owner for dead.
#include "group.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { NUMBERS = 1000, REMOVE_TRIES = 50 };

static int write_text(const char *dir, const char *file, const char *text)
{
    char path[GROUP_DIR_MAX + 64];
    snprintf(path, sizeof(path), "%s/%s", dir, file);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int e = write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : errno;
    close(fd);
    return e;
}

static bool write_number(const char *dir, const char *file, uint64_t value)
{
    char text[32];
    snprintf(text, sizeof(text), "%" PRIu64 "\n", value);
    return write_text(dir, file, text) == 0;
}

// baton-NAMESPACE-PID-NUMBER
static unsigned long namespace_number(void)
{
    char text[64];
    ssize_t n = readlink("/proc/self/ns/pid", text, sizeof(text) - 1);
    text[n > 0 ? n : 0] = '\0';
    const char *number = strchr(text, '[');
    return number ? strtoul(number + 1, NULL, 10) : 0;
}

static void remove_left(const char *parent, unsigned long space)
{
    DIR *d = opendir(parent);
    struct dirent *e;
    while (d && (e = readdir(d)) != NULL) {
        unsigned long of = 0;
        int pid = 0;
        if (sscanf(e->d_name, "baton-%lu-%d-", &of, &pid) == 2 && of == space && pid > 0 && kill(pid, 0) < 0 &&
            errno == ESRCH)
            unlinkat(dirfd(d), e->d_name, AT_REMOVEDIR);
    }
    if (d)
        closedir(d);
}

static bool make_one(const char *mount, const char *below, char dir[GROUP_DIR_MAX])
{
    char parent[GROUP_DIR_MAX];
    unsigned long space = namespace_number();
    int n = snprintf(parent, sizeof(parent), "%s%s", mount, strcmp(below, "/") == 0 ? "" : below);
    if (n < 0 || n >= (int)sizeof(parent))
        return false;
    remove_left(parent, space);
    for (int i = 0; i < NUMBERS; i++) {
        n = snprintf(dir, GROUP_DIR_MAX, "%s/baton-%lu-%d-%d", parent, space, (int)getpid(), i);
        if (n < 0 || n >= GROUP_DIR_MAX)
            break;
        if (mkdir(dir, 0755) == 0)
            return true;
        if (errno != EEXIST)
            break;
    }
    dir[0] = '\0';
    return false;
}

static void drop(char dir[GROUP_DIR_MAX])
{
    // The kernel forgets the dead a moment after they were reaped.
    for (int tries = 0; dir[0] && rmdir(dir) < 0 && errno == EBUSY && tries < REMOVE_TRIES; tries++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    dir[0] = '\0';
}

// The line of /proc/self/cgroup for a controller ("" for version 2): the path behind the second colon.
static bool own_path(const char *text, const char *controller, char *ret, size_t size)
{
    for (const char *line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        const char *name = strchr(line, ':');
        const char *path = name ? strchr(name + 1, ':') : NULL;
        if (!path || (size_t)(path - name - 1) != strlen(controller) ||
            strncmp(name + 1, controller, strlen(controller)) != 0)
            continue;
        size_t n = strcspn(path + 1, "\n");
        if (n == 0 || n >= size)
            return false;
        memcpy(ret, path + 1, n);
        ret[n] = '\0';
        return true;
    }
    return false;
}

static void make(struct group *g, uint64_t pids_max, uint64_t memory_max)
{
    char text[4096], path[400];
    *g = (struct group){.pids_max = pids_max, .memory_max = memory_max};
    int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = '\0';
    if (pids_max && own_path(text, "pids", path, sizeof(path)) && make_one("/sys/fs/cgroup/pids", path, g->pids) &&
        !write_number(g->pids, "pids.max", pids_max))
        drop(g->pids);
    if (memory_max && own_path(text, "memory", path, sizeof(path)) &&
        make_one("/sys/fs/cgroup/memory", path, g->memory) &&
        !write_number(g->memory, "memory.limit_in_bytes", memory_max))
        drop(g->memory);
    if (g->pids[0] || g->memory[0] || !own_path(text, "", path, sizeof(path)) ||
        !make_one("/sys/fs/cgroup", path, g->pids))
        return;
    if (memory_max && write_number(g->pids, "memory.max", memory_max))
        memcpy(g->memory, g->pids, sizeof(g->memory));
    if (pids_max && write_number(g->pids, "pids.max", pids_max))
        return;
    if (g->memory[0])
        g->pids[0] = '\0';
    else
        drop(g->pids);
}

static bool is_there(const char *dir)
{
    return !dir[0] || access(dir, F_OK) == 0;
}

bool group_ready(struct group *g, uint64_t pids_max, uint64_t memory_max)
{
    if (pids_max != g->pids_max || memory_max != g->memory_max || !is_there(g->pids) || !is_there(g->memory)) {
        group_remove(g);
        make(g, pids_max, memory_max);
    }
    return g->pids[0] != '\0';
}

void group_remove(struct group *g)
{
    bool same = strcmp(g->pids, g->memory) == 0;
    drop(g->pids);
    if (same)
        g->memory[0] = '\0';
    drop(g->memory);
    *g = (struct group){.pids_max = 0};
}

bool group_unified(const char *dir)
{
    char path[GROUP_DIR_MAX + 64];
    snprintf(path, sizeof(path), "%s/tasks", dir);
    return access(path, F_OK) < 0;
}

int group_join(const char *dir)
{
    return write_text(dir, group_unified(dir) ? "cgroup.procs" : "tasks", "0\n");
}
