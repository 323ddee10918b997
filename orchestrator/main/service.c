#include "main/service.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "door/control.h"
#include "door/http.h"
#include "door/metrics.h"
#include "engine/engine.h"
#include "loop/loop.h"
#include "main/client.h"
#include "main/commands.h"
#include "main/notify.h"
#include "schedule/schedules.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define ANSWER_MAX ((size_t)65536)

struct service {
    struct service_options options;
    struct places places;
    struct store *store;
    struct loop *loop;
    struct engine *engine;
    struct control *control;
    struct metrics *metrics;
    struct http *http;
    struct schedules *schedules;
    struct loop_signal *on_int, *on_term;
    struct loop_timer *drain_timer;
    struct loop_stream *before; // the service that is being replaced, until it has ended
    int turn;                   // descriptor of serve.lock: one service at a time comes
    bool draining, in_time;
};

// --- what happens ---

static void on_event(void *user, const char *run, enum event_kind kind, const json_t *body)
{
    struct service *s = user;
    if (log_enabled(event_kind_level(kind))) {
        AUTO_FREE char *text = json_compact(body);
        log_event(event_kind_level(kind), event_kind_name(kind), run, text);
    }
    control_event(s->control, run, kind, body);
}

static void on_probed(void *user, const json_t *facts)
{
    struct service *s = user;
    store_event_add(s->store, NULL, EVENT_SANDBOX_PROBED, facts, NULL, NULL);
    on_event(s, NULL, EVENT_SANDBOX_PROBED, facts);
    if (!json_flag(facts, "usable", false))
        log_fact(LOG_ERROR, "tools_refused", "why", json_str(facts, "why", "?"), NULL);
}

static void on_schedule(void *user, const char *run, enum event_kind kind, const json_t *body)
{
    struct service *s = user;
    metrics_event(s->metrics, kind, body);
    on_event(s, run, kind, body);
}

static void on_ended(void *user, const char *run, enum run_state state, const json_t *result, const struct err *why)
{
    struct service *s = user;
    (void)result;
    schedules_run_ended(s->schedules);
    log_fact(state == RUN_RUNNING ? LOG_ERROR : LOG_INFO, "run_ended", "run", run, "state", run_state_name(state),
             "why", why ? why->text : NULL, NULL);
}

// --- what is measured ---

static int64_t file_bytes(const char *dir, const char *name)
{
    struct stat st;
    AUTO_FREE char *path = path_join(dir, name);
    return stat(path, &st) == 0 ? st.st_size : 0;
}

static int64_t resident_bytes(void)
{
    char *text = NULL;
    size_t len = 0;
    long long pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file && getline(&text, &len, file) > 0 && sscanf(text, "%lld %lld", &pages, &resident) != 2)
        resident = 0;
    free(text);
    if (file)
        fclose(file);
    return resident * sysconf(_SC_PAGESIZE);
}

static const struct metrics *measured(void *user)
{
    struct service *s = user;
    engine_measure(s->engine);
    metrics_set(s->metrics, METRIC_DRAINING, NULL, NULL, s->draining);
    metrics_set(s->metrics, METRIC_RESIDENT_BYTES, NULL, NULL, (double)resident_bytes());
    metrics_set(s->metrics, METRIC_JOURNAL_BYTES, NULL, NULL,
                (double)(file_bytes(s->places.state, "baton.db") + file_bytes(s->places.state, "baton.db-wal")));
    return s->metrics;
}

static char *metrics_body(void *user)
{
    return metrics_text(measured(user));
}

static int open_http(struct service *s, struct err *err)
{
    static const struct http_route ROUTES[] = {{"/metrics", METRICS_TEXT_TYPE, metrics_body}};
    struct http_options options = {.loop = s->loop,
                                   .listen = s->options.metrics_listen,
                                   .routes = ROUTES,
                                   .route_count = ARRAY_LEN(ROUTES),
                                   .user = s};
    int r = s->options.metrics_listen ? http_new(&options, &s->http, err) : 0;
    if (r < 0 || !s->http)
        return r < 0 ? err_wrap(err, "--metrics-listen") : 0;
    if (!http_is_loopback(s->http))
        log_fact(LOG_WARN, "metrics_open_to_others", "address", http_address(s->http), NULL);
    log_fact(LOG_INFO, "metrics_served", "address", http_address(s->http), NULL);
    if (s->options.say)
        fprintf(stderr, "baton: metrics on http://%s/metrics\n", http_address(s->http));
    return 0;
}

// --- the end ---

static void stop(void *user)
{
    struct service *s = user;
    loop_stop(s->loop);
}

static void drained(void *user)
{
    struct service *s = user;
    s->in_time = true;
    loop_stop(s->loop);
}

