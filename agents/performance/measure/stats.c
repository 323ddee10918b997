#include "measure/stats.h"

#include "base/err.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void stats_sort(double *v, size_t n)
{
    if (n > 1)
        qsort(v, n, sizeof(*v), compare);
}

double stats_mean(const double *v, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += v[i];
    return n ? sum / (double)n : 0;
}

double stats_sorted_quantile(const double *sorted, size_t n, double q)
{
    if (n == 0)
        return 0;
    double position = q * (double)(n - 1);
    size_t below = (size_t)position;
    if (below >= n - 1)
        return sorted[n - 1];
    double part = position - (double)below;
    return sorted[below] + part * (sorted[below + 1] - sorted[below]);
}

double stats_quantile(const double *v, size_t n, double q)
{
    if (n == 0)
        return 0;
    AUTO_FREE double *copy = mem_copy(v, n * sizeof(*v));
    stats_sort(copy, n);
    return stats_sorted_quantile(copy, n, q);
}

double stats_median(const double *v, size_t n)
{
    return stats_quantile(v, n, 0.5);
}

double stats_mad(const double *v, size_t n, double centre)
{
    if (n == 0)
        return 0;
    AUTO_FREE double *away = mem_array(n, sizeof(*away));
    for (size_t i = 0; i < n; i++)
        away[i] = fabs(v[i] - centre);
    return stats_median(away, n);
}

double stats_hodges_lehmann(const double *v, size_t n)
{
    must(n <= 2000);
    if (n == 0)
        return 0;
    size_t pairs = n * (n + 1) / 2, k = 0;
    AUTO_FREE double *means = mem_array(pairs, sizeof(*means));
    for (size_t i = 0; i < n; i++)
        for (size_t j = i; j < n; j++)
            means[k++] = 0.5 * (v[i] + v[j]);
    return stats_median(means, pairs);
}

size_t stats_winsorise(double *v, size_t n)
{
    double centre = stats_median(v, n);
    double reach = 3.0 * STATS_MAD_TO_SD * stats_mad(v, n, centre);
    if (reach <= 0) // more than half of the values are equal: there is no scale to judge the others by
        return 0;
    size_t changed = 0;
    for (size_t i = 0; i < n; i++) {
        double to = fmin(fmax(v[i], centre - reach), centre + reach);
        changed += to < v[i] || to > v[i];
        v[i] = to;
    }
    return changed;
}

// Median of the multiset that takes sorted[i] counts[i] times, `total` values in all.
static double counted_median(const double *sorted, const unsigned *counts, size_t total)
{
    size_t seen = 0, i = 0, half = (total - 1) / 2;
    while (seen + counts[i] <= half)
        seen += counts[i++];
    double low = sorted[i];
    if (total % 2)
        return low;
    while (seen + counts[i] <= half + 1)
        seen += counts[i++];
    return 0.5 * (low + sorted[i]);
}

struct stats_interval stats_median_bootstrap(const double *v, size_t n, double level, unsigned resamples,
                                             struct rng *rng)
{
    if (n == 0)
        return (struct stats_interval){0, 0};
    must(n <= STATS_VALUES_MAX && resamples > 0);
    AUTO_FREE double *sorted = mem_copy(v, n * sizeof(*v));
    AUTO_FREE unsigned *counts = mem_array(n, sizeof(*counts));
    AUTO_FREE double *medians = mem_array(resamples, sizeof(*medians));
    stats_sort(sorted, n);
    for (unsigned b = 0; b < resamples; b++) {
        for (size_t i = 0; i < n; i++)
            counts[i] = 0;
        for (size_t i = 0; i < n; i++)
            counts[rng_below(rng, (uint32_t)n)]++;
        medians[b] = counted_median(sorted, counts, n);
    }
    stats_sort(medians, resamples);
    double tail = 0.5 * (1.0 - level);
    return (struct stats_interval){stats_sorted_quantile(medians, resamples, tail),
                                   stats_sorted_quantile(medians, resamples, 1.0 - tail)};
}

