#include "main/processes.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define COMMAND_MAX 1024
#define DEPTH_MAX   32
#define OWN         "baton-" // programs of ours

struct processes {
    VEC(struct process) list;
};

// Of a file that has no size; NUL behind it.
static size_t read_some(pid_t pid, const char *name, char *out, size_t max)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%ld/%s", (long)pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, out, max - 1);
    if (fd >= 0)
        close(fd);
    out[n > 0 ? n : 0] = '\0';
    return n > 0 ? (size_t)n : 0;
}

// Behind the name, which may hold anything: state, parent, …, the times as fields 14 to 17, resident pages as 24.
static bool read_stat(struct process *p)
{
    char text[1024];
    long parent = 0;
    unsigned long long times[4] = {0};
    long long pages = 0;
    char state = 0;
    if (read_some(p->pid, "stat", text, sizeof(text)) == 0)
        return false;
    const char *behind = strrchr(text, ')');
    if (!behind ||
        sscanf(behind + 1,
               " %c %ld %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %llu %llu %*d %*d %*d %*d %*u %*u %lld", &state,
               &parent, &times[0], &times[1], &times[2], &times[3], &pages) != 7)
        return false;
    int64_t ticks = sysconf(_SC_CLK_TCK);
    p->parent = (pid_t)parent;
    p->cpu_ms = (int64_t)(times[0] + times[1] + times[2] + times[3]) * 1000 / (ticks > 0 ? ticks : 100);
    p->rss_bytes = pages * sysconf(_SC_PAGESIZE);
    return state != 'Z' && state != 'X';
}

static char *read_command(pid_t pid)
{
    char text[COMMAND_MAX];
    size_t len = read_some(pid, "cmdline", text, sizeof(text));
    for (size_t i = 0; i < len; i++) // the words of a command line end with NUL
        text[i] = text[i] ? text[i] : ' ';
    str_make_plain(text);
    return str_dup(str_trim(text));
}

struct processes *processes_new(void)
{
    struct processes *p = mem_alloc(sizeof(*p));
    DIR *dir = opendir("/proc");
    const struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        int64_t pid = 0;
        if (!str_to_i64(entry->d_name, &pid) || pid <= 0)
            continue;
        struct process one = {.pid = (pid_t)pid};
        if (!read_stat(&one))
            continue;
        one.command = read_command(one.pid);
        vec_push(&p->list, one);
    }
    if (dir)
        closedir(dir);
    return p;
}

struct processes *processes_free(struct processes *p)
{
    if (!p)
        return NULL;
    for (size_t i = 0; i < p->list.len; i++)
        mem_free(p->list.items[i].command);
    vec_free(&p->list);
    mem_free(p);
    return NULL;
}

size_t processes_count(const struct processes *p)
{
    return p->list.len;
}

const struct process *processes_at(const struct processes *p, size_t i)
{
    return &p->list.items[i];
}

const struct process *processes_find(const struct processes *p, pid_t pid)
{
    for (size_t i = 0; i < p->list.len; i++)
        if (p->list.items[i].pid == pid)
            return &p->list.items[i];
    return NULL;
}

// Steps from a process up to root; -1: it is not below.
static int depth_below(const struct processes *p, const struct process *one, pid_t root)
{
    int depth = 0;
    while (one && one->pid != root && depth < DEPTH_MAX) {
        one = processes_find(p, one->parent);
        depth++;
    }
    return one && one->pid == root ? depth : -1;
}

void processes_tree(const struct processes *p, pid_t root, int64_t *ret_cpu_ms, int64_t *ret_rss_bytes)
{
    *ret_cpu_ms = *ret_rss_bytes = 0;
    for (size_t i = 0; i < p->list.len; i++) {
        if (depth_below(p, &p->list.items[i], root) < 0)
            continue;
        *ret_cpu_ms += p->list.items[i].cpu_ms;
        *ret_rss_bytes += p->list.items[i].rss_bytes;
    }
}

static bool is_own(const struct process *one)
{
    AUTO_FREE char *program = str_ndup(one->command, strcspn(one->command, " "));
    return !*program || str_starts(path_base(program), OWN);
}

const struct process *processes_tool(const struct processes *p, pid_t root)
{
    const struct process *nearest = NULL;
    int least = DEPTH_MAX + 1;
    for (size_t i = 0; i < p->list.len; i++) {
        int depth = depth_below(p, &p->list.items[i], root);
        if (depth <= 0 || depth >= least || is_own(&p->list.items[i]))
            continue;
        least = depth;
        nearest = &p->list.items[i];
    }
    return nearest;
}