static void drain(void *user)
{
    struct service *s = user;
    if (s->draining)
        return;
    s->draining = true;
    AUTO_JSON json_t *body = json_object();
    size_t stages = engine_stages_at_work(s->engine);
    json_put_int(body, "pid", getpid());
    json_put_int(body, "stages", (int64_t)stages);
    store_event_add(s->store, NULL, EVENT_SERVICE_DRAINING, body, NULL, NULL);
    on_event(s, NULL, EVENT_SERVICE_DRAINING, body);
    if (stages && s->options.say)
        fprintf(stderr, "baton: %zu stages are at work and have %lld s to end; ^C or SIGTERM again ends at once\n",
                stages, (long long)(s->options.drain_ns / NS_PER_SEC));
    notify("STOPPING=1");
    schedules_stop(s->schedules);
    control_let_wait(s->control);
    loop_timer_start(s->drain_timer, s->options.drain_ns, 0);
    engine_drain(s->engine, drained, s);
}

static bool is_draining(void *user)
{
    const struct service *s = user;
    return s->draining;
}

static void on_signal(void *user, int signal)
{
    struct service *s = user;
    (void)signal;
    if (s->draining)
        loop_stop(s->loop);
    else
        drain(s);
}

// --- the beginning ---

// Runs without a live owner go on here, the oldest first; then the queue begins to move.
static void take_up_runs(struct service *s)
{
    struct err err;
    close(s->turn);
    s->turn = -1;
    if (s->draining)
        return;
    static const enum run_state STATES[] = {RUN_RUNNING, RUN_WAITING};
    for (size_t k = 0; k < ARRAY_LEN(STATES); k++) {
        struct store_run_filter filter = {.state = run_state_name(STATES[k])};
        AUTO_JSON json_t *runs = store_run_list_new(s->store, &filter, NULL);
        for (size_t i = json_array_size(runs); i > 0; i--) {
            const char *id = json_str(json_array_get(runs, i - 1), "id", "");
            if (engine_resume(s->engine, id, &err) < 0)
                log_fact(LOG_INFO, "run_not_taken_up", "run", id, "why", err.text, NULL);
        }
    }
    if (engine_admit(s->engine, &err) < 0)
        log_fact(LOG_ERROR, "queue_not_taken_up", "why", err.text, NULL);
    schedules_begin(s->schedules);
}

static void look_at_schedules(void *user)
{
    struct service *s = user;
    schedules_changed(s->schedules);
}

static int trigger(void *user, const char *schedule, char ret_run[STORE_NAME_MAX], struct err *err)
{
    struct service *s = user;
    return schedules_trigger(s->schedules, schedule, ret_run, err);
}

// One that does not know how to be replaced knows what SIGTERM means.
static void before_answers(void *user, struct loop_stream *stream, char *line, size_t len)
{
    (void)user;
    pid_t pid = loop_stream_peer_pid(stream);
    AUTO_JSON json_t *answer = json_parse_new(line, len, "the answer of the service", NULL);
    log_fact(LOG_INFO, "service_replaces", "answer", line, NULL);
    if (!json_flag(answer, "ok", false) && pid > 1 && pid != getpid())
        kill(pid, SIGTERM);
}

static void before_ends(void *user, struct loop_stream *stream, const struct err *why)
{
    struct service *s = user;
    (void)stream;
    (void)why;
    s->before = NULL;
    log_fact(LOG_INFO, "service_replaced", NULL);
    struct err err;
    if (open_http(s, &err) < 0) // the address was the other one's until now
        log_fact(LOG_ERROR, "metrics_not_served", "why", err.text, NULL);
    take_up_runs(s);
}

static int take_turn(struct service *s, struct err *err)
{
    AUTO_FREE char *path = str_printf("%s/serve.lock", s->places.state);
    s->turn = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->turn < 0)
        return err_sys(err, errno, "cannot open '%s'", path);
    if (flock(s->turn, LOCK_EX | LOCK_NB) < 0)
        return err_set(err, ERR_CONFLICT, "another service is just starting in '%s'; there is one per state folder",
                       s->places.state);
    return 0;
}

// Who is there already? 0: nobody. 1: a service that ends, or that is to be replaced; s->before is connected to it.
static int look_before(struct service *s, const char *path, struct err *err)
{
    if (!client_is_there(s->places.state))
        return 0;
    AUTO_JSON json_t *ping = json_object();
    json_put_str(ping, "op", "ping");
    AUTO_JSON json_t *pong = client_ask_new(s->places.state, ping, 0, NULL);
    if (!s->options.replace && !json_flag(pong, "draining", false))
        return err_set(err, ERR_CONFLICT,
                       "a service (pid %lld) listens on '%s' already; take over from it with: baton serve --replace",
                       (long long)json_int(pong, "pid", 0), path);
    int r = loop_connect_unix(s->loop, path, &s->before, err);
    return r == -ERR_UNAVAILABLE ? 0 : r < 0 ? r : 1; // it may have ended meanwhile
}

