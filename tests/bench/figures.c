#include "figures.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct figures {
    size_t len, most;
    double ns[];
};

struct figures *figures_new(size_t most)
{
    struct figures *f = mem_alloc(sizeof(*f) + most * sizeof(f->ns[0]));
    f->most = most;
    return f;
}

void figures_free(struct figures *f)
{
    mem_free(f);
}

void figures_add(struct figures *f, double ns)
{
    if (f->len < f->most)
        f->ns[f->len++] = ns;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

double figures_quantile(struct figures *f, double q)
{
    if (f->len == 0)
        return 0;
    qsort(f->ns, f->len, sizeof(f->ns[0]), compare);
    return f->ns[(size_t)((double)(f->len - 1) * q)];
}

static int64_t field_of(const char *path, const char *name)
{
    char line[256];
    long long value = 0;
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof(line), file))
        if (strncmp(line, name, strlen(name)) == 0)
            value = strtoll(line + strlen(name), NULL, 10);
    if (file)
        fclose(file);
    return value;
}

int64_t figures_written(void)
{
    return field_of("/proc/self/io", "write_bytes:");
}

int64_t figures_rss(int pid)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/status", pid);
    return field_of(path, "VmRSS:") * 1024;
}

int64_t figures_thread_cpu_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

void figures_print(const char *program, unsigned chains, struct figures *f, unsigned stages_each, double wall_ns,
                   const struct figures_commits *c)
{
    double stages = (double)f->len * stages_each, commits = c->count ? (double)c->count : 1;
    printf(
        "{\"program\": \"%s\", \"chains\": %u, \"total\": %zu, \"p50_us\": %.1f, \"p99_us\": %.1f, \"min_us\": %.1f, "
        "\"stages_per_s\": %.1f, \"written\": %lld, \"commit_us\": %.1f, \"stages_per_commit\": %.2f, "
        "\"thread_cpu_us_per_stage\": %.1f}\n",
        program, chains, f->len, figures_quantile(f, 0.5) / 1e3, figures_quantile(f, 0.99) / 1e3,
        figures_quantile(f, 0) / 1e3, stages / (wall_ns / 1e9), (long long)figures_written(), c->ns / commits / 1e3,
        stages / commits, c->cpu_ns / stages / 1e3);
    fflush(stdout);
}
