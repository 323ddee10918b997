// A/B comparison of two things that can be timed: pairs back to back in random order, until the decision rule
// (sequence.h) has an answer or the budget is at its end. Side 0 is the base, side 1 the candidate, side 2 a copy of
// the base at another path, for the A/A calibration: what the machine calls different there cannot count as a change.
// Ratios are candidate / base: below 1 the candidate is faster.
#pragma once

#include "measure/runner.h"
#include "measure/sequence.h"
#include "json/json.h"

#define AB_PAIRS_DEFAULT     200u
#define AB_PAIRS_MIN         8u // fewer cannot carry a 99 % interval
#define AB_CALIBRATION_PAIRS 20u
#define AB_REASONS_MAX       16u
#define AB_REPEAT_MAX        64u // runs per sample at most

enum ab_side { AB_BASE, AB_CANDIDATE, AB_COPY };

enum ab_metric {
#define X(name, json, word, words, unit, bencher) AB_##name,
#include "tbl/measures.def"
#undef X
    AB_METRIC_COUNT
};
const char *ab_metric_name(enum ab_metric m);    // "cpu_ns"
const char *ab_metric_words(enum ab_metric m);   // "CPU time"
const char *ab_metric_unit(enum ab_metric m);    // "ns"
const char *ab_metric_bencher(enum ab_metric m); // "latency"
bool ab_metric_is_time(enum ab_metric m);
bool ab_metric_find(const char *name_or_word, enum ab_metric *ret); // "cpu_ns" or "cpu"

struct ab_values {
    double value[AB_METRIC_COUNT]; // in the metric's unit; <= 0: not known. The primary metric must be known
    bool rss_is_bound;             // as in struct runner_result
    char output[HASH_TEXT];        // hash of what the run produced; "": not compared
};

// Takes one sample of a side. `noise` is a random number, the same for both samples of a pair (environment padding).
typedef int (*ab_sampler)(void *ctx, enum ab_side side, uint64_t noise, struct ab_values *ret, struct err *err);

struct ab_progress {
    const char *phase; // "warm-up", "calibrate", "compare"
    unsigned pairs, max_pairs;
    double ratio, low, high; // of the last look; ratio 0: none yet
    int64_t elapsed_ns;
};

struct ab_options {
    const char *name_a, *name_b; // for people; NULL: "before", "after"
    uint64_t seed;               // 0: a random one; the result has it
    enum ab_metric primary;      // AB_CPU unless only wall time is known
    double theta;                // 0: SEQUENCE_THETA, and what the calibration finds may stand in for it. Asked for:
                                 // "no difference" is said only of an interval that lies within it
    double alpha;                // 0: SEQUENCE_ALPHA
    unsigned max_pairs;          // 0: AB_PAIRS_DEFAULT
    int64_t max_wall_ns;         // 0: no limit. Sets the plan from the duration of the warm-up, and ends it
    unsigned warm_ups;           // samples of each side before anything counts
    bool calibrate;              // side 2 can be sampled: A/A first
    unsigned calibration_pairs;  // 0: AB_CALIBRATION_PAIRS
    bool stop_at_detection;      // see sequence.h
    bool alone;                  // as in struct runner_call
    void (*on_progress)(void *user, const struct ab_progress *p);
    bool (*cancelled)(void *user);
    void *user;
};

enum ab_outputs { AB_OUTPUTS_NOT_COMPARED, AB_OUTPUTS_IDENTICAL, AB_OUTPUTS_DIFFER };

struct ab_pair {
    double a[AB_METRIC_COUNT], b[AB_METRIC_COUNT];
    bool b_first;
};

struct ab_summary { // one side over all pairs, of the primary metric
    double median, mad, min, cpu_median, wall_median, rss_max;
    bool rss_is_bound;
};

struct ab_interval {
    double ratio, low, high; // 0: not known
};

struct ab_aa {
    bool done, rejects, noisy; // rejects: called its own copy different; noisy: pairs scatter by more than 15 %
    unsigned pairs;
    struct ab_interval ratio;
    double p, floor; // floor: what theta was raised to, 0 when the calibration found nothing wrong
};

struct ab_result {
    char *name_a, *name_b;
    enum verdict verdict;
    enum ab_metric metric;
    struct ab_interval ratio;                  // of the primary metric, 99 % interval
    struct ab_interval other[AB_METRIC_COUNT]; // of every metric that both sides know (the primary included)
    double hodges_lehmann;                     // second estimate of the ratio
    double level, theta, theta_asked, alpha, p,
        p_overall; // theta: after the calibration; theta_asked: 0 when nobody asked
    double mde;    // half-width of the interval, relative (0.015 is 1.5 %)
    bool past_theta;
    unsigned pairs, max_pairs, looks, pairs_needed, repeat; // repeat: runs per sample
    size_t winsorised;
    struct ab_aa aa;
    struct ab_summary a, b;
    enum ab_outputs outputs;
    unsigned outputs_differing; // pairs
    struct ab_pair *samples;    // `pairs` of them; NULL when read back from JSON without samples
    uint64_t seed;
    int64_t elapsed_ns;
    char *reasons[AB_REASONS_MAX + 1]; // in words, NULL-terminated
};

// Fails when a sampler fails or on cancel; a comparison without a clear answer is a result, not a failure.
int ab_compare(ab_sampler sample, void *ctx, const struct ab_options *options, struct ab_result **ret, struct err *err);
struct ab_result *ab_result_free(struct ab_result *r); // returns NULL

// The acceptance rule for "faster", in one place: verdict faster, the interval's near end past theta, outputs not
// different. *ret_why (may be NULL) says which part failed; static text, NULL when accepted.
bool ab_accepts(const struct ab_result *r, const char **ret_why);
// The same for "slower": what a regression gate refuses.
bool ab_refuses(const struct ab_result *r);
// Several comparisons that are judged together (the benches of one project): verdicts faster and slower that do not
// hold at the alpha given after Holm's adjustment become undecided, with a reason. 0: SEQUENCE_ALPHA.
void ab_apply_holm(struct ab_result *const *results, size_t n, double alpha);
json_t *ab_result_json_new(const struct ab_result *r, bool with_samples);
int ab_result_parse(const json_t *v, struct ab_result **ret, struct err *err);      // reads it back (plots, reports)
void ab_result_reason(struct ab_result *r, const char *fmt, ...) ATTR_PRINTF(2, 3); // adds a reason

// --- whole commands ---
struct ab_subject {
    const char *name;
    const char *const *argv;
    const char *cwd;
    const char *const *env; // whole environment; NULL: the caller's
    const char *stdin_path;
};

struct ab_command_options {
    struct ab_options common; // warm_ups and calibrate are set by ab_compare_commands
    const char *const *argv_prefix;
    int64_t run_timeout_ns;
    bool ignore_output; // do not compare standard output
    bool any_exit;      // a non-zero exit is not an error (it is compared like the output)
    unsigned repeat;    // runs per sample; 0: so many that a sample takes 20 times what starting a process costs
};

// `copy`: the base at another path, or NULL for no calibration.
int ab_compare_commands(const struct ab_subject *a, const struct ab_subject *b, const struct ab_subject *copy,
                        const struct ab_command_options *options, struct ab_result **ret, struct err *err);
