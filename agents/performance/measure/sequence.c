#include "measure/sequence.h"

#include "base/attr.h"
#include "base/err.h"
#include "base/mem.h"
#include "measure/stats.h"

#include <math.h>

#define HOPELESS_FROM 30 // pairs; the half-width is a poor guess before

static const unsigned FIRST_LOOKS[] = {10, 20, 30, 45, 60, 80};

const char *verdict_name(enum verdict v)
{
    switch (v) {
    case VERDICT_UNDECIDED:
        return "undecided";
    case VERDICT_FASTER:
        return "faster";
    case VERDICT_SLOWER:
        return "slower";
    case VERDICT_SAME:
        return "no_difference";
    }
    return "undecided";
}

void sequence_start(struct sequence *s, const struct sequence_rule *rule, uint64_t seed)
{
    *s = (struct sequence){.rule = *rule};
    if (s->rule.theta <= 0)
        s->rule.theta = SEQUENCE_THETA;
    if (s->rule.theta_same <= 0)
        s->rule.theta_same = s->rule.theta;
    if (s->rule.alpha <= 0)
        s->rule.alpha = SEQUENCE_ALPHA;
    if (s->rule.level <= 0)
        s->rule.level = SEQUENCE_LEVEL;
    must(s->rule.max_pairs > 0 && s->rule.max_pairs <= SEQUENCE_PAIRS_MAX);
    spending_start(&s->spending, s->rule.alpha);
    rng_seed(&s->rng, seed, 2);
}

unsigned sequence_next_look(const struct sequence *s, unsigned pairs)
{
    unsigned next = 0;
    for (size_t i = 0; i < ARRAY_LEN(FIRST_LOOKS) && next <= pairs; i++)
        next = FIRST_LOOKS[i];
    while (next <= pairs)
        next = (next + next / 3 + 4) / 5 * 5;
    return next < s->rule.max_pairs ? next : s->rule.max_pairs;
}

static void estimate(struct sequence *s, const double *d, unsigned n, struct sequence_look *look)
{
    look->centre = stats_median(d, n);
    struct stats_interval in = {stats_quantile(d, n, 0), stats_quantile(d, n, 1)};
    if (n >= SEQUENCE_BOOTSTRAP_FROM) {
        in = stats_median_bootstrap(d, n, s->rule.level, STATS_BOOTSTRAP_RESAMPLES, &s->rng);
        look->interval_ok = true;
    } else {
        look->interval_ok = stats_median_exact(d, n, s->rule.level, &in);
    }
    look->low = in.low;
    look->high = in.high;
}

static size_t count_winsorised(const double *d, unsigned n)
{
    AUTO_FREE double *copy = mem_copy(d, n * sizeof(*d));
    return stats_winsorise(copy, n);
}

// The half-width shrinks with the root of the number of pairs; how many bring a decision if the estimate stays? None
// do for what is too large to be the same, and too small to count.
static unsigned pairs_needed(const struct sequence_look *look, double same, double theta)
{
    double half = 0.5 * (look->high - look->low), centre = fabs(look->centre);
    double room = centre < same ? same - centre : centre - theta;
    if (half <= 0 || room <= 0)
        return 0;
    double n = ceil(look->pairs * (half / room) * (half / room));
    if (n > 1e6)
        return 0;
    return n > look->pairs ? (unsigned)n : look->pairs + 1;
}

// Half of the room, on the scale of the logarithm, inside which an interval means "the same" when no more pairs come.
static double same_at_end(const struct sequence *s)
{
    return log1p(s->rule.same_is_firm ? s->rule.theta_same : s->rule.theta);
}

// With the half-width that the end of the plan can bring: could the interval still come to lie past theta, or inside
// what counts as the same, when the truth is up to two standard errors farther out, or one nearer to 0, than the
// estimate?
static bool hopeless(const struct sequence *s, const struct sequence_look *look)
{
    if (look->pairs < HOPELESS_FROM)
        return false;
    double theta = log1p(s->rule.theta), half = 0.5 * (look->high - look->low);
    double error = half / stats_normal_quantile(0.5 + 0.5 * s->rule.level);
    double half_at_end = half * sqrt((double)look->pairs / (double)s->rule.max_pairs);
    return fabs(look->centre) + 2 * error - half_at_end < theta &&
           fmax(0, fabs(look->centre) - error) + half_at_end > same_at_end(s);
}

static void decide(const struct sequence *s, bool last, struct sequence_look *look)
{
    double theta = log1p(s->rule.theta), same = last ? same_at_end(s) : log1p(s->rule.theta_same);
    if (!look->interval_ok)
        return;
    if (look->low > -same && look->high < same) {
        look->verdict = VERDICT_SAME;
    } else if (look->p <= look->nominal && look->high < 0 && look->centre < -theta) {
        look->verdict = VERDICT_FASTER;
        look->past_theta = look->high < -theta;
    } else if (look->p <= look->nominal && look->low > 0 && look->centre > theta) {
        look->verdict = VERDICT_SLOWER;
        look->past_theta = look->low > theta;
    }
}

void sequence_look(struct sequence *s, const double *d, unsigned n, bool last, struct sequence_look *ret)
{
    must(n > 0 && n <= s->rule.max_pairs);
    *ret = (struct sequence_look){.pairs = n};
    double fraction = (double)n / (double)s->rule.max_pairs;
    estimate(s, d, n, ret);
    ret->winsorised = count_winsorised(d, n);
    ret->p = stats_signflip_p(d, n, &s->rng);
    ret->nominal = spending_look(&s->spending, fraction);
    ret->p_overall = ret->nominal > 0 ? fmin(1, ret->p * s->rule.alpha / ret->nominal) : 1;
    s->looks++;
    decide(s, last, ret);
    bool detected = ret->verdict == VERDICT_FASTER || ret->verdict == VERDICT_SLOWER;
    ret->stop = last || ret->verdict == VERDICT_SAME || (detected && (ret->past_theta || s->rule.stop_at_detection));
    if (!ret->stop && hopeless(s, ret))
        ret->hopeless = ret->stop = true;
    if (ret->verdict == VERDICT_UNDECIDED)
        ret->pairs_needed = pairs_needed(ret, same_at_end(s), log1p(s->rule.theta));
}
