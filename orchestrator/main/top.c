#include "main/top.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/admission.h"
#include "main/client.h"
#include "main/processes.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RUNS_SHOWN   200
#define QUEUE_SHOWN  100
#define STAGES_SHOWN 1000

struct top {
    struct store *store;
    char *state_dir, *endpoint;
    json_t *cpu;      // pid -> ms at the last look
    json_t *counters; // of the service, at the last look; NULL: there was none
    int64_t looked_ns;
};

struct top *top_new(struct store *store, const char *state_dir)
{
    struct top *t = mem_alloc(sizeof(*t));
    t->store = store;
    t->state_dir = str_dup(state_dir);
    t->endpoint = str_printf("ipc://%s/run/", state_dir);
    t->cpu = json_object();
    return t;
}

struct top *top_free(struct top *t)
{
    if (!t)
        return NULL;
    json_decref(t->cpu);
    json_decref(t->counters);
    mem_free(t->state_dir);
    mem_free(t->endpoint);
    mem_free(t);
    return NULL;
}

// --- the service ---

static json_t *ask_new(const struct top *t, const char *op, const char *format)
{
    AUTO_JSON json_t *request = json_object();
    json_put_str(request, "op", op);
    if (format)
        json_put_str(request, "format", format);
    return client_ask_new(t->state_dir, request, 0, NULL);
}

// The sum over all series of each counter, and the gauges that are wanted: name -> number.
static json_t *counters_new(const json_t *metrics)
{
    json_t *counters = json_object();
    size_t i, k;
    json_t *metric, *series;
    json_array_foreach (metrics, i, metric) {
        double sum = 0;
        json_array_foreach (json_list(metric, "series"), k, series)
            sum += json_num(series, "value", json_num(series, "count", 0));
        json_put_num(counters, json_str(metric, "name", ""), sum);
    }
    return counters;
}

static void put_rate(const struct top *t, const json_t *now, json_t *rates, const char *as, const char *name,
                     double per_s)
{
    double seconds = (double)(clock_mono_ns() - t->looked_ns) / (double)NS_PER_SEC;
    double count = json_num(now, name, 0) - json_num(t->counters, name, 0);
    json_put_num(rates, as, seconds > 0 && count > 0 ? count / seconds * per_s : 0);
}

static json_t *service_new(struct top *t)
{
    json_t *pong = ask_new(t, "ping", NULL);
    if (!pong)
        return json_null();
    json_object_del(pong, "ok");
    AUTO_JSON json_t *answer = ask_new(t, "metrics", "json");
    json_t *now = counters_new(json_list(answer, "metrics"));
    double start = json_num(now, "baton_start_time_seconds", 0);
    bool same = start > 0 && start == json_num(t->counters, "baton_start_time_seconds", 0);
    json_put_num(pong, "up_s", (double)clock_wall_ns() / (double)NS_PER_SEC - start);
    if (same) {
        json_t *rates = json_object();
        put_rate(t, now, rates, "runs_per_min", "baton_runs_finished_total", 60);
        put_rate(t, now, rates, "stages_per_s", "baton_stages_finished_total", 1);
        put_rate(t, now, rates, "commits_per_s", "baton_commit_seconds", 1);
        json_put(pong, "rates", rates);
    } else {
        json_put(pong, "rates", json_null());
    }
    json_decref(t->counters);
    t->counters = now;
    return pong;
}

// --- runs ---