static int open_control(struct service *s, struct err *err)
{
    static const struct control_service SERVICE = {.draining = is_draining,
                                                   .drain = drain,
                                                   .metrics = measured,
                                                   .look_at_schedules = look_at_schedules,
                                                   .trigger = trigger};
    static const struct loop_stream_events EVENTS = {.on_line = before_answers, .on_end = before_ends};
    static const char REPLACE[] = "{\"op\": \"replace\"}\n";
    AUTO_FREE char *path = str_printf("%s/serve.sock", s->places.state);
    int fd = notify_take_socket(); // then nobody else can be there
    int before = fd ? 0 : look_before(s, path, err);
    struct control_options options = {.loop = s->loop,
                                      .store = s->store,
                                      .engine = s->engine,
                                      .path = path,
                                      .fd = fd,
                                      .replaces = before > 0,
                                      .max_runs = s->options.max_runs,
                                      .service = &SERVICE,
                                      .user = s};
    int r = before < 0 ? before : control_new(&options, &s->control, err);
    if (r == 0 && before > 0) { // from here on clients come to us, and are answered
        loop_stream_watch(s->before, &EVENTS, s, ANSWER_MAX, ANSWER_MAX);
        loop_stream_write(s->before, REPLACE, strlen(REPLACE));
    }
    return r == 0 && before == 0 ? open_http(s, err) : r;
}

static int open_service(struct service *s, struct err *err)
{
    int r = commands_open_to_work(&s->places, &s->store, err);
    if (r == 0)
        r = take_turn(s, err);
    if (r == 0)
        r = loop_new(&s->loop, err);
    if (r < 0)
        return r;
    struct engine_options options = {.loop = s->loop,
                                     .store = s->store,
                                     .program_dir = s->places.programs,
                                     .data_dir = s->places.data,
                                     .may_ask = true, // approvals come through `baton approve`
                                     .most_running = s->options.max_runs,
                                     .most_queued = s->options.max_queue,
                                     .metrics = s->metrics,
                                     .user = s,
                                     .event = on_event,
                                     .probed = on_probed,
                                     .ended = on_ended};
    s->drain_timer = loop_timer_new(s->loop, stop, s);
    metrics_set(s->metrics, METRIC_BUILD_INFO, BATON_VERSION, NULL, 1);
    metrics_set(s->metrics, METRIC_START_TIME, NULL, NULL, (double)clock_wall_ns() / (double)NS_PER_SEC);
    r = engine_new(&options, &s->engine, err);
    if (r == 0)
        s->schedules = schedules_new(&(struct schedules_options){
            .loop = s->loop, .store = s->store, .engine = s->engine, .user = s, .event = on_schedule});
    if (r == 0)
        r = loop_signal_new(s->loop, SIGINT, on_signal, s, &s->on_int, err);
    if (r == 0)
        r = loop_signal_new(s->loop, SIGTERM, on_signal, s, &s->on_term, err);
    return r == 0 ? open_control(s, err) : r;
}

// The socket goes last: until the end, who connects gets an answer.
static void close_service(struct service *s)
{
    http_free(s->http);
    schedules_free(s->schedules);
    s->schedules = NULL;
    engine_free(s->engine);
    control_free(s->control);
    metrics_free(s->metrics);
    if (s->loop) {
        loop_stream_close(s->before);
        loop_signal_close(s->on_int);
        loop_signal_close(s->on_term);
        loop_timer_close(s->drain_timer);
    }
    loop_free(s->loop);
    if (s->turn >= 0)
        close(s->turn);
    commands_close(&s->places, s->store);
}

static void tell(struct service *s, enum event_kind kind)
{
    AUTO_JSON json_t *body = json_object();
    json_put_int(body, "pid", getpid());
    json_put_str(body, "version", BATON_VERSION);
    if (kind == EVENT_SERVICE_STOPPED)
        json_put_flag(body, "drained", s->in_time);
    store_event_add(s->store, NULL, kind, body, NULL, NULL);
    on_event(s, NULL, kind, body);
}

int service_run(const struct service_options *options, struct err *err)
{
    struct service s = {.options = *options, .turn = -1, .metrics = metrics_new()};
    int r = open_service(&s, err);
    if (r == 0) {
        tell(&s, EVENT_SERVICE_STARTED);
        engine_probe(s.engine);
        if (options->say)
            fprintf(stderr, "baton: serving on %s/serve.sock\n", s.places.state);
        notify("READY=1");
        if (!s.before)
            take_up_runs(&s);
        loop_run(s.loop);
        tell(&s, EVENT_SERVICE_STOPPED);
    }
    close_service(&s);
    return r;
}
