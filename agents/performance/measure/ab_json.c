// Result of a comparison as JSON and back.
//   {"verdict", "metric", "unit" (of the metric), "names": [a, b], "accepted", "why_not",
//    "ratio", "low", "high"          candidate / base with its interval
//    "change_pct", "interval": [lo, hi]   the same in per cent, -10 is 10 % less
//    "hodges_lehmann", "level", "pairs", "max_pairs", "looks", "pairs_needed", "repeat", "p", "p_overall", "alpha",
//    "theta", "theta_asked", "past_theta", "mde_pct", "winsorised", "metrics": {"cpu_ns": {"ratio", "low", "high"},
//    ...}, "aa": {"done", "pairs", "ratio", "low", "high", "p", "rejects", "noisy", "floor"}, "a": {"median",
//    "median_ns" (of times), "mad_ns", "min_ns", "cpu_median_ns", "wall_median_ns", "max_rss_kb", "max_rss_is_bound"},
//    "b":
//    ..., "outputs": "identical|differ|not compared", "outputs_differing", "seed", "elapsed_ns", "reasons": [...],
//    "samples": [[a, b, "ab" or "ba"], ...]}   primary metric per run
#include "measure/ab.h"

#include "base/attr.h"
#include "base/mem.h"
#include "base/str.h"

#include <math.h>
#include <string.h>

static const struct {
    const char *name, *word, *words, *unit, *bencher;
} METRICS[AB_METRIC_COUNT] = {
#define X(id, json, word, words, unit, bencher) {json, word, words, unit, bencher},
#include "tbl/measures.def"
#undef X
};
static const char *const OUTPUT_NAMES[] = {"not compared", "identical", "differ"};

const char *ab_metric_name(enum ab_metric m)
{
    return METRICS[m].name;
}

const char *ab_metric_words(enum ab_metric m)
{
    return METRICS[m].words;
}

const char *ab_metric_unit(enum ab_metric m)
{
    return METRICS[m].unit;
}

const char *ab_metric_bencher(enum ab_metric m)
{
    return METRICS[m].bencher;
}

bool ab_metric_is_time(enum ab_metric m)
{
    return str_eq(METRICS[m].unit, "ns");
}

bool ab_metric_find(const char *name, enum ab_metric *ret)
{
    for (int m = 0; name && m < AB_METRIC_COUNT; m++)
        if (str_eq(METRICS[m].name, name) || str_eq(METRICS[m].word, name)) {
            *ret = (enum ab_metric)m;
            return true;
        }
    return false;
}

static void put_interval(json_t *o, const struct ab_interval *in)
{
    json_put_num(o, "ratio", in->ratio);
    json_put_num(o, "low", in->low);
    json_put_num(o, "high", in->high);
}

static json_t *calibration_new(const struct ab_aa *aa)
{
    json_t *o = json_object();
    json_put_flag(o, "done", aa->done);
    if (!aa->done)
        return o;
    put_interval(o, &aa->ratio);
    json_put_int(o, "pairs", aa->pairs);
    json_put_num(o, "p", aa->p);
    json_put_flag(o, "rejects", aa->rejects);
    json_put_flag(o, "noisy", aa->noisy);
    json_put_num(o, "floor", aa->floor);
    return o;
}

static json_t *summary_new(const struct ab_summary *s, bool time)
{
    json_t *o = json_object();
    json_put_num(o, "median", s->median);
    if (time)
        json_put_num(o, "median_ns", s->median);
    json_put_num(o, time ? "mad_ns" : "mad", s->mad);
    json_put_num(o, time ? "min_ns" : "min", s->min);
    json_put_num(o, "cpu_median_ns", s->cpu_median);
    json_put_num(o, "wall_median_ns", s->wall_median);
    json_put_num(o, "max_rss_kb", s->rss_max);
    json_put_flag(o, "max_rss_is_bound", s->rss_is_bound);
    return o;
}

static void put_metrics(json_t *o, const struct ab_result *r)
{
    json_t *metrics = json_object();
    for (int m = 0; m < AB_METRIC_COUNT; m++) {
        if (r->other[m].ratio <= 0)
            continue;
        json_t *one = json_object();
        put_interval(one, &r->other[m]);
        json_put(metrics, METRICS[m].name, one);
    }
    json_put(o, "metrics", metrics);
}

static void put_samples(json_t *o, const struct ab_result *r)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < r->pairs; i++) {
        const struct ab_pair *p = &r->samples[i];
        json_array_append_new(list, json_pack("[f,f,s]", p->a[r->metric], p->b[r->metric], p->b_first ? "ba" : "ab"));
    }
    json_put(o, "samples", list);
}

