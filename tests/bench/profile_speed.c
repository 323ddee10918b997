// How fast the pipeline of profiles is: one JSON line. Started by tests/bench/profile.
//   profile_speed fold FILE THREADS   perf script to folded text
//   profile_speed render FILE THREADS folded text to a flame graph
#include "profile/flamegraph.h"
#include "profile/perf_script.h"
#include "profile/profile.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static int write_out(const struct buf *out, const char *path)
{
    struct err err;
    if (path && file_write(path, out->data, out->len, false, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    return 0;
}

static int fold(const char *path, int threads, const char *to)
{
    struct err err;
    struct buf out = BUF_INIT;
    struct perf_script *p = perf_script_new(NULL);
    if (perf_script_read_threads(p, path, threads, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    perf_script_finish(p);
    struct folded *f = folded_of_script(p);
    folded_write(f, &out);
    int status = write_out(&out, to);
    buf_free(&out);
    folded_free(f);
    perf_script_free(p);
    return status;
}

static int render(const char *path, int threads, const char *to)
{
    struct err err;
    struct folded_read_stats stats;
    struct buf svg = BUF_INIT;
    struct folded *f = folded_new();
    if (folded_read_file(f, path, NULL, threads, &stats, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    int r = flamegraph_write(f, &(struct flamegraph_options){.title = "bench"}, &svg, &err);
    int status = r < 0 ? 1 : write_out(&svg, to);
    buf_free(&svg);
    folded_free(f);
    return status;
}

int main(int argc, char **argv)
{
    int64_t threads = 1, start = clock_mono_ns();
    int status = 2;
    if (argc >= 4 && str_eq(argv[1], "fold") && str_to_i64(argv[3], &threads))
        status = fold(argv[2], (int)threads, argc > 4 ? argv[4] : NULL);
    else if (argc >= 4 && str_eq(argv[1], "render") && str_to_i64(argv[3], &threads))
        status = render(argv[2], (int)threads, argc > 4 ? argv[4] : NULL);
    if (status == 0)
        printf("{\"ns\": %lld}\n", (long long)(clock_mono_ns() - start));
    return status;
}
