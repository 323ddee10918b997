// baton runs, show, cancel, report: looking at runs of any process and telling their owners something.
#include "main/commands.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/admission.h"
#include "engine/engine.h"
#include "loop/loop.h"
#include "main/shown.h"
#include "main/summary.h"
#include "report/model.h"
#include "report/report.h"
#include "report/text.h"
#include "run/letters.h"
#include "run/outbox.h"

#include <string.h>
#include <unistd.h>

#define CANCEL_LOOKS   50
#define CANCEL_LOOK_US 100000

// The names of all states, as a list for people.
#define RUN(code, name, final, status, script, meaning) " " name
static const char STATES[] =
#include "tbl/states.def"
    ;

struct opened {
    struct places places;
    struct store *store;
    char *run; // NULL when the command names none
};

static void leave(struct opened *o)
{
    mem_free(o->run);
    commands_close(&o->places, o->store);
}

// Opens the journal and finds the run of the first argument ("last" when it may be left out and is).
static int enter(const struct cli *cli, bool to_look, struct opened *o, struct err *err)
{
    *o = (struct opened){0};
    int r = to_look ? commands_open_to_look(&o->places, &o->store, err) : commands_open(&o->places, &o->store, err);
    if (r < 0)
        return r;
    r = commands_find_run(o->store, cli_arg(cli, 0) ? cli_arg(cli, 0) : "last", &o->run, err);
    if (r < 0)
        leave(o);
    return r;
}

// Those in the queue get their position.
static void put_positions(struct store *store, json_t *runs)
{
    AUTO_JSON json_t *positions = admission_positions_new(store, NULL);
    size_t i;
    json_t *run;
    json_array_foreach (runs, i, run) {
        int64_t position = json_int(positions, json_str(run, "id", ""), 0);
        if (position)
            json_put_int(run, "position", position);
    }
}

static void put_waits(struct store *store, json_t *run)
{
    enum run_state state = RUN_LOST;
    json_t *waits = run_state_from_name(json_str(run, "state", ""), &state) && !run_state_final(state)
                        ? store_waits_new(store, json_str(run, "id", ""), NULL)
                        : NULL;
    json_put(run, "waits", waits ? waits : json_array());
}

// The newest, with what they wait for. *ret_more: there are others.
static json_t *chosen_new(struct store *store, const char *state, bool unfinished, size_t limit, bool *ret_more,
                          struct err *err)
{
    enum run_state known = RUN_LOST;
    bool open = state && run_state_from_name(state, &known) && (known == RUN_RUNNING || known == RUN_WAITING);
    // One more than is shown: is there more? Whether a run waits is not a column of it.
    struct store_run_filter filter = {.state = open ? run_state_name(RUN_RUNNING) : state,
                                      .unfinished = unfinished,
                                      .limit = open || limit == STORE_LIST_MAX ? STORE_LIST_MAX : (int)limit + 1};
    AUTO_JSON json_t *found = store_run_list_new(store, &filter, err);
    json_t *runs = found ? json_array() : NULL, *run;
    size_t i;
    *ret_more = false;
    json_array_foreach (found, i, run) {
        put_waits(store, run);
        AUTO_FREE char *waits = text_waits_new(NULL, json_list(run, "waits"));
        if (open && (waits != NULL) != (known == RUN_WAITING))
            continue;
        *ret_more = json_array_size(runs) == limit;
        if (*ret_more)
            break;
        json_array_append(runs, run);
    }
    return runs;
}

