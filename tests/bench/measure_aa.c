// measure_aa [ROUNDS [SECONDS [PERCENT...]]]: how the comparison behaves on this machine, as JSON lines.
//   aa        a busy loop against itself: ROUNDS comparisons, how often it was called different, and beside it how
//             often two batches of ten, one after the other, differ by more than their scatter
//   injected  the loop against one that does PERCENT more work: how often that was found, and how long it took
// Defaults: 3 rounds of at most 3 seconds, 2 5 10 per cent. Load the machine while it runs to see the rates under
// noise.
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "measure/ab.h"
#include "measure/host.h"
#include "measure/stats.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUSY_ROUNDS 4000000.0
#define BATCH       10

static int busy(const char *rounds)
{
    volatile uint64_t x = 1;
    double n = strtod(rounds, NULL);
    for (double i = 0; i < n; i++)
        x = x * 6364136223846793005u + 1;
    return printf("%d\n", (int)(x & 1)) < 0;
}

struct figure {
    unsigned rounds, found, wrong, same, undecided, naive;
    double pairs, seconds[256];
};

// What people do by hand: ten runs of one, ten of the other, means apart by more than both deviations.
static int naive_differs(const char *const *a, const char *const *b, bool *ret, struct err *err)
{
    double mean[2] = {0}, sd[2] = {0};
    for (int side = 0; side < 2; side++) {
        double v[BATCH];
        for (int i = 0; i < BATCH; i++) {
            struct runner_result r;
            int rc = runner_run(&(struct runner_call){.argv = side ? b : a}, &r, err);
            if (rc < 0)
                return rc;
            v[i] = (double)r.wall_ns;
        }
        mean[side] = stats_mean(v, BATCH);
        for (int i = 0; i < BATCH; i++)
            sd[side] += (v[i] - mean[side]) * (v[i] - mean[side]) / (BATCH - 1);
    }
    *ret = fabs(mean[0] - mean[1]) > sqrt(sd[0] + sd[1]);
    return 0;
}

static int one_round(const char *self, double percent, double seconds, struct figure *f, struct err *err)
{
    AUTO_FREE char *base = str_printf("%.0f", BUSY_ROUNDS);
    AUTO_FREE char *more = str_printf("%.0f", BUSY_ROUNDS * (1 + percent / 100));
    const char *const a[] = {self, "--busy", base, NULL}, *const b[] = {self, "--busy", more, NULL};
    struct ab_subject sa = {.name = "base", .argv = a}, sb = {.name = "more", .argv = b};
    struct ab_command_options o = {.common = {.max_pairs = 400, .max_wall_ns = (int64_t)(seconds * 1e9)}};
    struct ab_result *r = NULL;
    int rc = ab_compare_commands(&sa, &sb, NULL, &o, &r, err);
    if (rc < 0)
        return rc;
    f->seconds[f->rounds % ARRAY_LEN(f->seconds)] = (double)r->elapsed_ns / 1e9;
    f->rounds++;
    f->pairs += r->pairs;
    f->found += r->verdict == VERDICT_SLOWER;
    f->wrong += r->verdict == VERDICT_FASTER;
    f->same += r->verdict == VERDICT_SAME;
    f->undecided += r->verdict == VERDICT_UNDECIDED;
    ab_result_free(r);
    bool naive = false;
    rc = naive_differs(a, b, &naive, err);
    f->naive += naive;
    return rc;
}

static int figure(const char *self, double percent, unsigned rounds, double seconds, struct err *err)
{
    struct figure f = {0};
    for (unsigned i = 0; i < rounds; i++) {
        int rc = one_round(self, percent, seconds, &f, err);
        if (rc < 0)
            return rc;
    }
    unsigned kept = f.rounds < ARRAY_LEN(f.seconds) ? f.rounds : (unsigned)ARRAY_LEN(f.seconds);
    printf("{\"bench\": \"measure_aa\", \"figure\": \"%s\", \"slowdown_pct\": %g, \"rounds\": %u, \"slower\": %u, "
           "\"faster\": %u, "
           "\"no_difference\": %u, \"undecided\": %u, \"pairs\": %.1f, \"median_s\": %.2f, \"naive_differs\": %u}\n",
           percent > 0 ? "injected" : "aa", percent, f.rounds, f.found, f.wrong, f.same, f.undecided,
           f.rounds ? f.pairs / f.rounds : 0, stats_median(f.seconds, kept), f.naive);
    fflush(stdout);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--busy") == 0)
        return busy(argv[2]);
    unsigned rounds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 3;
    double seconds = argc > 2 ? strtod(argv[2], NULL) : 3;
    static const double PERCENT[] = {2, 5, 10};
    struct err err;
    AUTO_JSON json_t *host = host_check_new("");
    AUTO_FREE char *text = json_compact(host);
    printf("{\"bench\": \"measure_aa\", \"figure\": \"host\", \"host\": %s}\n", text);
    int rc = figure(argv[0], 0, rounds, seconds, &err);
    for (int i = 3; rc >= 0 && i < argc; i++)
        rc = figure(argv[0], strtod(argv[i], NULL), rounds, seconds, &err);
    for (size_t i = 0; rc >= 0 && argc <= 3 && i < ARRAY_LEN(PERCENT); i++)
        rc = figure(argv[0], PERCENT[i], rounds, seconds, &err);
    if (rc < 0)
        fprintf(stderr, "measure_aa: %s\n", err.text);
    return rc < 0 ? 1 : 0;
}
