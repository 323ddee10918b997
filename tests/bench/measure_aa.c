// measure_aa [OPTIONS]: how far a verdict of `baton bench` can be trusted, as JSON lines; README.md shows the table.
//   --comparisons N   of each row: a program against itself, and against copies that do 1, 2, 3, 5 and 10 % more
//                     (default 3). An A/A comparison is counted ten times as often
//   --others N        the same pairs of programs as hyperfine and criterion compare them (default 0; criterion takes 16
//   s)
//   --rows LIST       rows to measure, e.g. 0,5 (per cent; default 0,1,2,3,5,10)
//   --lines FILE      append each comparison there; what the file has is not measured again, so that a run can be ended
//                     at any time and gone on with
//   --minutes M       stop after so long
//   --load N          so many processes work and sleep beside it, at random
//   --table           print the table of --lines and measure nothing
#include "measure_others.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "measure/ab.h"
#include "measure/host.h"
#include "measure/stats.h"
#include "json/json.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define BUSY_ROUNDS  4000000.0 // of a process
#define BRIEF_ROUNDS 20000.0   // of a call in this process
#define ROWS_MAX     16
#define LOAD_MAX     16
#define LINES_MAX    ((size_t)64 << 20)
#define AA_TIMES     10 // A/A comparisons for each of another row
#define KEPT_MAX     20000

#define METHODS(X)  X(BATON, "baton") X(HYPERFINE, "hyperfine") X(CRITERION, "criterion")
#define X(id, name) id,
enum method { METHODS(X) METHOD_COUNT };
#undef X
#define X(id, name) name,
static const char *const METHOD[] = {METHODS(X)};
#undef X

static const char *const SAID[] = {"no_difference", "faster", "slower"}; // by enum said

struct tally { // of one row and method
    unsigned n, slower, faster, same, undecided;
    double *seconds;
};

struct row {
    double percent;
    struct tally by[METHOD_COUNT];
};

struct plan {
    struct row row[ROWS_MAX];
    size_t rows;
    unsigned comparisons, others;
    const char *lines, *self;
    int64_t until_ns;
    FILE *out;
};

static void busy(double rounds)
{
    volatile uint64_t x = 1;
    for (double i = 0; i < rounds; i++)
        x = x * 6364136223846793005u + 1;
}

// --- what was measured ---

static void count(struct tally *t, const char *verdict, double seconds)
{
    if (t->n >= KEPT_MAX)
        return;
    if (!t->seconds)
        t->seconds = mem_array(KEPT_MAX, sizeof(*t->seconds));
    t->seconds[t->n++] = seconds;
    t->slower += str_eq(verdict, "slower");
    t->faster += str_eq(verdict, "faster");
    t->same += str_eq(verdict, "no_difference");
    t->undecided += str_eq(verdict, "undecided");
}

static struct row *row_of(struct plan *p, double percent)
{
    for (size_t i = 0; i < p->rows; i++)
        if (p->row[i].percent >= percent && p->row[i].percent <= percent)
            return &p->row[i];
    return NULL;
}

static void take_line(struct plan *p, const json_t *v)
{
    struct row *row = row_of(p, json_num(v, "percent", -1));
    for (size_t m = 0; row && m < METHOD_COUNT; m++)
        if (str_eq(json_str(v, "method", ""), METHOD[m]))
            count(&row->by[m], json_str(v, "verdict", ""), json_num(v, "seconds", 0));
}

static int read_lines(struct plan *p, struct err *err)
{
    AUTO_FREE char *text = NULL;
    size_t len = 0;
    int r = p->lines && file_exists(p->lines) ? file_read(p->lines, LINES_MAX, &text, &len, err) : 0;
    if (r < 0 || !text)
        return r;
    for (char *line = text, *end; *line; line = end) {
        end = line + strcspn(line, "\n");
        AUTO_JSON json_t *v = json_parse_new(line, (size_t)(end - line), "line", NULL);
        end += *end == '\n';
        if (v)
            take_line(p, v);
    }
    return 0;
}

static double load_now(void)
{
    double load = 0;
    return getloadavg(&load, 1) == 1 ? load : -1;
}