int cmd_runs(const struct cli *cli)
{
    struct opened o = {0};
    struct err err;
    bool more = false;
    int64_t limit = 20;
    if (!str_to_i64(cli_value(cli, "limit", "20"), &limit) || limit < 1 || limit > STORE_LIST_MAX) {
        err_set(&err, ERR_INVALID, "--limit '%s' must be a number from 1 to %d", cli_value(cli, "limit", ""),
                STORE_LIST_MAX);
        return cli_fail(&err);
    }
    const char *state = cli_value(cli, "state", NULL);
    enum run_state known;
    if (state && !run_state_from_name(state, &known)) {
        err_set(&err, ERR_INVALID, "--state '%s' is no state of a run; there are%s", state, STATES);
        return cli_fail(&err);
    }
    if (commands_open_to_look(&o.places, &o.store, &err) < 0)
        return cli_fail(&err);
    json_t *runs = chosen_new(o.store, state, cli_flag(cli, "unfinished"), (size_t)limit, &more, &err);
    if (!runs) {
        leave(&o);
        return cli_fail(&err);
    }
    size_t i;
    json_t *run;
    json_array_foreach (runs, i, run) {
        json_put_flag(run, "interrupted", store_run_interrupted(o.store, run));
        json_object_del(json_obj(run, "options"), "notify"); // addresses may have secrets in them
    }
    put_positions(o.store, runs);
    if (cli_flag(cli, "json")) {
        commands_print_json(runs);
        leave(&o);
        return 0;
    }
    shown_print_runs(runs);
    if (more)
        fprintf(stderr, "the newest %d; more with --limit N\n", (int)limit);
    if (json_array_size(runs) == 0)
        commands_say_lost_journal(o.store);
    if (json_array_size(runs) == 0)
        fprintf(stderr, "%s\n",
                state || cli_flag(cli, "unfinished") ? "no such runs; 'baton runs' lists all"
                                                     : "no runs yet; begin with: baton tune DIR");
    json_decref(runs);
    leave(&o);
    return 0;
}

static void print_stages(const json_t *model)
{
    size_t i;
    json_t *s;
    printf("stages\n");
    json_array_foreach (json_list(model, "stages"), i, s) {
        char spent[CLOCK_TEXT_MAX];
        clock_human(json_int(s, "elapsed_ms", 0) * NS_PER_MS, spent);
        printf("  %-3d %-26s %-10s %-10s %-9s %s\n", (int)json_int(s, "seq", 0), json_str(s, "agent", ""),
               json_str(s, "mode", ""), json_str(s, "state", ""), json_int(s, "elapsed_ms", 0) ? spent : "",
               json_str(s, "summary", ""));
        if (json_str(s, "reused_from", NULL))
            printf("      reused from %s\n", json_str(s, "reused_from", ""));
        if (json_str(s, "blockers", NULL))
            printf("      %s\n", json_str(s, "blockers", ""));
    }
}

static void put_position(struct store *store, const char *run, json_t *model)
{
    if (!str_eq(json_str(model, "state", ""), run_state_name(RUN_QUEUED)))
        return;
    AUTO_JSON json_t *positions = admission_positions_new(store, NULL);
    json_put_int(model, "position", json_int(positions, run, 0));
}

int cmd_show(const struct cli *cli)
{
    struct opened o;
    struct err err;
    if (enter(cli, true, &o, &err) < 0)
        return cli_fail(&err);
    json_t *model = report_model_new(o.store, o.run, &err);
    int status = 0;
    if (model)
        shown_put(o.store, o.run, model);
    if (!model) {
        status = cli_fail(&err);
    } else if (cli_flag(cli, "json")) {
        put_position(o.store, o.run, model);
        commands_print_json(model);
    } else {
        char state[SHOWN_STATE_MAX];
        put_position(o.store, o.run, model);
        shown_state(model, state);
        printf("run      %s (%s)\nstate    %s%s%s\nproject  %s\n", o.run, json_str(model, "workflow", ""), state,
               json_str(model, "reason", NULL) ? ": " : "", json_str(model, "reason", ""),
               json_str(model, "project", ""));
        shown_print(model);
        shown_print_budget(model);
        print_stages(model);
        json_decref(model);
        if (summary_print(o.store, o.run, stdout, &err) < 0)
            status = cli_fail(&err);
    }
    leave(&o);
    return status;
}

static bool is_final(struct store *store, const char *run)
{
    AUTO_JSON json_t *record = store_run_get_new(store, run, NULL);
    enum run_state state = RUN_RUNNING;
    return !record || (run_state_from_name(json_str(record, "state", ""), &state) && run_state_final(state));
}

