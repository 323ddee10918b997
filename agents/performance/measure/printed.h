// Benches whose harness decides by itself how much it runs and only prints what came out, as libtest, bencher and divan do: one run of
// one bench gives one time per iteration, and two builds are compared run by run (ab.h). Their filter is a part of a name: other
// benches may run, too, and are passed over.
#pragma once

#include "measure/ab.h"

struct printed_run {
    const char *binary;     // bench program built by `cargo bench --no-run`
    const char *cwd;        // the package's folder, as cargo does it
    const char *const *env; // whole environment; NULL: the caller's
};

struct printed_settings {
    const char *id;     // name of the bench as it is printed
    int64_t timeout_ns; // of one run; 0: 10 minutes
};

// Time per iteration of the bench in what the program printed; 0 when it is not there.
double printed_time_ns(const char *text, size_t len, const char *id);

// One run; *ret_ns is the time per iteration.
int printed_sample(const struct printed_run *run, const struct printed_settings *settings, const struct ab_options *options,
                   size_t padding, double *ret_ns, struct err *err);

// Compares one bench of two binaries (third: copy of the base for calibration, may be NULL). The metric is wall time.
int printed_compare(const struct printed_run *a, const struct printed_run *b, const struct printed_run *copy,
                    const struct printed_settings *settings, const struct ab_options *options, struct ab_result **ret,
                    struct err *err);
