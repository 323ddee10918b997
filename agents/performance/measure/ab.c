// Streams of the seed: 1 pair order and noise, 2 decision rule, 3 and 4 the same for the calibration, 5 the
// intervals of the secondary metrics.
#include "measure/ab.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "measure/stats.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#define NOISY_SD      0.15 // robust standard deviation of the log ratio of a thing with itself
#define CALIBRATION_P 0.01

struct comparison {
    ab_sampler sample;
    void *ctx;
    const struct ab_options *o;
    struct ab_result *r;
    struct rng order;
    int64_t start_ns;
    struct sequence_look look; // the last one
    char reference[HASH_TEXT]; // output of the base's first run
    double theta_given;        // before the calibration raised it
    bool base_varies;          // the base's own output changes from run to run
};

void ab_result_reason(struct ab_result *r, const char *fmt, ...)
{
    size_t n = 0;
    while (r->reasons[n])
        n++;
    if (n == AB_REASONS_MAX)
        return;
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    r->reasons[n] = str_dup(text);
}

struct ab_result *ab_result_free(struct ab_result *r)
{
    if (!r)
        return NULL;
    mem_free(r->name_a);
    mem_free(r->name_b);
    mem_free(r->samples);
    for (size_t i = 0; i < AB_REASONS_MAX; i++)
        mem_free(r->reasons[i]);
    mem_free(r);
    return NULL;
}

static int take(struct comparison *c, enum ab_side side, uint64_t noise, struct ab_values *ret, struct err *err)
{
    if (c->o->cancelled && c->o->cancelled(c->o->user))
        return err_set(err, ERR_CANCELLED, "the comparison was cancelled");
    *ret = (struct ab_values){0};
    int rc = c->sample(c->ctx, side, noise, ret, err);
    if (rc < 0)
        return rc;
    double v = ret->value[c->o->primary];
    if (!isfinite(v) || v <= 0)
        return err_set(err, ERR_INVALID, "a sample of \"%s\" has no %s; expected a number above 0",
                       side == AB_CANDIDATE ? c->r->name_b : c->r->name_a, ab_metric_name(c->o->primary));
    if (side != AB_CANDIDATE && ret->output[0]) {
        if (!c->reference[0])
            snprintf(c->reference, sizeof(c->reference), "%s", ret->output);
        else if (!str_eq(c->reference, ret->output))
            c->base_varies = true;
    }
    return 0;
}

static void note_output(struct comparison *c, const struct ab_values *a, const struct ab_values *b)
{
    struct ab_result *r = c->r;
    if (!a->output[0] || !b->output[0])
        return;
    if (r->outputs == AB_OUTPUTS_NOT_COMPARED)
        r->outputs = AB_OUTPUTS_IDENTICAL;
    if (!str_eq(a->output, b->output)) {
        r->outputs = AB_OUTPUTS_DIFFER;
        r->outputs_differing++;
    }
}

// One pair of the sides AB_BASE and `other`, in random order.
static int take_pair(struct comparison *c, enum ab_side other, struct rng *order, struct ab_pair *ret, struct err *err)
{
    struct ab_values first, second;
    uint64_t noise = rng_u64(order);
    bool swap = rng_coin(order);
    int rc = take(c, swap ? other : AB_BASE, noise, &first, err);
    if (rc >= 0)
        rc = take(c, swap ? AB_BASE : other, noise, &second, err);
    if (rc < 0)
        return rc;
    const struct ab_values *a = swap ? &second : &first, *b = swap ? &first : &second;
    for (int m = 0; m < AB_METRIC_COUNT; m++) {
        ret->a[m] = isfinite(a->value[m]) && a->value[m] > 0 ? a->value[m] : 0;
        ret->b[m] = isfinite(b->value[m]) && b->value[m] > 0 ? b->value[m] : 0;
    }
    ret->b_first = swap;
    if (other == AB_CANDIDATE) {
        note_output(c, a, b);
        c->r->a.rss_is_bound |= a->rss_is_bound;
        c->r->b.rss_is_bound |= b->rss_is_bound;
    }
    return 0;
}