static json_t *run_row_new(const json_t *run, const json_t *positions, const json_t *stages, int64_t now_ns)
{
    const char *id = json_str(run, "id", "");
    json_t *row = json_object(), *stage;
    int64_t position = json_int(positions, id, 0),
            since = json_int(run, "started_ns", json_int(run, "created_ns", now_ns));
    size_t i;
    json_put_str(row, "run", id);
    json_put_str(row, "workflow", json_str(run, "workflow", ""));
    json_put_str(row, "project", json_str(run, "project", ""));
    json_put_str(row, "state", json_str(run, "state", ""));
    json_put_int(row, "elapsed_ms", (now_ns - since) / NS_PER_MS);
    if (position)
        json_put_int(row, "position", position);
    json_array_foreach (stages, i, stage) {
        if (!str_eq(json_str(stage, "run", ""), id))
            continue;
        int64_t begun = json_int(stage, "dispatched_ns", 0);
        json_put_int(row, "stage", json_int(stage, "seq", 0));
        json_put_str(row, "agent", json_str(stage, "agent", ""));
        json_put_str(row, "mode", json_str(stage, "mode", NULL));
        json_put_int(row, "stage_elapsed_ms", begun ? (now_ns - begun) / NS_PER_MS : 0);
        if (begun)
            json_put_int(row, "worker", json_int(stage, "worker", 0));
        if (begun) // of several, one that a worker has
            break;
    }
    return row;
}

// At work, then in the queue, then waiting; inside of each in their order.
static int rank(const json_t *row)
{
    return json_int(row, "stage", 0) ? 0 : json_int(row, "position", 0) ? 1 : 2;
}

static int compare(const void *a, const void *b)
{
    const json_t *const *x = a, *const *y = b;
    int difference = rank(*x) - rank(*y);
    if (difference)
        return difference;
    int64_t i = json_int(*x, "position", 0), k = json_int(*y, "position", 0);
    return i < k ? -1 : i > k ? 1 : strcmp(json_str(*x, "run", ""), json_str(*y, "run", ""));
}

static json_t *sorted_new(json_t *rows_consumed)
{
    size_t n = json_array_size(rows_consumed);
    json_t **list = mem_array(n + 1, sizeof(*list)), *sorted = json_array();
    for (size_t i = 0; i < n; i++)
        list[i] = json_array_get(rows_consumed, i);
    qsort(list, n, sizeof(json_t *), compare);
    for (size_t i = 0; i < n; i++)
        json_array_append(sorted, list[i]);
    mem_free(list);
    json_decref(rows_consumed);
    return sorted;
}

static void add_run(struct top *t, json_t *seen, json_t *runs, const char *id)
{
    json_t *run = json_object_get(seen, id) ? NULL : store_run_get_new(t->store, id, NULL);
    if (!run)
        return;
    json_put(seen, id, json_true());
    json_array_append_new(runs, run);
}

// Those with a stage at work, the first ones of the queue, and the newest of the others: there may be very many of
// each.
static json_t *chosen_new(struct top *t, const json_t *stages, const json_t *positions, struct err *err)
{
    static const enum run_state STATES[] = {RUN_RUNNING, RUN_WAITING};
    AUTO_JSON json_t *seen = json_object();
    json_t *runs = json_array(), *item;
    size_t i;
    json_array_foreach (stages, i, item)
        add_run(t, seen, runs, json_str(item, "run", ""));
    const char *id;
    json_object_foreach ((json_t *)(uintptr_t)positions, id, item)
        if (json_integer_value(item) <= QUEUE_SHOWN)
            add_run(t, seen, runs, id);
    for (size_t k = 0; k < ARRAY_LEN(STATES); k++) {
        struct store_run_filter filter = {.unfinished = true, .state = run_state_name(STATES[k]), .limit = RUNS_SHOWN};
        AUTO_JSON json_t *others = store_run_list_new(t->store, &filter, err);
        if (!others) {
            json_decref(runs);
            return NULL;
        }
        json_array_foreach (others, i, item)
            add_run(t, seen, runs, json_str(item, "id", ""));
    }
    return runs;
}

static json_t *runs_new(struct top *t, const json_t *stages, struct err *err)
{
    AUTO_JSON json_t *positions = admission_positions_new(t->store, err);
    AUTO_JSON json_t *runs = positions ? chosen_new(t, stages, positions, err) : NULL;
    if (!runs)
        return NULL;
    json_t *rows = json_array(), *run;
    size_t i;
    json_array_foreach (runs, i, run) {
        json_t *row = run_row_new(run, positions, stages, clock_wall_ns());
        if (store_run_interrupted(t->store, run))
            json_put_str(row, "state", "interrupted");
        AUTO_JSON json_t *waits =
            json_int(row, "stage", 0) ? NULL : store_waits_new(t->store, json_str(run, "id", ""), NULL);
        json_put(row, "waits", waits ? json_incref(waits) : json_array());
        json_array_append_new(rows, row);
    }
    return sorted_new(rows);
}

