#include "measure_others.h"

#include "base/clock.h"
#include "measure/runner.h"
#include "measure/stats.h"

#include <math.h>

#define BATCH          10
#define SAMPLES        100
#define WARM_UP_NS     (3 * NS_PER_SEC)
#define MEASUREMENT_NS ((double)(5 * NS_PER_SEC))
#define NOISE          0.01 // criterion's noise threshold

struct moments {
    double mean, variance;
    int n;
};

static struct moments moments_of(const double *v, int n)
{
    struct moments m = {.mean = stats_mean(v, (size_t)n), .n = n};
    for (int i = 0; i < n; i++)
        m.variance += (v[i] - m.mean) * (v[i] - m.mean) / (n - 1);
    return m;
}

static enum said sign(double change)
{
    return change > 0 ? SAID_SLOWER : SAID_FASTER;
}

int others_hyperfine(const char *const *a, const char *const *b, enum said *ret, struct err *err)
{
    struct moments m[2];
    for (int side = 0; side < 2; side++) {
        double v[BATCH];
        for (int i = 0; i < BATCH; i++) {
            struct runner_result r;
            int rc = runner_run(&(struct runner_call){.argv = side ? b : a}, &r, err);
            if (rc < 0)
                return rc;
            v[i] = (double)r.wall_ns;
        }
        m[side] = moments_of(v, BATCH);
    }
    double ratio = m[1].mean / m[0].mean;
    double sd = ratio * sqrt(m[0].variance / (m[0].mean * m[0].mean) + m[1].variance / (m[1].mean * m[1].mean));
    *ret = fabs(ratio - 1) > sd ? sign(ratio - 1) : SAID_SAME;
    return 0;
}

static struct moments sample(work_fn work, double rounds)
{
    int64_t start = clock_mono_ns();
    unsigned warm = 0;
    for (; clock_mono_ns() - start < WARM_UP_NS; warm++)
        work(rounds);
    double one = (double)(clock_mono_ns() - start) / warm, v[SAMPLES];
    double step = floor(MEASUREMENT_NS / one / (SAMPLES * (SAMPLES + 1) / 2.0));
    step = step < 1 ? 1 : step;
    for (int k = 1; k <= SAMPLES; k++) {
        double iterations = step * k;
        int64_t before = clock_mono_ns();
        for (double i = 0; i < iterations; i++)
            work(rounds);
        v[k - 1] = (double)(clock_mono_ns() - before) / iterations;
    }
    return moments_of(v, SAMPLES);
}

enum said others_criterion(work_fn work, double rounds_a, double rounds_b)
{
    struct moments a = sample(work, rounds_a), b = sample(work, rounds_b);
    double error = sqrt(a.variance / a.n + b.variance / b.n), difference = b.mean - a.mean;
    double z = error > 0 ? difference / error : 0, half = stats_normal_quantile(0.975) * error;
    double p = 2 * stats_normal_cdf(-fabs(z)), low = (difference - half) / a.mean, high = (difference + half) / a.mean;
    return p < 0.05 && (low > NOISE || high < -NOISE) ? sign(difference) : SAID_SAME;
}