static void report(const struct comparison *c, const char *phase, unsigned pairs, unsigned max_pairs)
{
    if (!c->o->on_progress)
        return;
    struct ab_progress p = {
        .phase = phase, .pairs = pairs, .max_pairs = max_pairs, .elapsed_ns = clock_mono_ns() - c->start_ns};
    if (c->look.pairs) {
        p.ratio = exp(c->look.centre);
        p.low = exp(c->look.low);
        p.high = exp(c->look.high);
    }
    c->o->on_progress(c->o->user, &p);
}

static bool out_of_time(const struct comparison *c)
{
    return c->o->max_wall_ns > 0 && clock_mono_ns() - c->start_ns >= c->o->max_wall_ns;
}

// Warms caches on both sides and plans the number of pairs that the time allows.
static int warm_up(struct comparison *c, struct err *err)
{
    struct ab_values v;
    report(c, "warm-up", 0, 0);
    unsigned rounds = c->o->warm_ups;
    if (rounds == 0 && c->o->max_wall_ns > 0)
        rounds = 1;
    int sides = c->o->calibrate ? 3 : 2;
    int64_t before = clock_mono_ns();
    for (unsigned i = 0; i < rounds; i++) {
        before = clock_mono_ns(); // the last round, with caches warm, is the one to plan by
        for (int side = AB_BASE; side < sides; side++) {
            int rc = take(c, (enum ab_side)side, rng_u64(&c->order), &v, err);
            if (rc < 0)
                return rc;
        }
    }
    unsigned plan = c->o->max_pairs ? c->o->max_pairs : AB_PAIRS_DEFAULT;
    if (plan > SEQUENCE_PAIRS_MAX)
        plan = SEQUENCE_PAIRS_MAX;
    if (c->o->max_wall_ns > 0) {
        int64_t pair_ns = (clock_mono_ns() - before) * 2 / sides;
        int64_t left = c->o->max_wall_ns - (clock_mono_ns() - c->start_ns);
        int64_t fit = left / (pair_ns > 0 ? pair_ns : 1);
        if (c->o->calibrate) // the calibration takes its pairs out of the same budget
            fit -= fit / 3 < AB_CALIBRATION_PAIRS ? fit / 3 : AB_CALIBRATION_PAIRS;
        if (fit < (int64_t)plan)
            plan = fit < AB_PAIRS_MIN ? AB_PAIRS_MIN : (unsigned)fit;
    }
    c->r->max_pairs = plan;
    return 0;
}

static double spread(const double *d, unsigned n)
{
    return STATS_MAD_TO_SD * stats_mad(d, n, stats_median(d, n));
}

// What the A/A pairs say: a machine that calls a thing different from its copy cannot be trusted with effects of
// that size, so theta is raised past them.
static void judge_calibration(struct comparison *c, const double *d, unsigned n)
{
    struct ab_aa *aa = &c->r->aa;
    struct rng rng;
    rng_seed(&rng, c->r->seed, 4);
    struct stats_interval in = {stats_quantile(d, n, 0), stats_quantile(d, n, 1)};
    if (n >= SEQUENCE_BOOTSTRAP_FROM)
        in = stats_median_bootstrap(d, n, SEQUENCE_LEVEL, STATS_BOOTSTRAP_RESAMPLES, &rng);
    double centre = stats_median(d, n), half = 0.5 * (in.high - in.low);
    aa->done = true;
    aa->pairs = n;
    aa->ratio = (struct ab_interval){exp(centre), exp(in.low), exp(in.high)};
    aa->p = stats_signflip_p(d, n, &rng);
    aa->rejects = aa->p <= CALIBRATION_P && (in.low > 0 || in.high < 0);
    aa->noisy = spread(d, n) > NOISY_SD;
    // Scatter shrinks with the number of pairs, so it counts as it will be at the end of the plan; a bias does not.
    if (aa->noisy)
        aa->floor = expm1(fmin(2 * half * sqrt(fmin(1.0, (double)n / c->r->max_pairs)), 1.0));
    if (aa->rejects)
        aa->floor = expm1(fmin(fmax(2 * half, fmax(fabs(in.low), fabs(in.high))), 1.0));
    if (aa->rejects)
        ab_result_reason(
            c->r, "the base measured against a copy of itself differs by %+.1f %%: only changes beyond %.1f %% count",
            100 * (aa->ratio.ratio - 1), 100 * aa->floor);
    else if (aa->noisy)
        ab_result_reason(c->r,
                         "this machine is noisy: runs of the same program scatter by %.0f %% from pair to pair; only "
                         "changes beyond %.1f %% count",
                         100 * expm1(spread(d, n)), 100 * aa->floor);
}