static void tell(struct plan *p, struct row *row, enum method m, const char *verdict, double seconds, unsigned pairs)
{
    count(&row->by[m], verdict, seconds);
    fprintf(p->out,
            "{\"bench\": \"measure_aa\", \"method\": \"%s\", \"percent\": %g, \"verdict\": \"%s\", \"seconds\": %.3f, ",
            METHOD[m], row->percent, verdict, seconds);
    fprintf(p->out, "\"pairs\": %u, \"load1\": %.1f}\n", pairs, load_now());
    fflush(p->out);
}

// --- measuring ---

// As `baton bench A B` does it: its defaults, and A against itself first.
static int by_baton(struct plan *p, struct row *row, const char *const *a, const char *const *b, struct err *err)
{
    struct ab_subject sa = {.name = "base", .argv = a}, sb = {.name = "more", .argv = b};
    struct ab_result *r = NULL;
    int rc = ab_compare_commands(&sa, &sb, &sa, &(struct ab_command_options){0}, &r, err);
    if (rc < 0)
        return rc;
    tell(p, row, BATON, verdict_name(r->verdict), (double)r->elapsed_ns / 1e9, r->pairs);
    ab_result_free(r);
    return 0;
}

static int by_others(struct plan *p, struct row *row, const char *const *a, const char *const *b, struct err *err)
{
    enum said said = SAID_SAME;
    int64_t start = clock_mono_ns();
    int rc = others_hyperfine(a, b, &said, err);
    if (rc < 0)
        return rc;
    tell(p, row, HYPERFINE, SAID[said], (double)(clock_mono_ns() - start) / 1e9, 10);
    start = clock_mono_ns();
    said = others_criterion(busy, BRIEF_ROUNDS, BRIEF_ROUNDS * (1 + row->percent / 100));
    tell(p, row, CRITERION, SAID[said], (double)(clock_mono_ns() - start) / 1e9, 100);
    return 0;
}

static bool over(const struct plan *p)
{
    return p->until_ns > 0 && clock_mono_ns() >= p->until_ns;
}

static int measure_row(struct plan *p, struct row *row, bool *ret_more, struct err *err)
{
    AUTO_FREE char *base = str_printf("%.0f", BUSY_ROUNDS);
    AUTO_FREE char *more = str_printf("%.0f", BUSY_ROUNDS * (1 + row->percent / 100));
    const char *const a[] = {p->self, "--busy", base, NULL}, *const b[] = {p->self, "--busy", more, NULL};
    unsigned times = row->percent > 0 ? 1 : AA_TIMES;
    int rc = 0;
    for (unsigned i = 0; i < times && rc >= 0 && !over(p) && row->by[BATON].n < p->comparisons * times; i++) {
        rc = by_baton(p, row, a, b, err);
        *ret_more = true;
    }
    if (rc >= 0 && !over(p) && row->by[CRITERION].n < p->others) {
        rc = by_others(p, row, a, b, err);
        *ret_more = true;
    }
    return rc;
}

static int measure_all(struct plan *p, struct err *err)
{
    int rc = 0;
    for (bool more = true; more && rc >= 0 && !over(p);) {
        more = false;
        for (size_t i = 0; i < p->rows && rc >= 0; i++)
            rc = measure_row(p, &p->row[i], &more, err);
    }
    return rc;
}

// --- the table ---

static void print_share(const struct tally *t, unsigned part)
{
    if (t->n)
        printf(" %.1f %% |", 100.0 * part / t->n);
    else
        printf(" |");
}

static void print_seconds(const struct tally *t)
{
    if (t->n)
        printf(" %.1f s |", stats_median(t->seconds, t->n));
    else
        printf(" |");
}

static void print_table(const struct plan *p)
{
    printf("| B does | comparisons | slower | faster | no difference | undecided | median time | hyperfine: slower | "
           "faster | "
           "criterion: slower | faster | median time | of each |\n");
    printf("|---|---|---|---|---|---|---|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < p->rows; i++) {
        const struct tally *t = p->row[i].by;
        if (p->row[i].percent > 0)
            printf("| %g %% more | %u |", p->row[i].percent, t[BATON].n);
        else
            printf("| the same | %u |", t[BATON].n);
        print_share(&t[BATON], t[BATON].slower);
        print_share(&t[BATON], t[BATON].faster);
        print_share(&t[BATON], t[BATON].same);
        print_share(&t[BATON], t[BATON].undecided);
        print_seconds(&t[BATON]);
        for (int m = HYPERFINE; m <= CRITERION; m++) {
            print_share(&t[m], t[m].slower);
            print_share(&t[m], t[m].faster);
        }
        print_seconds(&t[CRITERION]);
        printf(" %u |\n", t[CRITERION].n);
    }
}