json_t *ab_result_json_new(const struct ab_result *r, bool with_samples)
{
    json_t *o = json_object();
    const char *why = NULL;
    bool accepted = ab_accepts(r, &why);
    json_put_str(o, "verdict", verdict_name(r->verdict));
    json_put_str(o, "metric", METRICS[r->metric].name);
    json_put_str(o, "unit", METRICS[r->metric].unit);
    json_put(
        o, "names",
        json_pack("[o,o]", json_text_new(r->name_a, strlen(r->name_a)), json_text_new(r->name_b, strlen(r->name_b))));
    json_put_flag(o, "accepted", accepted);
    json_put_str(o, "why_not", why);
    put_interval(o, &r->ratio);
    json_put_num(o, "change_pct", 100 * (r->ratio.ratio - 1));
    json_put(o, "interval", json_pack("[f,f]", 100 * (r->ratio.low - 1), 100 * (r->ratio.high - 1)));
    json_put_num(o, "hodges_lehmann", r->hodges_lehmann);
    json_put_num(o, "level", r->level);
    json_put_int(o, "pairs", r->pairs);
    json_put_int(o, "max_pairs", r->max_pairs);
    json_put_int(o, "looks", r->looks);
    json_put_int(o, "pairs_needed", r->pairs_needed);
    json_put_int(o, "repeat", r->repeat);
    json_put_num(o, "p", r->p);
    json_put_num(o, "p_overall", r->p_overall);
    json_put_num(o, "alpha", r->alpha);
    json_put_num(o, "theta", r->theta);
    json_put_num(o, "theta_asked", r->theta_asked);
    json_put_flag(o, "past_theta", r->past_theta);
    json_put_num(o, "mde_pct", 100 * r->mde);
    json_put_int(o, "winsorised", (int64_t)r->winsorised);
    put_metrics(o, r);
    json_put(o, "aa", calibration_new(&r->aa));
    json_put(o, "a", summary_new(&r->a, ab_metric_is_time(r->metric)));
    json_put(o, "b", summary_new(&r->b, ab_metric_is_time(r->metric)));
    json_put_str(o, "outputs", OUTPUT_NAMES[r->outputs]);
    json_put_int(o, "outputs_differing", r->outputs_differing);
    json_put_int(o, "seed", (int64_t)r->seed);
    json_put_int(o, "elapsed_ns", r->elapsed_ns);
    json_t *reasons = json_array();
    for (size_t i = 0; r->reasons[i]; i++)
        json_array_append_new(reasons, json_text_new(r->reasons[i], strlen(r->reasons[i])));
    json_put(o, "reasons", reasons);
    if (with_samples)
        put_samples(o, r);
    return o;
}

static double bounded(const json_t *o, const char *key)
{
    double v = json_num(o, key, 0);
    return isfinite(v) && v >= 0 && v < 1e18 ? v : 0;
}

static unsigned bounded_count(const json_t *o, const char *key)
{
    int64_t v = json_int(o, key, 0);
    return v > 0 && v <= 1000000 ? (unsigned)v : 0;
}

static struct ab_interval read_interval(const json_t *o)
{
    return (struct ab_interval){bounded(o, "ratio"), bounded(o, "low"), bounded(o, "high")};
}

static struct ab_summary read_summary(const json_t *o, bool time)
{
    return (struct ab_summary){bounded(o, time ? "median_ns" : "median"),
                               bounded(o, time ? "mad_ns" : "mad"),
                               bounded(o, time ? "min_ns" : "min"),
                               bounded(o, "cpu_median_ns"),
                               bounded(o, "wall_median_ns"),
                               bounded(o, "max_rss_kb"),
                               json_flag(o, "max_rss_is_bound", false)};
}

