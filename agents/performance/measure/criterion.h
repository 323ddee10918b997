// Criterion.rs benches: reading what a run left behind (versions 0.3.0 to 0.8) and running one bench of one bench
// binary for a short sample, so that two builds of it can be compared pair by pair (ab.h).
#pragma once

#include "measure/ab.h"

#define CRITERION_FILE_MAX    ((size_t)16 * 1024 * 1024)
#define CRITERION_SAMPLES_MAX ((size_t)100000)
#define CRITERION_BENCHES_MAX ((size_t)4096)
#define CRITERION_DEPTH_MAX   8

struct criterion_bench {
    char *id, *group, *function, *value; // "group/function/value"; function and value may be NULL
    char *dir;                           // folder that holds sample.json
    bool linear;                         // iterations grow from sample to sample: the slope is the estimate
    size_t samples;
    double *iters, *times;                           // raw: times[i] ns for iters[i] iterations
    double median_ns, mad_ns, mean_ns, slope_ns;     // per iteration, ours, from the raw samples
    double estimate_ns, estimate_low, estimate_high; // criterion's own (slope, else mean); 0: not there
    double bytes, elements;                          // declared throughput per iteration, 0: none
};

struct criterion_list {
    struct criterion_bench *items;
    size_t len, cap;
    unsigned unreadable; // folders that looked like a bench but could not be read
};

// Reads all benches below a criterion folder (target/criterion), sorted by id. `baseline`: NULL for "new".
// An absent folder is ERR_NOT_FOUND.
int criterion_list_read(const char *root, const char *baseline, struct criterion_list *ret, struct err *err);
void criterion_list_free(struct criterion_list *list);
const struct criterion_bench *criterion_list_find(const struct criterion_list *list, const char *id); // or NULL
int criterion_read(const char *dir, struct criterion_bench *ret, struct err *err); // one folder with sample.json
void criterion_bench_free(struct criterion_bench *b);
double criterion_time_ns(const struct criterion_bench *b); // per iteration: slope when linear, else median
json_t *criterion_bench_json_new(const struct criterion_bench *b);

// The three files, from parsed JSON (for tests and fuzzing); they fill their part of *ret.
int criterion_parse_sample(const json_t *v, struct criterion_bench *ret, struct err *err);
int criterion_parse_benchmark(const json_t *v, struct criterion_bench *ret, struct err *err);
int criterion_parse_estimates(const json_t *v, struct criterion_bench *ret, struct err *err);

// --- running ---
struct criterion_run {
    const char *binary;     // bench program built by `cargo bench --no-run`
    const char *cwd;        // the package's folder, as cargo does it
    const char *const *env; // whole environment; NULL: the caller's
    const char *home;       // scratch folder of this side; emptied before every run
};

struct criterion_settings {
    const char *id;
    double warm_up_s, measurement_s; // 0: 1 second each. Before 0.4 only whole seconds are understood
    unsigned sample_size;            // 0: 10, the least criterion takes
    const char *const *argv_prefix;
    int64_t timeout_ns;
};

// The id as an anchored regular expression; owned by the caller.
char *criterion_filter(const char *id);
// Arguments behind the program, NULL-terminated; free with str_list_free. `exact`: the id as an anchored regular
// expression; else as plain text (0.3.0 matches parts of names literally).
char **criterion_args(const struct criterion_settings *s, bool exact);

// Compares one bench of two binaries (third: copy of the base for calibration, may be NULL). The metric is wall
// time per iteration, which is all that criterion knows.
int criterion_compare(const struct criterion_run *a, const struct criterion_run *b, const struct criterion_run *copy,
                      const struct criterion_settings *settings, const struct ab_options *options,
                      struct ab_result **ret, struct err *err);
