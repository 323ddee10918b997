#include "probe.h"

#include "confine.h"
#include "filter.h"
#include "group.h"
#include "landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum layer {
#define BOX_LAYER(code, name, needed, meaning) LAYER_##code,
#include "tbl/box_layers.def"
    LAYER_COUNT_
};

static const char *const NAMES[] = {
#define BOX_LAYER(code, name, needed, meaning) name,
#include "tbl/box_layers.def"
};

struct row {
    bool present;
    char detail[200];
    const char *open; // what its absence leaves open
};

struct table {
    struct row rows[LAYER_COUNT_];
};

static struct row *put(struct table *t, enum layer layer, bool present, const char *open)
{
    struct row *r = &t->rows[layer];
    *r = (struct row){.present = present, .open = open};
    return r;
}

// A box as a call has it, with little in it.
static void small_box(struct box *b)
{
    static const char *const DIRS[] = {"/usr", "/lib", "/lib64", "/bin"};
    *b = (struct box){.net = BOX_NET_LO, .pids_max = 64, .memory_max = 1U << 30};
    for (size_t i = 0; i < sizeof(DIRS) / sizeof(DIRS[0]); i++)
        b->items[b->count++] =
            (struct box_item){.kind = BOX_MOUNT, .mode = BOX_READ | BOX_EXEC, .path = DIRS[i], .source = DIRS[i]};
}

static int wait_for(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}

// 0: namespaces and view work; else what the child says.
static int try_spaces(const struct box *b, bool *ret_user, bool *ret_forked)
{
    int release_fd = -1;
    pid_t pid = confine_fork(b, &release_fd, ret_user);
    *ret_forked = pid >= 0;
    if (pid < 0)
        return errno;
    if (pid == 0) {
        struct view_failure failure;
        confine_wait(release_fd);
        int e = confine_enter(b, &failure);
        _exit(e < 255 ? e : 255);
    }
    confine_release(pid, release_fd);
    return wait_for(pid);
}

static bool try_to_join(const char *group)
{
    pid_t pid = group[0] ? fork() : -1;
    if (pid == 0)
        _exit(group_join(group));
    return pid > 0 && wait_for(pid) == 0;
}

static void try_group(const struct box *b, bool *ret_processes, bool *ret_memory)
{
    struct group group = {.pids_max = 0};
    group_ready(&group, b->pids_max, b->memory_max);
    *ret_processes = try_to_join(group.pids);
    *ret_memory = try_to_join(group.memory);
    group_remove(&group);
}

static int number_in(const char *path)
{
    char text[32] = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (fd >= 0)
        close(fd);
    return n > 0 ? (int)strtol(text, NULL, 10) : -1;
}

static void look(struct table *t)
{
    static struct box box;
    bool user = false, forked = false, grouped = false, bounded = false;
    small_box(&box);
    try_group(&box, &grouped, &bounded);
    int e = try_spaces(&box, &user, &forked), landlock = landlock_version();
    struct row *r =
        put(t, LAYER_NAMESPACES, forked,
            "tools see your other processes and, below version 6 of Landlock, may signal them; they have no network at "
            "all, not even loopback");
    snprintf(r->detail, sizeof(r->detail), "%s",
             !forked ? strerror(e)
             : user  ? "processes, files, network, IPC, in a user namespace"
                     : "processes, files, network, IPC");
    r = put(
        t, LAYER_FILE_VIEW, forked && e == 0,
        "tools see which files exist outside and can change their times, modes and owners; files of the project that "
        "steer tools (.git/hooks, .cargo, ...) can be changed; its programs can be started through the loader");
    snprintf(r->detail, sizeof(r->detail), "%s",
             forked && e == 0 ? "an own root with what the call may see" : strerror(e));
    r = put(t, LAYER_LANDLOCK, landlock > 0,
            "calls are refused; where a site does not require it, it is not held any more "
            "which programs may be started, and root's calls can change kernel settings");
    if (landlock > 0)
        snprintf(r->detail, sizeof(r->detail), "version %d%s", landlock,
                 landlock < 3 ? "; signals only by namespaces; files outside can be emptied where there is no file view"
                 : landlock < 6 ? "; signals only by namespaces"
                                : "");
    else
        snprintf(r->detail, sizeof(r->detail), "not in this kernel, or not switched on (lsm=landlock)");
    r = put(t, LAYER_CALLS, filter_possible(),
            "ptrace, new namespaces, io_uring and foreign sockets are open: calls are refused");
    snprintf(r->detail, sizeof(r->detail), "%s", r->present ? "seccomp filter" : "no seccomp");
    r = put(t, LAYER_GROUP, grouped,
            geteuid() == 0 ? "a fork bomb started by root is held by nothing but the time limit"
                           : "processes are limited per user only");
    snprintf(r->detail, sizeof(r->detail), "%s", grouped ? "processes" : "none that we may write");
    r = put(t, LAYER_MEMORY, bounded, "a tool can take the memory of the machine");
    snprintf(r->detail, sizeof(r->detail), "%s", bounded ? "by a control group" : "no control group that we may write");
    int paranoid = number_in("/proc/sys/kernel/perf_event_paranoid");
    r = put(t, LAYER_PERF, paranoid >= -1 && paranoid <= 2, "no profiles: sysctl kernel.perf_event_paranoid=2");
    snprintf(r->detail, sizeof(r->detail), "kernel.perf_event_paranoid is %d", paranoid);
}

int probe_print(void)
{
    struct table t;
    look(&t);
    bool usable = t.rows[LAYER_LANDLOCK].present && t.rows[LAYER_CALLS].present;
    printf("{\"layers\":[");
    for (int i = 0; i < LAYER_COUNT_; i++) { // texts are ours and strerror's: nothing to escape
        const struct row *r = &t.rows[i];
        printf("%s{\"layer\":\"%s\",\"present\":%s,\"detail\":\"%s\",\"open\":\"%s\"}", i ? "," : "", NAMES[i],
               r->present ? "true" : "false", r->detail, r->open);
    }
    printf("],\"usable\":%s}\n", usable ? "true" : "false");
    return usable ? 0 : 1;
}