bool stats_median_exact(const double *v, size_t n, double level, struct stats_interval *ret)
{
    must(n <= STATS_VALUES_MAX);
    // The interval from the r-th smallest to the r-th largest misses the median with twice the chance that a
    // binomial(n, 1/2) is below r. The largest r that keeps the promise is used.
    double allowed = 0.5 * (1.0 - level), below = 0;
    double log_term = -(double)n * log(2.0);
    size_t r = 0;
    while (r < n) {
        below += exp(log_term);
        if (below > allowed)
            break;
        log_term += log((double)(n - r)) - log((double)(r + 1));
        r++;
    }
    if (r == 0)
        return false;
    AUTO_FREE double *sorted = mem_copy(v, n * sizeof(*v));
    stats_sort(sorted, n);
    *ret = (struct stats_interval){sorted[r - 1], sorted[n - r]};
    return true;
}

static double flipped_sum(const double *w, size_t n, struct rng *rng)
{
    double sum = 0;
    uint32_t bits = 0;
    for (size_t i = 0; i < n; i++) {
        if (i % 32 == 0)
            bits = rng_u32(rng);
        sum += bits & 1 ? w[i] : -w[i];
        bits >>= 1;
    }
    return sum;
}

static double exact_flips(const double *w, size_t n, double limit)
{
    unsigned total = 1u << n, extreme = 0;
    for (unsigned pattern = 0; pattern < total; pattern++) {
        double sum = 0;
        for (size_t i = 0; i < n; i++)
            sum += pattern >> i & 1 ? w[i] : -w[i];
        extreme += fabs(sum) >= limit;
    }
    return (double)extreme / (double)total;
}

double stats_signflip_p(const double *v, size_t n, struct rng *rng)
{
    if (n == 0)
        return 1;
    must(n <= STATS_VALUES_MAX);
    AUTO_FREE double *w = mem_copy(v, n * sizeof(*v));
    stats_winsorise(w, n);
    double seen = 0, size = 0;
    for (size_t i = 0; i < n; i++) {
        seen += w[i];
        size += fabs(w[i]);
    }
    // Sums of the same numbers in another order differ in the last bits: ties count as extreme.
    double limit = fabs(seen) - 1e-12 * size;
    if (n <= STATS_EXACT_FLIPS_MAX)
        return exact_flips(w, n, limit);
    unsigned extreme = 1;
    for (unsigned i = 0; i < STATS_SIGN_FLIPS; i++)
        extreme += fabs(flipped_sum(w, n, rng)) >= limit;
    return (double)extreme / (double)(STATS_SIGN_FLIPS + 1);
}

struct ranked {
    double p;
    size_t index;
};

static int compare_ranked(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->p < y->p || x->p > y->p)
        return x->p < y->p ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

static struct ranked *rank_new(const double *p, size_t n)
{
    struct ranked *r = mem_array(n ? n : 1, sizeof(*r));
    for (size_t i = 0; i < n; i++)
        r[i] = (struct ranked){p[i], i};
    if (n > 1)
        qsort(r, n, sizeof(*r), compare_ranked);
    return r;
}

void stats_holm(const double *p, size_t n, double *ret_adjusted)
{
    AUTO_FREE struct ranked *r = rank_new(p, n);
    double running = 0;
    for (size_t i = 0; i < n; i++) {
        running = fmax(running, fmin(1.0, (double)(n - i) * r[i].p));
        ret_adjusted[r[i].index] = running;
    }
}

void stats_benjamini_hochberg(const double *p, size_t n, double *ret_adjusted)
{
    AUTO_FREE struct ranked *r = rank_new(p, n);
    double running = 1;
    for (size_t i = n; i-- > 0;) {
        running = fmin(running, (double)n / (double)(i + 1) * r[i].p);
        ret_adjusted[r[i].index] = running;
    }
}

double stats_normal_cdf(double z)
{
    return 0.5 * erfc(-z / M_SQRT2);
}

double stats_normal_quantile(double p)
{
    must(p > 0 && p < 1);
    double low = -40, high = 40;
    for (int i = 0; i < 100; i++) {
        double middle = 0.5 * (low + high);
        if (stats_normal_cdf(middle) < p)
            low = middle;
        else
            high = middle;
    }
    return 0.5 * (low + high);
}
