// agents/performance/measure: random numbers, statistics, spending.
#include "support/support.h"

#include "base/attr.h"
#include "measure/rng.h"
#include "measure/spending.h"
#include "measure/stats.h"

#include <math.h>

#define near(a, b, tolerance) assert_true(fabs((a) - (b)) <= (tolerance))

static void test_rng_gives_the_published_numbers(void **state)
{
    (void)state;
    static const uint32_t EXPECTED[] = {0xa15c02b7, 0x7b47f409, 0xba1d3330, 0x83d2f293, 0xbfa4784b, 0xcbed606e};
    struct rng r;
    rng_seed(&r, 42, 54);
    for (size_t i = 0; i < ARRAY_LEN(EXPECTED); i++)
        assert_int_equal(rng_u32(&r), EXPECTED[i]);
}

static void test_rng_below_is_even(void **state)
{
    (void)state;
    struct rng r;
    unsigned seen[7] = {0};
    rng_seed(&r, 1, 1);
    for (int i = 0; i < 70000; i++)
        seen[rng_below(&r, 7)]++;
    for (int i = 0; i < 7; i++)
        assert_in_range(seen[i], 9600, 10400);
}

static void test_stats_location_and_spread(void **state)
{
    (void)state;
    const double v[] = {9, 1, 4, 2, 100};
    near(stats_median(v, 5), 4, 0);
    near(stats_median(v, 4), 3, 0);
    near(stats_median(v, 0), 0, 0);
    near(stats_quantile(v, 5, 0.25), 2, 0);
    near(stats_quantile(v, 5, 0.9), 63.6, 1e-9); // R: quantile(c(9,1,4,2,100), .9) is 63.6
    near(stats_mad(v, 5, 4), 3, 0);
    const double h[] = {1, 2, 4};
    near(stats_hodges_lehmann(h, 3), 2.25, 1e-12); // means 1, 1.5, 2, 2.5, 3, 4
}

static void test_stats_winsorise_pulls_only_the_far_values(void **state)
{
    (void)state;
    double v[] = {1, 2, 3, 4, 5, 1000, -500};
    assert_int_equal(stats_winsorise(v, 7), 2);
    near(v[5], 3 + 3 * 1.4826 * 2, 1e-9);
    near(v[6], 3 - 3 * 1.4826 * 2, 1e-9);
    near(v[0], 1, 0);
    double equal[] = {1, 1, 1, 7};
    assert_int_equal(stats_winsorise(equal, 4), 0);
}

static void test_stats_signflip_counts_exactly(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 1, 1);
    const double all_up[] = {1, 2, 3, 4, 5};
    near(stats_signflip_p(all_up, 5, &r), 2.0 / 32, 1e-12);
    const double mixed[] = {1, 2, -3}; // |sum| is never below 0
    near(stats_signflip_p(mixed, 3, &r), 1, 1e-12);
    const double two[] = {3, 1, -1}; // sums 5 3 3 1 and their negatives: 6 of 8 at least 3
    near(stats_signflip_p(two, 3, &r), 0.75, 1e-12);
    double many[40];
    for (int i = 0; i < 40; i++)
        many[i] = 1 + 0.01 * i;
    near(stats_signflip_p(many, 40, &r), 1.0 / (STATS_SIGN_FLIPS + 1), 1e-12);
}

static void test_stats_signflip_sampled_agrees_with_exact(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 3, 1);
    double v[13];
    for (int i = 0; i < 13; i++)
        v[i] = rng_normal(&r) + 0.5;
    // 13 values are sampled; counted here in full, on values without outliers to pull in.
    double limit = fabs(stats_mean(v, 13)) * 13 - 1e-12;
    unsigned extreme = 0;
    for (unsigned pattern = 0; pattern < 1u << 13; pattern++) {
        double sum = 0;
        for (int i = 0; i < 13; i++)
            sum += pattern >> i & 1 ? v[i] : -v[i];
        extreme += fabs(sum) >= limit;
    }
    double copy[13];
    for (int i = 0; i < 13; i++)
        copy[i] = v[i];
    assert_int_equal(stats_winsorise(copy, 13), 0);
    near(stats_signflip_p(v, 13, &r), extreme / 8192.0, 0.02);
}

