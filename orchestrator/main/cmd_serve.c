// baton serve: the same engine as a service. On SIGTERM it stops in good order; unfinished runs are taken up at the next start.
#include "main/commands.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "door/control.h"
#include "engine/engine.h"
#include "loop/loop.h"

#include <signal.h>
#include <stdio.h>

struct service {
    struct places places;
    struct store *store;
    struct loop *loop;
    struct engine *engine;
    struct control *control;
    struct loop_signal *on_int, *on_term;
};

static void on_event(void *user, const char *run, enum event_kind kind, const json_t *body)
{
    struct service *s = user;
    AUTO_FREE char *text = json_compact(body);
    log_fact(event_kind_level(kind), event_kind_name(kind), "run", run, "body", text, NULL);
    control_event(s->control, run, kind, body);
}

static void on_ended(void *user, const char *run, enum run_state state, const json_t *result, const struct err *why)
{
    (void)user;
    (void)result;
    log_fact(state == RUN_RUNNING ? LOG_ERROR : LOG_INFO, "run_ended", "run", run, "state", run_state_name(state), "why",
             why ? why->text : NULL, NULL);
}

static void on_signal(void *user, int signal)
{
    struct service *s = user;
    (void)signal;
    loop_stop(s->loop);
}

// Runs without a live owner go on here.
static void take_up_unfinished(struct service *s)
{
    AUTO_JSON json_t *runs = store_run_list_new(s->store, &(struct store_run_filter){.unfinished = true}, NULL);
    size_t i;
    json_t *run;
    json_array_foreach (runs, i, run) {
        struct err err;
        if (engine_resume(s->engine, json_str(run, "id", ""), &err) < 0)
            log_fact(LOG_INFO, "run_not_taken_up", "run", json_str(run, "id", ""), "why", err.text, NULL);
    }
}

static int open_service(struct service *s, size_t max_runs, struct err *err)
{
    int r = commands_open(&s->places, &s->store, err);
    if (r == 0)
        r = loop_new(&s->loop, err);
    struct engine_options options = {.loop = s->loop,
                                     .store = s->store,
                                     .program_dir = s->places.programs,
                                     .data_dir = s->places.data,
                                     .may_ask = true, // approvals come through `baton approve`
                                     .user = s,
                                     .event = on_event,
                                     .ended = on_ended};
    if (r == 0)
        r = engine_new(&options, &s->engine, err);
    AUTO_FREE char *path = str_printf("%s/serve.sock", s->places.state ? s->places.state : "");
    struct control_options control = {.loop = s->loop, .store = s->store, .engine = s->engine, .path = path, .max_runs = max_runs};
    if (r == 0)
        r = control_new(&control, &s->control, err);
    if (r == 0)
        r = loop_signal_new(s->loop, SIGINT, on_signal, s, &s->on_int, err);
    if (r == 0)
        r = loop_signal_new(s->loop, SIGTERM, on_signal, s, &s->on_term, err);
    return r;
}

static void close_service(struct service *s)
{
    control_free(s->control);
    engine_free(s->engine);
    loop_signal_close(s->on_int);
    loop_signal_close(s->on_term);
    loop_free(s->loop);
    commands_close(&s->places, s->store);
}

int cmd_serve(const struct cli *cli)
{
    struct service s = {0};
    struct err err;
    int64_t max_runs = 4;
    if (!str_to_i64(cli_value(cli, "max-runs", "4"), &max_runs) || max_runs < 1 || max_runs > 1000) {
        err_set(&err, ERR_INVALID, "--max-runs '%s' must be a number from 1 to 1000", cli_value(cli, "max-runs", ""));
        return cli_fail(&err);
    }
    int r = open_service(&s, (size_t)max_runs, &err);
    if (r == 0) {
        store_event_add(s.store, NULL, EVENT_SERVICE_STARTED, NULL, NULL, NULL);
        fprintf(stderr, "baton: serving on %s/serve.sock\n", s.places.state);
        take_up_unfinished(&s);
        loop_run(s.loop);
        store_event_add(s.store, NULL, EVENT_SERVICE_STOPPED, NULL, NULL, NULL);
    }
    close_service(&s);
    return r < 0 ? cli_fail(&err) : 0;
}
