// Statistics of small samples: robust location and spread, resampling intervals and tests, multiplicity. Pure
// functions; randomness comes from the caller's generator. Values must be finite. Inputs are not changed unless
// said so.
#pragma once

#include "measure/rng.h"

#include <stdbool.h>
#include <stddef.h>

#define STATS_BOOTSTRAP_RESAMPLES 4000u
#define STATS_SIGN_FLIPS          10000u
#define STATS_EXACT_FLIPS_MAX     ((size_t)12)      // up to here all 2^n sign patterns are counted
#define STATS_VALUES_MAX          ((size_t)1 << 20) // longest sample any function takes
// Scales a median absolute deviation to a standard deviation under normal noise.
#define STATS_MAD_TO_SD 1.4826

struct stats_interval {
    double low, high;
};

void stats_sort(double *v, size_t n); // ascending, in place
double stats_mean(const double *v, size_t n);
double stats_median(const double *v, size_t n);             // 0 for n == 0, like all of these
double stats_quantile(const double *v, size_t n, double q); // linear between order statistics (type 7)
double stats_sorted_quantile(const double *sorted, size_t n, double q);
double stats_mad(const double *v, size_t n, double centre); // median of |v - centre|, not scaled
double stats_hodges_lehmann(const double *v, size_t n);     // median of all pairwise means; n <= 2000
size_t stats_winsorise(double *v, size_t n);                // in place to median +- 3 * 1.4826 * MAD; count changed

// Interval of the median from resampling with replacement (percentile bootstrap). level: 0.99 for 99 %.
struct stats_interval stats_median_bootstrap(const double *v, size_t n, double level, unsigned resamples,
                                             struct rng *rng);
// Interval of the median from order statistics: exact for every continuous distribution. False when n is too small
// for the level (8 values are needed for 99 %).
bool stats_median_exact(const double *v, size_t n, double level, struct stats_interval *ret);

// Two-sided p-value of "the values are symmetric around 0", from flipping signs; the statistic is the mean of the
// winsorised values. Exact up to 12 values, else from STATS_SIGN_FLIPS random patterns (the seen one counted in).
double stats_signflip_p(const double *v, size_t n, struct rng *rng);

// Adjusted p-values (in the order given, each <= 1): Holm bounds the chance of any false claim, Benjamini-Hochberg
// the expected share of false ones among the claims.
void stats_holm(const double *p, size_t n, double *ret_adjusted);
void stats_benjamini_hochberg(const double *p, size_t n, double *ret_adjusted);

double stats_normal_cdf(double z);
double stats_normal_quantile(double p); // 0 < p < 1
