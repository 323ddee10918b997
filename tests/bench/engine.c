// Drives the engine in process, as `baton serve` does, with real worker processes. One mode per invocation, so that
// memory and bytes written belong to it alone. Each prints one JSON line; `tests/bench/run` makes the figures of them.
//     bench_engine MODE N TOTAL STATE PROGRAMS DATA WORKFLOW
//     chain4   N concurrent runs of four stages, TOTAL runs in all
//     fanout   one run of N parallel stages
//     fill     one run of N stages that then waits; the process ends there, so that the run is unfinished
//     recover  takes that run up again, until it waits
//     park     TOTAL runs that wait for a day
//     flat     like chain4, and says how much memory the last three quarters of the runs have taken
//     first    one run; the clock starts with the process
#include "figures.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/engine.h"
#include "engine/metrics.h"
#include "loop/loop.h"
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STAGES_OF_CHAIN = 4, SLOTS_MAX = 4096 };

struct bench {
    const char *mode, *state, *programs, *data, *workflow;
    unsigned n, total;
    struct loop *loop;
    struct store *store;
    struct engine *engine;
    json_t *params;
    struct figures *latencies;
    struct metrics *metrics;
    struct slot {
        char run[STORE_NAME_MAX];
        int64_t began;
        bool used;
    } slots[SLOTS_MAX];
    unsigned started, done, parked, dispatched;
    int64_t began, first_dispatch, parked_at, rss_quarter;
    bool failed, deferred;
};

static int64_t process_start_ns; // CLOCK_MONOTONIC when main began
static int64_t launched_ns;      // when the parent started us, given in BENCH_LAUNCHED

static void die(const char *what, const struct err *err)
{
    fprintf(stderr, "bench_engine: %s: %s\n", what, err ? err->text : "usage");
    exit(1);
}

static void start_one(struct bench *b, unsigned at)
{
    struct err err;
    struct slot *slot = &b->slots[at];
    struct engine_request q = {.workflow = b->workflow, .project = b->state, .params = b->params, .caller = "bench"};
    slot->used = true;
    slot->began = clock_mono_ns();
    b->started++;
    if (engine_start(b->engine, &q, slot->run, &err) < 0)
        die("start", &err);
}

static void start_more(void *user)
{
    struct bench *b = user;
    struct err err;
    b->deferred = false;
    engine_hold(b->engine);
    for (unsigned i = 0; i < b->n && i < SLOTS_MAX && b->started < b->total; i++)
        if (!b->slots[i].used)
            start_one(b, i);
    if (engine_release(b->engine, &err) < 0)
        die("start", &err);
}

static void note_end(struct bench *b, const char *run)
{
    for (unsigned i = 0; i < SLOTS_MAX && i < b->n; i++) {
        if (!b->slots[i].used || strcmp(b->slots[i].run, run) != 0)
            continue;
        figures_add(b->latencies, (double)(clock_mono_ns() - b->slots[i].began));
        b->slots[i].used = false;
    }
    b->done++;
    if (b->done == b->total / 4)
        b->rss_quarter = figures_rss(getpid());
    if (b->started < b->total && !b->deferred) {
        b->deferred = true;
        loop_defer(b->loop, start_more, b);
    }
}

static void on_ended(void *user, const char *run, enum run_state state, const json_t *result, const struct err *why)
{
    struct bench *b = user;
    if (state != RUN_ACCEPTED) {
        AUTO_FREE char *text = result ? json_compact(result) : str_dup("");
        fprintf(stderr, "bench_engine: run %s ended as %s %s %s\n", run, run_state_name(state), text,
                why ? why->text : "");
        b->failed = true;
        loop_stop(b->loop);
        return;
    }
    note_end(b, run);
    if (b->done >= b->total)
        loop_stop(b->loop);
}

enum { PARK_AT_ONCE = 64 };

static void start_parked(void *user)
{
    struct bench *b = user;
    struct err err;
    engine_hold(b->engine);
    for (unsigned i = 0; i < PARK_AT_ONCE && b->started < b->total; i++)
        start_one(b, 0);
    if (engine_release(b->engine, &err) < 0)
        die("start", &err);
}

static void on_event(void *user, const char *run, enum event_kind kind, const json_t *body)
{
    struct bench *b = user;
    (void)run;
    if (kind == EVENT_STAGE_DISPATCHED && b->dispatched++ == 0)
        b->first_dispatch = clock_mono_ns();
    if (kind != EVENT_SCRIPT_LOG || strcmp(json_str(body, "text", ""), "parked") != 0)
        return;
    b->parked++;
    b->parked_at = clock_mono_ns();
    if (strcmp(b->mode, "park") != 0 || b->parked == b->total)
        loop_stop(b->loop);
    else if (b->parked == b->started && b->started < b->total)
        loop_defer(b->loop, start_parked, b);
}

static void open_engine(struct bench *b)
{
    struct err err;
    b->metrics = metrics_new();
    if (store_open(b->state, &b->store, &err) < 0)
        die("store", &err);
    if (loop_new(&b->loop, &err) < 0)
        die("loop", &err);
    struct engine_options options = {.loop = b->loop,
                                     .store = b->store,
                                     .program_dir = b->programs,
                                     .data_dir = b->data,
                                     .metrics = b->metrics,
                                     .user = b,
                                     .event = on_event,
                                     .ended = on_ended};
    if (engine_new(&options, &b->engine, &err) < 0)
        die("engine", &err);
}

static void close_engine(struct bench *b)
{
    engine_free(b->engine);
    loop_free(b->loop);
    store_close(b->store);
    json_decref(b->params);
    figures_free(b->latencies);
    metrics_free(b->metrics);
}