static int calibrate(struct comparison *c, struct err *err)
{
    double d[SEQUENCE_PAIRS_MAX];
    unsigned want = c->o->calibration_pairs ? c->o->calibration_pairs : AB_CALIBRATION_PAIRS;
    if (want > SEQUENCE_PAIRS_MAX)
        want = SEQUENCE_PAIRS_MAX;
    struct rng order;
    rng_seed(&order, c->r->seed, 3);
    unsigned n = 0;
    for (; n < want; n++) {
        // At most a third of the time goes into the calibration.
        if (c->o->max_wall_ns > 0 && clock_mono_ns() - c->start_ns > c->o->max_wall_ns / 3)
            break;
        struct ab_pair pair;
        int rc = take_pair(c, AB_COPY, &order, &pair, err);
        if (rc < 0)
            return rc;
        d[n] = log(pair.b[c->o->primary] / pair.a[c->o->primary]);
        report(c, "calibrate", n + 1, want);
    }
    if (n >= AB_PAIRS_MIN)
        judge_calibration(c, d, n);
    else
        ab_result_reason(c->r, "no calibration: the time allows %u pairs of the base against its copy, %u are needed",
                         n, AB_PAIRS_MIN);
    return 0;
}

static int collect(struct comparison *c, struct err *err)
{
    struct ab_result *r = c->r;
    AUTO_FREE double *d = mem_array(r->max_pairs, sizeof(*d));
    r->samples = mem_array(r->max_pairs, sizeof(*r->samples));
    struct sequence s;
    struct sequence_rule rule = {.theta = r->theta,
                                 .theta_same = c->theta_given,
                                 .same_is_firm = r->theta_asked > 0,
                                 .alpha = r->alpha,
                                 .level = r->level,
                                 .max_pairs = r->max_pairs,
                                 .stop_at_detection = c->o->stop_at_detection};
    sequence_start(&s, &rule, r->seed);
    unsigned next = sequence_next_look(&s, 0);
    while (r->pairs < r->max_pairs) {
        struct ab_pair *pair = &r->samples[r->pairs];
        int rc = take_pair(c, AB_CANDIDATE, &c->order, pair, err);
        if (rc < 0)
            return rc;
        d[r->pairs++] = log(pair->b[c->o->primary] / pair->a[c->o->primary]);
        bool last = r->pairs == r->max_pairs || out_of_time(c);
        if (r->pairs == next || last) {
            sequence_look(&s, d, r->pairs, last, &c->look);
            next = sequence_next_look(&s, r->pairs);
        }
        report(c, "compare", r->pairs, r->max_pairs);
        if (last || (c->look.pairs == r->pairs && c->look.stop))
            break;
    }
    r->looks = s.looks;
    return 0;
}

static void summarise_side(const struct ab_result *r, bool b, struct ab_summary *ret)
{
    AUTO_FREE double *v = mem_array(r->pairs, sizeof(*v));
    double medians[AB_METRIC_COUNT] = {0};
    for (int m = 0; m < AB_METRIC_COUNT; m++) {
        for (unsigned i = 0; i < r->pairs; i++)
            v[i] = b ? r->samples[i].b[m] : r->samples[i].a[m];
        medians[m] = stats_median(v, r->pairs);
        if (m == AB_RSS)
            ret->rss_max = stats_quantile(v, r->pairs, 1);
        if (m == (int)r->metric) {
            ret->median = medians[m];
            ret->mad = stats_mad(v, r->pairs, medians[m]);
            ret->min = stats_quantile(v, r->pairs, 0);
        }
    }
    ret->cpu_median = medians[AB_CPU];
    ret->wall_median = medians[AB_WALL];
}