static int read_samples(const json_t *v, struct ab_result *r, struct err *err)
{
    const json_t *list = json_list(v, "samples");
    if (!list) {
        r->pairs = bounded_count(v, "pairs");
        return 0;
    }
    size_t n = json_array_size(list);
    if (n > SEQUENCE_PAIRS_MAX)
        return err_set(err, ERR_LIMIT, "a comparison has %zu samples, expected at most %u", n, SEQUENCE_PAIRS_MAX);
    r->samples = mem_array(n ? n : 1, sizeof(*r->samples));
    for (size_t i = 0; i < n; i++) {
        const json_t *p = json_array_get(list, i);
        double a = json_number_value(json_array_get(p, 0)), b = json_number_value(json_array_get(p, 1));
        if (!isfinite(a) || !isfinite(b) || a <= 0 || b <= 0 || a > 1e18 || b > 1e18)
            return err_set(err, ERR_INVALID, "sample %zu of a comparison is not a pair of positive numbers", i);
        r->samples[i].a[r->metric] = a;
        r->samples[i].b[r->metric] = b;
        r->samples[i].b_first = str_eq(json_string_value(json_array_get(p, 2)), "ba");
    }
    r->pairs = (unsigned)n;
    return 0;
}

static void read_names(const json_t *v, struct ab_result *r)
{
    const json_t *names = json_list(v, "names");
    const char *a = json_string_value(json_array_get(names, 0)), *b = json_string_value(json_array_get(names, 1));
    r->name_a = str_dup(a ? a : "before");
    r->name_b = str_dup(b ? b : "after");
    const json_t *reasons = json_list(v, "reasons");
    for (size_t i = 0; i < json_array_size(reasons) && i < AB_REASONS_MAX; i++)
        if (json_is_string(json_array_get(reasons, i)))
            ab_result_reason(r, "%s", json_string_value(json_array_get(reasons, i)));
}

static int find_name(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; name && i < count; i++)
        if (str_eq(names[i], name))
            return (int)i;
    return -1;
}

static void read_metrics(const json_t *v, struct ab_result *r)
{
    const json_t *metrics = json_obj(v, "metrics");
    for (int m = 0; m < AB_METRIC_COUNT; m++)
        r->other[m] = read_interval(json_obj(metrics, METRICS[m].name));
    const json_t *aa = json_obj(v, "aa");
    r->aa = (struct ab_aa){.done = json_flag(aa, "done", false),
                           .rejects = json_flag(aa, "rejects", false),
                           .noisy = json_flag(aa, "noisy", false),
                           .pairs = bounded_count(aa, "pairs"),
                           .ratio = read_interval(aa),
                           .p = bounded(aa, "p"),
                           .floor = bounded(aa, "floor")};
}

int ab_result_parse(const json_t *v, struct ab_result **ret, struct err *err)
{
    static const char *const VERDICTS[] = {"undecided", "faster", "slower", "no_difference"};
    int verdict = find_name(VERDICTS, ARRAY_LEN(VERDICTS), json_str(v, "verdict", NULL));
    enum ab_metric metric = AB_CPU;
    bool known = ab_metric_find(json_str(v, "metric", NULL), &metric);
    int outputs = find_name(OUTPUT_NAMES, ARRAY_LEN(OUTPUT_NAMES), json_str(v, "outputs", NULL));
    if (verdict < 0 || !known || outputs < 0)
        return err_set(err, ERR_INVALID,
                       "a comparison needs \"verdict\", \"metric\" and \"outputs\" with known values");
    struct ab_result *r = mem_alloc(sizeof(*r));
    r->verdict = (enum verdict)verdict;
    r->metric = metric;
    r->outputs = (enum ab_outputs)outputs;
    r->ratio = read_interval(v);
    r->hodges_lehmann = bounded(v, "hodges_lehmann");
    r->level = bounded(v, "level");
    r->theta = bounded(v, "theta");
    r->theta_asked = bounded(v, "theta_asked");
    r->alpha = bounded(v, "alpha");
    r->p = bounded(v, "p");
    r->p_overall = bounded(v, "p_overall");
    r->mde = bounded(v, "mde_pct") / 100;
    r->past_theta = json_flag(v, "past_theta", false);
    r->max_pairs = bounded_count(v, "max_pairs");
    r->looks = bounded_count(v, "looks");
    r->pairs_needed = bounded_count(v, "pairs_needed");
    r->repeat = bounded_count(v, "repeat");
    r->winsorised = bounded_count(v, "winsorised");
    r->outputs_differing = bounded_count(v, "outputs_differing");
    r->seed = (uint64_t)json_int(v, "seed", 0);
    r->elapsed_ns = json_int(v, "elapsed_ns", 0);
    read_metrics(v, r);
    r->a = read_summary(json_obj(v, "a"), ab_metric_is_time(metric));
    r->b = read_summary(json_obj(v, "b"), ab_metric_is_time(metric));
    read_names(v, r);
    int rc = read_samples(v, r, err);
    if (rc < 0) {
        ab_result_free(r);
        return rc;
    }
    *ret = r;
    return 0;
}
