// Latencies of one bench and the line that says what they were. Shared by the programs of this folder.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct figures;

struct figures *figures_new(size_t most);
void figures_free(struct figures *f);
void figures_add(struct figures *f, double ns);
double figures_quantile(struct figures *f, double q); // sorts; 0 when there are none

// {"program", "chains", "total", "p50_us", "p99_us", "min_us", "stages_per_s", "written"}; written: bytes this process
// wrote. Of the commits and of the thread that makes them.
struct figures_commits {
    uint64_t count;
    double ns;     // in all
    double cpu_ns; // of the thread, since it is measured
};

int64_t figures_thread_cpu_ns(void);
void figures_print(const char *program, unsigned chains, struct figures *f, unsigned stages_each, double wall_ns,
                   const struct figures_commits *commits);
int64_t figures_written(void); // write_bytes of /proc/self/io
int64_t figures_rss(int pid);  // bytes resident, 0: not known