static void summarise_metric(struct ab_result *r, int m)
{
    AUTO_FREE double *d = mem_array(r->pairs, sizeof(*d));
    for (unsigned i = 0; i < r->pairs; i++) {
        if (r->samples[i].a[m] <= 0 || r->samples[i].b[m] <= 0)
            return;
        d[i] = log(r->samples[i].b[m] / r->samples[i].a[m]);
    }
    struct rng rng;
    rng_seed(&rng, r->seed, 5);
    struct stats_interval in = {stats_quantile(d, r->pairs, 0), stats_quantile(d, r->pairs, 1)};
    if (r->pairs >= SEQUENCE_BOOTSTRAP_FROM)
        in = stats_median_bootstrap(d, r->pairs, r->level, STATS_BOOTSTRAP_RESAMPLES, &rng);
    if (m == (int)r->metric)
        r->hodges_lehmann = exp(stats_hodges_lehmann(d, r->pairs));
    r->other[m] = (struct ab_interval){exp(stats_median(d, r->pairs)), exp(in.low), exp(in.high)};
}

static void explain(struct comparison *c)
{
    struct ab_result *r = c->r;
    const struct sequence_look *look = &c->look;
    double change = 100 * (r->ratio.ratio - 1);
    if (r->verdict == VERDICT_SAME)
        ab_result_reason(r, "the %.0f %% interval lies within %.1f %% of no change", 100 * r->level,
                         100 * (r->theta_asked > 0 ? r->theta_asked : r->theta));
    else if (r->verdict != VERDICT_UNDECIDED)
        ab_result_reason(r, "%+.1f %% with the %.0f %% interval on one side, p = %.2g where %.2g was allowed", change,
                         100 * r->level, r->p, look->nominal);
    if ((r->verdict == VERDICT_FASTER || r->verdict == VERDICT_SLOWER) && !r->past_theta)
        ab_result_reason(r, "the change is real, but the interval reaches below the %.1f %% that counts",
                         100 * r->theta);
    if (r->verdict != VERDICT_UNDECIDED)
        return;
    if (!look->interval_ok)
        ab_result_reason(r, "only %u pairs fitted into the time; at least %u are needed", r->pairs, AB_PAIRS_MIN);
    else if (look->hopeless)
        ab_result_reason(r, "stopped early: %u pairs would not bring a decision either, runs scatter too much",
                         r->max_pairs);
    if (r->theta_asked > 0 && r->theta > r->theta_asked)
        ab_result_reason(r,
                         "changes of %.3g %% were asked for; here and now, this machine cannot tell less than %.1f %%",
                         100 * r->theta_asked, 100 * r->theta);
    if (look->pairs_needed)
        ab_result_reason(r, "about %u pairs would be needed to decide", look->pairs_needed);
}

static void conclude(struct comparison *c)
{
    struct ab_result *r = c->r;
    const struct sequence_look *look = &c->look;
    r->verdict = look->verdict;
    r->ratio = (struct ab_interval){exp(look->centre), exp(look->low), exp(look->high)};
    r->p = look->p;
    r->p_overall = look->p_overall;
    r->past_theta = look->past_theta;
    r->mde = expm1(0.5 * (look->high - look->low));
    r->winsorised = look->winsorised;
    r->pairs_needed = look->pairs_needed;
    summarise_side(r, false, &r->a);
    summarise_side(r, true, &r->b);
    for (int m = 0; m < AB_METRIC_COUNT; m++)
        summarise_metric(r, m);
    if (c->base_varies && r->outputs == AB_OUTPUTS_DIFFER) {
        r->outputs = AB_OUTPUTS_NOT_COMPARED;
        ab_result_reason(r, "outputs cannot be compared: the base's own output changes from run to run");
    } else if (r->outputs == AB_OUTPUTS_DIFFER) {
        ab_result_reason(r, "the outputs differ in %u of %u pairs", r->outputs_differing, r->pairs);
    }
    if (r->metric == AB_RSS && r->a.rss_is_bound && r->b.rss_is_bound) {
        r->verdict = VERDICT_UNDECIDED;
        r->past_theta = false;
        ab_result_reason(r, "both need less memory than what starts them: their own peak cannot be seen");
    }
    explain(c);
    r->elapsed_ns = clock_mono_ns() - c->start_ns;
}