struct closing {
    struct loop *loop;
    const char *run;
};

static void on_closed(void *user, const char *run, enum run_state state, const json_t *result, const struct err *why)
{
    const struct closing *c = user;
    (void)state;
    (void)result;
    (void)why;
    if (str_eq(run, c->run)) // those below it end before it
        loop_stop(c->loop);
}

// Takes up a run that no live process has, only to end it: checkouts and branch go with it. ERR_CONFLICT: somebody has
// it.
static int close_here(const struct opened *o, struct err *err)
{
    struct loop *loop = NULL;
    struct engine *engine = NULL;
    int r = loop_new(&loop, err);
    struct closing closing = {.loop = loop, .run = o->run};
    struct engine_options options = {.loop = loop,
                                     .store = o->store,
                                     .program_dir = o->places.programs,
                                     .data_dir = o->places.data,
                                     .user = &closing,
                                     .ended = on_closed};
    if (r == 0)
        r = engine_new(&options, &engine, err);
    if (r == 0)
        r = engine_resume(engine, o->run, err);
    if (r == 0 && engine_run_count(engine) > 0)
        loop_run(loop);
    if (r == 0)
        commands_wait_for_effects(engine, loop);
    engine_free(engine);
    loop_free(loop);
    return r;
}

// What cannot even be loaded any more is ended in the journal alone.
static int close_journal(const struct opened *o, struct err *err)
{
    struct store_lock *lock = NULL;
    int r = store_run_lock(o->store, o->run, &lock, err);
    if (r == 0 && !is_final(o->store, o->run))
        r = outbox_end_run(o->store, o->run, RUN_CANCELLED, NULL, err);
    store_lock_release(lock);
    return r;
}

// The run may have gone on in another one: that one is meant from now on. False: it has not.
static bool goes_on(struct opened *o)
{
    AUTO_FREE char *latest = letter_latest(o->store, o->run);
    if (!latest || str_eq(latest, o->run))
        return false;
    str_set(&o->run, latest);
    return true;
}

static int request_cancel(struct opened *o, const char *reason, struct err *err)
{
    int r;
    goes_on(o);
    do // it may go on just now
        r = is_final(o->store, o->run) ? err_set(err, ERR_STATE, "run '%s' has ended already", o->run)
                                       : store_run_request_cancel(o->store, o->run, reason, err);
    while (r == -ERR_STATE && goes_on(o));
    return r;
}

// A run that no live process has is ended here; else its owner is asked and ends it within a second.
int cmd_cancel(const struct cli *cli)
{
    struct opened o;
    struct err err;
    if (enter(cli, false, &o, &err) < 0)
        return cli_fail(&err);
    const char *reason = cli_value(cli, "reason", "cancelled from the command line");
    int status = 0, r = request_cancel(&o, reason, &err);
    if (r < 0) {
        status = cli_fail(&err);
        leave(&o);
        return status;
    }
    for (int i = 0; i < CANCEL_LOOKS && (!is_final(o.store, o.run) || goes_on(&o)); i++) {
        r = close_here(&o, &err);
        if (r < 0 && err.code != ERR_CONFLICT && !is_final(o.store, o.run))
            r = close_journal(&o, &err);
        if (r < 0)
            usleep(CANCEL_LOOK_US);
    }
    printf("%s %s\n", o.run, is_final(o.store, o.run) ? "is cancelled" : "was asked to end; it is still closing down");
    leave(&o);
    return status;
}

int cmd_report(const struct cli *cli)
{
    struct opened o;
    struct err err;
    if (enter(cli, true, &o, &err) < 0)
        return cli_fail(&err);
    AUTO_FREE char *dir = store_run_dir(o.store, o.run);
    int status = 0;
    if (report_write(o.store, o.run, dir, &err) < 0)
        status = cli_fail(&err);
    else
        printf("%s/report.html\n", dir);
    leave(&o);
    return status;
}