static void test_stats_exact_median_interval(void **state)
{
    (void)state;
    double v[20];
    struct stats_interval in;
    for (int i = 0; i < 20; i++)
        v[i] = i + 1;
    assert_false(stats_median_exact(v, 7, 0.99, &in)); // 2 / 128 is above 1 %
    assert_true(stats_median_exact(v, 8, 0.99, &in));
    near(in.low, 1, 0);
    near(in.high, 8, 0);
    assert_true(stats_median_exact(v, 20, 0.95, &in)); // tables: ranks 6 and 15
    near(in.low, 6, 0);
    near(in.high, 15, 0);
}

static void test_stats_bootstrap_is_reproducible_and_near_exact(void **state)
{
    (void)state;
    double v[101];
    for (int i = 0; i < 101; i++)
        v[i] = i;
    struct rng a, b;
    rng_seed(&a, 9, 2);
    rng_seed(&b, 9, 2);
    struct stats_interval x = stats_median_bootstrap(v, 101, 0.99, 4000, &a);
    struct stats_interval y = stats_median_bootstrap(v, 101, 0.99, 4000, &b);
    near(x.low, y.low, 0);
    near(x.high, y.high, 0);
    near(x.low, 37, 2); // ranks 50.5 -+ 2.576 * sqrt(101) / 2
    near(x.high, 63, 2);
}

static void test_stats_holm_and_benjamini_hochberg(void **state)
{
    (void)state;
    const double p[] = {0.01, 0.04, 0.03, 0.005}; // R: p.adjust
    const double holm[] = {0.03, 0.06, 0.06, 0.02}, bh[] = {0.02, 0.04, 0.04, 0.02};
    double out[4];
    stats_holm(p, 4, out);
    for (int i = 0; i < 4; i++)
        near(out[i], holm[i], 1e-12);
    stats_benjamini_hochberg(p, 4, out);
    for (int i = 0; i < 4; i++)
        near(out[i], bh[i], 1e-12);
    stats_holm(NULL, 0, out);
}

static void test_stats_normal(void **state)
{
    (void)state;
    near(stats_normal_cdf(1.959964), 0.975, 1e-6);
    near(stats_normal_quantile(0.995), 2.575829, 1e-6);
}

static void test_spending_gives_the_published_bounds(void **state)
{
    (void)state;
    // Lan-DeMets bounds of Pocock type, alpha .05 two-sided, five equal steps (Reboussin et al. 2000).
    static const double BOUNDS[] = {2.4380, 2.4268, 2.4101, 2.3966, 2.3859};
    struct spending s;
    spending_start(&s, 0.05);
    for (int i = 0; i < 5; i++) {
        double p = spending_look(&s, (i + 1) / 5.0);
        near(stats_normal_quantile(1 - p / 2), BOUNDS[i], 0.002);
    }
    near(s.spent, 0.05, 1e-4);
}

static void test_spending_crossing_of_pocock_constants(void **state)
{
    (void)state;
    // Pocock 1977: constant bounds for alpha .05.
    const double two[] = {2.178, 2.178}, five[] = {2.413, 2.413, 2.413, 2.413, 2.413};
    const double half[] = {0.5, 1}, fifths[] = {0.2, 0.4, 0.6, 0.8, 1};
    near(spending_crossing(half, two, 2), 0.05, 2e-4);
    near(spending_crossing(fifths, five, 5), 0.05, 2e-4);
    const double naive[] = {1.96, 1.96, 1.96, 1.96, 1.96};
    near(spending_crossing(fifths, naive, 5), 0.142, 0.001);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rng_gives_the_published_numbers),
        cmocka_unit_test(test_rng_below_is_even),
        cmocka_unit_test(test_stats_location_and_spread),
        cmocka_unit_test(test_stats_winsorise_pulls_only_the_far_values),
        cmocka_unit_test(test_stats_signflip_counts_exactly),
        cmocka_unit_test(test_stats_signflip_sampled_agrees_with_exact),
        cmocka_unit_test(test_stats_exact_median_interval),
        cmocka_unit_test(test_stats_bootstrap_is_reproducible_and_near_exact),
        cmocka_unit_test(test_stats_holm_and_benjamini_hochberg),
        cmocka_unit_test(test_stats_normal),
        cmocka_unit_test(test_spending_gives_the_published_bounds),
        cmocka_unit_test(test_spending_crossing_of_pocock_constants),
    };
    return cmocka_run_group_tests_name("measure_stats", tests, NULL, NULL);
}