static void print_value(const char *name, double value)
{
    printf("{\"program\": \"engine\", \"%s\": %.3f}\n", name, value);
    fflush(stdout);
}

// --- modes ---

// One run before the clock starts: the workers are up, as the floor's are.
static void warm_up(struct bench *b)
{
    unsigned n = b->n, total = b->total;
    b->total = b->n = n < 64 ? n : 64;
    start_more(b);
    loop_run(b->loop);
    b->started = b->done = 0;
    b->n = n;
    b->total = total;
    figures_free(b->latencies);
    b->latencies = figures_new(total);
}

static struct figures_commits commits_so_far(const struct bench *b)
{
    const struct metric_series *s = metrics_series(b->metrics, METRIC_COMMIT_SECONDS, 0);
    return s ? (struct figures_commits){.count = s->count, .ns = s->value * 1e9} : (struct figures_commits){0};
}

static void chains(struct bench *b)
{
    json_put_int(b->params, "steps", STAGES_OF_CHAIN);
    warm_up(b);
    struct figures_commits before = commits_so_far(b);
    int64_t began = clock_mono_ns(), cpu = figures_thread_cpu_ns();
    start_more(b);
    if (!b->failed)
        loop_run(b->loop);
    struct figures_commits commits = commits_so_far(b);
    commits.count -= before.count;
    commits.ns -= before.ns;
    commits.cpu_ns = (double)(figures_thread_cpu_ns() - cpu);
    figures_print("engine", b->n, b->latencies, STAGES_OF_CHAIN, (double)(clock_mono_ns() - began), &commits);
}

static void flat(struct bench *b)
{
    json_put_int(b->params, "steps", STAGES_OF_CHAIN);
    start_more(b);
    loop_run(b->loop);
    double grown = (double)(figures_rss(getpid()) - b->rss_quarter);
    print_value("bytes_per_run", grown / (b->total * 0.75));
}

static void fan_out(struct bench *b)
{
    json_put_int(b->params, "steps", STAGES_OF_CHAIN);
    unsigned width = b->n;
    b->n = b->total = 1;
    warm_up(b);
    json_put_int(b->params, "width", width);
    int64_t began = clock_mono_ns();
    start_more(b);
    loop_run(b->loop);
    print_value("stages_per_s", width / ((double)(clock_mono_ns() - began) / 1e9));
}

static void fill(struct bench *b)
{
    json_put_int(b->params, "width", b->n);
    b->n = b->total = 1;
    start_more(b);
    loop_run(b->loop);
    printf("{\"run\": \"%s\"}\n", b->slots[0].run);
    fflush(stdout);
    _exit(b->failed);
}

static void recover(struct bench *b)
{
    struct err err;
    AUTO_JSON json_t *runs = store_run_list_new(b->store, &(struct store_run_filter){.unfinished = true}, NULL);
    int64_t began = clock_mono_ns();
    if (engine_resume(b->engine, json_str(json_array_get(runs, 0), "id", ""), &err) < 0)
        die("resume", &err);
    loop_run(b->loop);
    print_value("ms", (double)(b->parked_at - began) / 1e6);
    if (b->dispatched)
        die("a finished stage was dispatched again", &(struct err){0});
}

static void settled(void *user)
{
    loop_stop(((struct bench *)user)->loop);
}

static void park(struct bench *b)
{
    b->n = 1;
    int64_t before = figures_rss(getpid());
    start_parked(b);
    loop_run(b->loop);
    struct loop_timer *timer = loop_timer_new(b->loop, settled, b);
    loop_timer_start(timer, 3 * NS_PER_SEC, 0);
    loop_run(b->loop);
    loop_timer_close(timer);
    printf("{\"program\": \"engine\", \"parked\": %u, \"rss\": %lld, \"bytes_per_run\": %.1f}\n", b->parked,
           (long long)figures_rss(getpid()), (double)(figures_rss(getpid()) - before) / b->total);
    fflush(stdout);
    _exit(b->failed); // taking down what lives is not measured
}

static void first(struct bench *b)
{
    json_put_int(b->params, "steps", STAGES_OF_CHAIN);
    b->n = b->total = 1;
    start_more(b);
    loop_run(b->loop);
    print_value("ms", (double)(b->first_dispatch - (launched_ns ? launched_ns : process_start_ns)) / 1e6);
}

static const struct {
    const char *name;
    void (*fn)(struct bench *b);
} MODES[] = {{"chain4", chains}, {"fanout", fan_out}, {"fill", fill},  {"recover", recover},
             {"park", park},     {"flat", flat},      {"first", first}};

int main(int argc, char **argv)
{
    process_start_ns = clock_mono_ns();
    mem_tune(); // as the program does
    const char *launched = getenv("BENCH_LAUNCHED");
    if (launched && !str_to_i64(launched, &launched_ns))
        launched_ns = 0;
    if (argc != 8)
        die("bench_engine MODE N TOTAL STATE PROGRAMS DATA WORKFLOW", NULL);
    struct bench *b = mem_alloc(sizeof(*b));
    b->mode = argv[1];
    b->n = (unsigned)atoi(argv[2]);
    b->total = (unsigned)atoi(argv[3]);
    b->state = argv[4];
    b->programs = argv[5];
    b->data = argv[6];
    b->workflow = argv[7];
    b->params = json_object();
    b->latencies = figures_new(b->total);
    open_engine(b);
    for (size_t i = 0; i < sizeof(MODES) / sizeof(MODES[0]); i++)
        if (strcmp(MODES[i].name, b->mode) == 0)
            MODES[i].fn(b);
    bool failed = b->failed;
    close_engine(b);
    mem_free(b);
    return failed;
}