// --- workers ---

// A worker of this state folder says so in its arguments.
static bool is_worker(const struct top *t, const struct process *p)
{
    const char *connect = strstr(p->command, " --connect ");
    return connect && str_starts(connect + strlen(" --connect "), t->endpoint);
}

static json_t *worker_row_new(struct top *t, const struct processes *all, const struct process *p, const json_t *stages,
                              json_t *cpu)
{
    int64_t cpu_ms, rss, passed_ms = (clock_mono_ns() - t->looked_ns) / NS_PER_MS;
    char pid[24];
    AUTO_FREE char *program = str_ndup(p->command, strcspn(p->command, " "));
    const struct process *tool = processes_tool(all, p->pid);
    json_t *row = json_object(), *stage;
    size_t i;
    snprintf(pid, sizeof(pid), "%ld", (long)p->pid);
    processes_tree(all, p->pid, &cpu_ms, &rss);
    json_put_int(cpu, pid, cpu_ms);
    int64_t before_ms = json_int(t->cpu, pid, -1);
    json_put_int(row, "pid", p->pid);
    json_put_str(row, "program", path_base(program));
    if (before_ms >= 0 && passed_ms > 0)
        json_put_num(row, "cpu_pct", cpu_ms > before_ms ? (double)(cpu_ms - before_ms) * 100 / (double)passed_ms : 0);
    else
        json_put(row, "cpu_pct", json_null());
    json_put_int(row, "rss_bytes", rss);
    json_array_foreach (stages, i, stage) {
        if (json_int(stage, "worker", 0) != p->pid)
            continue;
        json_put_str(row, "run", json_str(stage, "run", ""));
        json_put_int(row, "stage", json_int(stage, "seq", 0));
        break;
    }
    if (tool)
        json_put(row, "tool", json_text_new(tool->command, strlen(tool->command)));
    return row;
}

static json_t *workers_new(struct top *t, const json_t *stages)
{
    struct processes *all = processes_new();
    json_t *rows = json_array(), *cpu = json_object();
    for (size_t i = 0; i < processes_count(all); i++)
        if (is_worker(t, processes_at(all, i)))
            json_array_append_new(rows, worker_row_new(t, all, processes_at(all, i), stages, cpu));
    processes_free(all);
    json_decref(t->cpu);
    t->cpu = cpu;
    return rows;
}

// --- all of it ---

static int64_t journal_bytes(const struct top *t)
{
    static const char *const FILES[] = {"baton.db", "baton.db-wal"};
    int64_t bytes = 0;
    for (size_t i = 0; i < ARRAY_LEN(FILES); i++) {
        struct stat st;
        AUTO_FREE char *path = path_join(t->state_dir, FILES[i]);
        bytes += stat(path, &st) == 0 ? st.st_size : 0;
    }
    return bytes;
}

json_t *top_look_new(struct top *t, struct err *err)
{
    char when[CLOCK_TEXT_MAX];
    AUTO_JSON json_t *stages = store_stages_at_work_new(t->store, STAGES_SHOWN, err);
    json_t *runs = stages ? runs_new(t, stages, err) : NULL;
    if (!runs)
        return NULL;
    json_t *look = json_object();
    clock_iso(clock_wall_ns(), when);
    json_put_str(look, "time", when);
    json_put(look, "service", service_new(t));
    json_put_int(look, "journal_bytes", journal_bytes(t));
    json_put(look, "runs", runs);
    json_put(look, "workers", workers_new(t, stages));
    t->looked_ns = clock_mono_ns();
    return look;
}