static struct ab_result *result_new(const struct ab_options *o)
{
    struct ab_result *r = mem_alloc(sizeof(*r));
    r->name_a = str_dup(o->name_a ? o->name_a : "before");
    r->name_b = str_dup(o->name_b ? o->name_b : "after");
    r->metric = o->primary;
    r->theta_asked = o->theta > 0 ? o->theta : 0;
    r->theta = o->theta > 0 ? o->theta : SEQUENCE_THETA;
    r->alpha = o->alpha > 0 ? o->alpha : SEQUENCE_ALPHA;
    r->level = SEQUENCE_LEVEL;
    r->repeat = 1;
    // 53 bits, so that the seed survives as a JSON number in every reader.
    r->seed = o->seed ? o->seed : (id_random_u64() >> 11) | 1;
    return r;
}

int ab_compare(ab_sampler sample, void *ctx, const struct ab_options *options, struct ab_result **ret, struct err *err)
{
    struct comparison c = {
        .sample = sample, .ctx = ctx, .o = options, .r = result_new(options), .start_ns = clock_mono_ns()};
    rng_seed(&c.order, c.r->seed, 1);
    int rc = warm_up(&c, err);
    if (rc >= 0 && options->calibrate)
        rc = calibrate(&c, err);
    c.theta_given = c.r->theta;
    c.r->theta = fmax(c.r->theta, c.r->aa.floor);
    if (rc >= 0)
        rc = collect(&c, err);
    if (rc < 0) {
        ab_result_free(c.r);
        return rc;
    }
    conclude(&c);
    *ret = c.r;
    return 0;
}

bool ab_accepts(const struct ab_result *r, const char **ret_why)
{
    const char *why = NULL;
    if (r->outputs == AB_OUTPUTS_DIFFER)
        why = "the outputs differ";
    else if (r->verdict == VERDICT_UNDECIDED)
        why = "undecided: the runs scatter too much, or the time was too short, to tell";
    else if (r->verdict == VERDICT_SAME)
        why = "it makes no difference that counts";
    else if (r->verdict != VERDICT_FASTER)
        why = "it does not measure faster";
    else if (!r->past_theta)
        why = "the interval reaches below the smallest change that counts";
    if (ret_why)
        *ret_why = why;
    return why == NULL;
}

bool ab_refuses(const struct ab_result *r)
{
    return r->verdict == VERDICT_SLOWER && r->past_theta;
}

void ab_apply_holm(struct ab_result *const *results, size_t n, double alpha)
{
    AUTO_FREE double *p = mem_array(n ? n : 1, sizeof(*p));
    AUTO_FREE double *adjusted = mem_array(n ? n : 1, sizeof(*adjusted));
    double limit = alpha > 0 ? alpha : SEQUENCE_ALPHA;
    for (size_t i = 0; i < n; i++)
        p[i] = results[i]->p_overall;
    stats_holm(p, n, adjusted);
    for (size_t i = 0; i < n; i++) {
        struct ab_result *r = results[i];
        bool claims = r->verdict == VERDICT_FASTER || r->verdict == VERDICT_SLOWER;
        if (!claims || adjusted[i] <= limit)
            continue;
        r->verdict = VERDICT_UNDECIDED;
        r->past_theta = false;
        ab_result_reason(r, "one of %zu comparisons: after Holm's adjustment p = %.2g is above %.2g", n, adjusted[i],
                         limit);
    }
}
