#include "group.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static bool write_number(const char *dir, const char *file, uint64_t value)
{
    char path[600], text[32];
    snprintf(path, sizeof(path), "%s/%s", dir, file);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    int n = snprintf(text, sizeof(text), "%" PRIu64 "\n", value);
    bool ok = write(fd, text, (size_t)n) == (ssize_t)n;
    close(fd);
    return ok;
}

static bool make_one(const char *mount, const char *below, char dir[512])
{
    int n = snprintf(dir, 512, "%s%s/baton-%d", mount, strcmp(below, "/") == 0 ? "" : below, (int)getpid());
    if (n > 0 && n < 512 && (mkdir(dir, 0755) == 0 || errno == EEXIST))
        return true;
    dir[0] = '\0';
    return false;
}

static void drop(char dir[512])
{
    if (dir[0])
        rmdir(dir);
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

// The limit of processes and threads, and one for the init.
static uint64_t most_of(const struct box *b)
{
    uint64_t most = b->pids_max;
    if (b->processes && (!most || b->processes < most))
        most = b->processes;
    return most ? most + 1 : 0;
}

bool group_make(const struct box *b, pid_t member, struct group *g)
{
    *g = (struct group){0};
    char text[4096], path[400];
    int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (fd >= 0)
        close(fd);
    if (n <= 0)
        return false;
    text[n] = '\0';
    uint64_t who = (uint64_t)member;
    uint64_t most = most_of(b);
    bool pids = false;
    if (most && own_path(text, "pids", path, sizeof(path)) && make_one("/sys/fs/cgroup/pids", path, g->dirs[0]))
        pids = write_number(g->dirs[0], "pids.max", most) && write_number(g->dirs[0], "cgroup.procs", who);
    if (b->memory_max && own_path(text, "memory", path, sizeof(path)) &&
        make_one("/sys/fs/cgroup/memory", path, g->dirs[1]) &&
        !(write_number(g->dirs[1], "memory.limit_in_bytes", b->memory_max) &&
          write_number(g->dirs[1], "cgroup.procs", who)))
        drop(g->dirs[1]);
    if (pids || !own_path(text, "", path, sizeof(path)) || !make_one("/sys/fs/cgroup", path, g->dirs[2]))
        return pids;
    pids = most && write_number(g->dirs[2], "pids.max", most);
    bool memory = b->memory_max && write_number(g->dirs[2], "memory.max", b->memory_max);
    if ((pids || memory) && write_number(g->dirs[2], "cgroup.procs", who))
        return pids;
    drop(g->dirs[2]);
    return false;
}

void group_remove(struct group *g)
{
    for (size_t i = 0; i < 3; i++) {
        // The kernel forgets the dead a moment after they were reaped.
        for (int tries = 0; g->dirs[i][0] && rmdir(g->dirs[i]) < 0 && errno == EBUSY && tries < 50; tries++)
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        g->dirs[i][0] = '\0';
    }
}
