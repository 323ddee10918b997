// The processes of this machine, as /proc shows them at one moment.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct process {
    pid_t pid, parent;
    int64_t cpu_ms; // its own and that of children it has waited for
    int64_t rss_bytes;
    char *command; // words parted by blanks, cut
};

struct processes;

struct processes *processes_new(void);
struct processes *processes_free(struct processes *p); // NULL allowed; returns NULL
size_t processes_count(const struct processes *p);
const struct process *processes_at(const struct processes *p, size_t i);
const struct process *processes_find(const struct processes *p, pid_t pid); // NULL: there is none
// CPU time and memory of a process and everything below it.
void processes_tree(const struct processes *p, pid_t root, int64_t *ret_cpu_ms, int64_t *ret_rss_bytes);
// The nearest process below that is none of Baton's own; NULL: there is none.
const struct process *processes_tool(const struct processes *p, pid_t root);