// --- load ---

static void load_forever(pid_t parent, unsigned seed)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(0);
    struct rng rng;
    rng_seed(&rng, seed, 1);
    for (;;) {
        int64_t until = clock_mono_ns() + (int64_t)(rng_unit(&rng) * 1e8);
        while (clock_mono_ns() < until)
            busy(1000);
        usleep(rng_below(&rng, 100000));
    }
}

static size_t start_load(long want, pid_t ret[LOAD_MAX])
{
    size_t n = 0;
    pid_t parent = getpid();
    for (; n < LOAD_MAX && (long)n < want; n++) {
        ret[n] = fork();
        if (ret[n] == 0)
            load_forever(parent, (unsigned)n);
    }
    return n;
}

static void end_load(const pid_t *pids, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        kill(pids[i], SIGKILL);
        waitpid(pids[i], NULL, 0);
    }
}

// --- start ---

static void read_rows(struct plan *p, const char *text)
{
    p->rows = 0;
    for (char *end; *text && p->rows < ROWS_MAX; text = *end == ',' ? end + 1 : end) {
        p->row[p->rows].percent = strtod(text, &end);
        if (end == text)
            break;
        p->rows++;
    }
}

static int run(struct plan *p, bool table, long load, struct err *err)
{
    int rc = read_lines(p, err);
    if (rc < 0 || table) {
        if (rc >= 0)
            print_table(p);
        return rc;
    }
    p->out = p->lines ? fopen(p->lines, "a") : stdout;
    if (!p->out)
        return err_set(err, ERR_IO, "%s cannot be written", p->lines);
    AUTO_JSON json_t *host = host_check_new("");
    AUTO_FREE char *text = json_compact(host);
    fprintf(p->out, "{\"bench\": \"measure_aa\", \"host\": %s}\n", text);
    pid_t pids[LOAD_MAX];
    size_t loads = start_load(load, pids);
    rc = measure_all(p, err);
    end_load(pids, loads);
    return fflush(p->out) == 0 ? rc : err_set(err, ERR_IO, "not all lines could be written");
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--busy") == 0) {
        busy(strtod(argv[2], NULL));
        return 0;
    }
    static const struct option OPTIONS[] = {
        {"comparisons", 1, NULL, 'n'}, {"others", 1, NULL, 'o'}, {"rows", 1, NULL, 'r'},  {"lines", 1, NULL, 'l'},
        {"minutes", 1, NULL, 'm'},     {"load", 1, NULL, 'b'},   {"table", 0, NULL, 't'}, {0}};
    struct plan *p = mem_alloc(sizeof(*p));
    bool table = false;
    long load = 0;
    *p = (struct plan){.comparisons = 3, .self = argv[0]};
    read_rows(p, "0,1,2,3,5,10");
    for (int o; (o = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1;) {
        if (o == '?')
            return 2;
        table = table || o == 't';
        if (o == 'n')
            p->comparisons = (unsigned)strtoul(optarg, NULL, 10);
        else if (o == 'o')
            p->others = (unsigned)strtoul(optarg, NULL, 10);
        else if (o == 'r')
            read_rows(p, optarg);
        else if (o == 'l')
            p->lines = optarg;
        else if (o == 'm')
            p->until_ns = clock_mono_ns() + (int64_t)(strtod(optarg, NULL) * 60e9);
        else if (o == 'b')
            load = strtol(optarg, NULL, 10);
    }
    struct err err;
    int rc = run(p, table, load, &err);
    if (rc < 0)
        fprintf(stderr, "measure_aa: %s\n", err.text);
    for (size_t i = 0; i < p->rows; i++)
        for (size_t m = 0; m < METHOD_COUNT; m++)
            mem_free(p->row[i].by[m].seconds);
    mem_free(p);
    return rc < 0 ? 1 : 0;
}
