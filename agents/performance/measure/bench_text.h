// What bench programs print: which harness a program uses, the names it lists, and the result tables of divan and
// libtest. Text from outside: bounded, anything that does not fit is passed over.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define BENCH_TEXT_MAX  ((size_t)4 * 1024 * 1024)
#define BENCH_ROWS_MAX  ((size_t)4096)
#define BENCH_DEPTH_MAX 16

enum bench_harness { BENCH_UNKNOWN, BENCH_CRITERION, BENCH_DIVAN, BENCH_LIBTEST, BENCH_PLAIN };
const char *bench_harness_name(enum bench_harness h); // "unknown", "criterion", "divan", "libtest", "plain"

// From what the program printed for --help and --list (each may be NULL) and the names of the package's
// dev-dependencies (NULL-terminated, may be NULL). What the program says wins; dependencies decide only when nothing
// was printed. BENCH_PLAIN: it answered, but like none of the harnesses: a program of its own, to be timed as a whole.
enum bench_harness bench_harness_detect(const char *help, const char *list, const char *const *dev_dependencies);

// Names of the benches in the output of --list (any of the three harnesses). Free with str_list_free.
char **bench_list_parse(const char *text, size_t len);

struct bench_row {
    char *id;                                          // divan: path below the program, joined with "::"
    double fastest_ns, slowest_ns, median_ns, mean_ns; // libtest: all but median 0
    int64_t samples, iters;                            // 0: not said
    double spread_ns;                                  // libtest's "+/-", else 0
};

struct bench_rows {
    struct bench_row *items;
    size_t len, cap;
};

void bench_divan_parse(const char *text, size_t len, struct bench_rows *ret);
void bench_libtest_parse(const char *text, size_t len, struct bench_rows *ret);
void bench_rows_free(struct bench_rows *rows);
