// baton run, tune, resume: the engine inside of this process, until the run has ended.
#include "main/commands.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/engine.h"
#include "loop/loop.h"
#include "main/explained.h"
#include "main/progress.h"
#include "main/reopen.h"
#include "main/run_request.h"
#include "main/summary.h"
#include "report/text.h"
#include "run/letters.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TICK_NS (120 * NS_PER_MS)

struct session {
    struct places places;
    struct store *store;
    struct loop *loop;
    struct engine *engine;
    struct progress *progress;
    struct loop_timer *tick;
    struct loop_signal *on_int, *on_term;
    char run[STORE_NAME_MAX];
    enum run_state state;
    struct err why;
    bool ended, interrupted, json;
};

static void on_event(void *user, const char *run, enum event_kind kind, const json_t *body)
{
    struct session *s = user;
    progress_event(s->progress, run, kind, body);
}

static void on_ended(void *user, const char *run, enum run_state state, const json_t *result, const struct err *why)
{
    struct session *s = user;
    if (*s->run && !str_eq(run, s->run)) // a child's end is its parent's affair
        return;
    const char *next = json_str(result, "continued_as", NULL);
    if (state == RUN_CONTINUED && next) { // it is followed
        snprintf(s->run, sizeof(s->run), "%s", next);
        return;
    }
    s->ended = true;
    s->state = state;
    if (why)
        s->why = *why;
    loop_stop(s->loop);
}

static void on_tick(void *user)
{
    struct session *s = user;
    progress_tick(s->progress);
}

static void on_signal(void *user, int signal)
{
    struct session *s = user;
    (void)signal;
    s->interrupted = true;
    loop_stop(s->loop);
}

static void close_session(struct session *s)
{
    s->engine = engine_free(s->engine);
    s->progress = progress_free(s->progress);
    loop_timer_close(s->tick);
    loop_signal_close(s->on_int);
    loop_signal_close(s->on_term);
    s->loop = loop_free(s->loop);
    commands_close(&s->places, s->store);
}

static int open_session(struct session *s, const char *project, bool json, bool quiet, struct err *err)
{
    int r = commands_open_to_work(&s->places, &s->store, err);
    if (r < 0)
        return r;
    s->json = json;
    enum progress_style style = json ? PROGRESS_JSON : quiet ? PROGRESS_QUIET : progress_style_for(STDERR_FILENO);
    s->progress = progress_new(s->store, project, style);
    r = loop_new(&s->loop, err);
    struct engine_options options = {.loop = s->loop,
                                     .store = s->store,
                                     .program_dir = s->places.programs,
                                     .data_dir = s->places.data,
                                     .may_ask = isatty(STDIN_FILENO) && isatty(STDERR_FILENO),
                                     .user = s,
                                     .event = on_event,
                                     .ended = on_ended};
    if (r == 0)
        r = engine_new(&options, &s->engine, err);
    if (r == 0)
        r = loop_signal_new(s->loop, SIGINT, on_signal, s, &s->on_int, err);
    if (r == 0)
        r = loop_signal_new(s->loop, SIGTERM, on_signal, s, &s->on_term, err);
    if (r < 0) {
        close_session(s);
        return r;
    }
    s->tick = loop_timer_new(s->loop, on_tick, s);
    loop_timer_start(s->tick, TICK_NS, TICK_NS);
    return 0;
}

// One attempt for those who want to know of the end; further ones are made by whoever runs next.
static void wait_for_effects(struct session *s)
{
    commands_wait_for_effects(s->engine, s->loop);
    AUTO_JSON json_t *entries = store_outbox_list_new(s->store, s->run, NULL);
    size_t i;
    json_t *entry;
    json_array_foreach (entries, i, entry)
        if (!str_eq(json_str(entry, "state", ""), "done"))
            fprintf(stderr, "baton: a notification was not taken (%s)%s\n",
                    json_str(entry, "error", "there was no time for an attempt"),
                    str_eq(json_str(entry, "state", ""), "failed")
                        ? ", and is given up"
                        : "; it is tried again by the next baton, or now with: baton outbox --deliver");
}

// Runs the loop until the run has ended or somebody interrupts.
static int wait_for_end(struct session *s)
{
    if (!s->ended)
        loop_run(s->loop);
    if (!s->ended || s->state == RUN_RUNNING) {
        s->progress = progress_free(s->progress);
        if (s->ended)
            fprintf(stderr, "baton: %s\n", s->why.text);
        fprintf(stderr, "baton: run %s is not finished; nothing that is done is lost. Continue with: baton resume %s\n",
                s->run, s->run);
        AUTO_JSON json_t *list = store_waits_new(s->store, s->run, NULL);
        AUTO_FREE char *waits = text_waits_new(s->run, list);
        if (waits)
            fprintf(stderr, "baton: it waits %s\n", waits);
        return s->interrupted ? 130 : err_exit_status(s->why.code);
    }
    wait_for_effects(s);
    return run_state_exit_status(s->state);
}

static void say_result(struct session *s)
{
    struct err err;
    if (!s->ended || s->state == RUN_RUNNING)
        return;
    if (s->json) {
        AUTO_JSON json_t *line = summary_json_new(s->store, s->run, &err);
        AUTO_FREE char *text = line ? json_shown(line) : NULL;
        if (text)
            printf("%s\n", text);
        return;
    }
    if (summary_print(s->store, s->run, stdout, &err) < 0)
        fprintf(stderr, "baton: %s\n", err.text);
}

// Its key is known: the exit status is what it ended with.
static int say_known(const struct session *s)
{
    AUTO_JSON json_t *record = store_run_get_new(s->store, s->run, NULL);
    const char *name = json_str(record, "state", "?");
    enum run_state state = RUN_RUNNING;
    bool final = run_state_from_name(name, &state) && run_state_final(state),
         stopped = store_run_interrupted(s->store, record);
    fprintf(stderr, "baton: a run with this key is there already: %s (%s)%s%s\n", s->run,
            stopped ? "interrupted" : name, stopped ? "; go on with: baton resume " : "", stopped ? s->run : "");
    return final ? run_state_exit_status(state) : stopped ? 130 : 0;
}

// With agent files of the caller's own, also what they can cause together.
static void say_begin(const struct session *s, const char *workflow, const char *project, bool own_agents)
{
    AUTO_JSON json_t *explained = own_agents ? explained_new(s->store, s->run, NULL) : NULL;
    fprintf(stderr, "baton: run %s of '%s' on %s\n", s->run, workflow, project);
    if (explained)
        explained_print_causes(explained, stderr);
}

int cmd_run_request(const struct cli *cli, struct run_request *q, cmd_run_ended *ended, void *user)
{
    const char *workflow = q->request.workflow, *project = q->request.project;
    struct session s = {0};
    struct err err;
    if (open_session(&s, project, cli_flag(cli, "json"), cli_flag(cli, "quiet"), &err) < 0) {
        run_request_clear(q);
        return cli_fail(&err);
    }
    int r = engine_start(s.engine, &q->request, s.run, &err);
    int status;
    if (r == 1) {
        status = say_known(&s);
    } else if (r < 0) {
        status = cli_fail(&err);
    } else {
        if (!s.json && !cli_flag(cli, "quiet"))
            say_begin(&s, workflow, project, *cli_values(cli, "agents") != NULL);
        status = wait_for_end(&s);
        if (!q->silent)
            say_result(&s);
        if (ended && s.ended && s.state != RUN_RUNNING)
            status = ended(user, s.store, s.run, status);
    }
    close_session(&s);
    run_request_clear(q);
    return status;
}

static int start(const struct cli *cli, const char *workflow, const char *project)
{
    struct err err;
    struct run_request q;
    if (run_request_read(cli, workflow, project, &q, &err) < 0)
        return cli_fail(&err);
    return cmd_run_request(cli, &q, NULL, NULL);
}

int cmd_run(const struct cli *cli)
{
    return start(cli, cli_arg(cli, 0), cli_value(cli, "project", "."));
}

int commands_check_project(const char *dir, struct err *err)
{
    AUTO_FREE char *manifest = path_join(dir, "Cargo.toml");
    if (!file_is_dir(dir) || file_exists(manifest)) // that there is no such folder is said where it is opened
        return 0;
    return err_set(err, ERR_INVALID, "there is no Cargo.toml in '%s': give the folder of a Rust package or workspace", dir);
}

// Every word of list that is none of known is a mistake that would go unnoticed.
static int put_accepted(const struct cli *cli, json_t *params, struct err *err)
{
    static const char *const KNOWN[] = {"abort", "native", "debug"};
    const char *const *given = cli_values(cli, "accept");
    json_t *list = json_array();
    json_put(params, "accept", list);
    for (; *given; given++) {
        bool known = false;
        for (size_t i = 0; i < ARRAY_LEN(KNOWN); i++)
            known = known || str_eq(KNOWN[i], *given);
        if (!known)
            return err_set(err, ERR_INVALID, "--accept '%s' must be abort, native or debug", *given);
        json_add_str(list, *given);
    }
    return 0;
}

static int search(const struct cli *cli, const char *goal, const char *dir)
{
    struct err err;
    struct run_request q;
    if (cli_value(cli, "focus", NULL) || cli_value(cli, "max-rounds", NULL)) {
        err_set(&err, ERR_INVALID, "--for searches build settings alone: --focus and --max-rounds belong to a run without it");
        return cli_fail(&err);
    }
    if (run_request_read(cli, "search", dir, &q, &err) < 0)
        return cli_fail(&err);
    json_put_str(q.params, "goal", goal);
    if (put_accepted(cli, q.params, &err) < 0) {
        run_request_clear(&q);
        return cli_fail(&err);
    }
    return cmd_run_request(cli, &q, NULL, NULL);
}

int cmd_tune(const struct cli *cli)
{
    const char *dir = cli_arg(cli, 0) ? cli_arg(cli, 0) : ".", *goal = cli_value(cli, "for", NULL);
    struct err err;
    if (!goal && *cli_values(cli, "accept"))
        err_set(&err, ERR_INVALID, "--accept is for a search: give --for runtime, build, size or balanced, too");
    else if (commands_check_project(dir, &err) == 0)
        return goal ? search(cli, goal, dir) : start(cli, "relay", dir);
    return cli_fail(&err);
}

// The run above all unfinished ones: with it, those below it go on too.
static char *first_of_family(struct store *store, const char *run)
{
    char *first = str_dup(run);
    for (;;) {
        AUTO_JSON json_t *record = first ? store_run_get_new(store, first, NULL) : NULL;
        const char *parent = json_str(record, "parent", NULL);
        AUTO_JSON json_t *above = parent ? store_run_get_new(store, parent, NULL) : NULL;
        enum run_state state = RUN_LOST;
        if (!above || !run_state_from_name(json_str(above, "state", ""), &state) || run_state_final(state))
            return first;
        str_set(&first, parent);
    }
}

static void err_hint(struct err *err, const char *run)
{
    struct err why = *err;
    err_set(err, why.code, "%s; to execute again what failed, see the plan of: baton resume %s --again", why.text, run);
}

int cmd_resume(const struct cli *cli)
{
    struct session s = {0};
    struct err err;
    char *run = NULL;
    if (open_session(&s, NULL, cli_flag(cli, "json"), cli_flag(cli, "quiet"), &err) < 0)
        return cli_fail(&err);
    int r;
    if (cli_arg(cli, 0)) {
        r = commands_find_run(s.store, cli_arg(cli, 0), &run, &err);
        char *latest = r == 0 ? letter_latest(s.store, run) : NULL;
        if (latest)
            str_set(&run, latest);
        mem_free(latest);
    } else {
        AUTO_JSON json_t *open =
            store_run_list_new(s.store, &(struct store_run_filter){.unfinished = true, .limit = 1}, &err);
        run = first_of_family(s.store, json_str(json_array_get(open, 0), "id", NULL));
        r = run ? 0 : err_set(&err, ERR_NOT_FOUND, "no run is unfinished");
    }
    if (r == 0 && reopen_wanted(cli))
        r = reopen_with(s.engine, run, cli, &err);
    if (r == 0) {
        snprintf(s.run, sizeof(s.run), "%s", run);
        r = engine_resume(s.engine, run, &err);
    }
    if (r == -ERR_STATE && !reopen_wanted(cli))
        err_hint(&err, run);
    int status = r < 0 ? cli_fail(&err) : r == 1 ? run_state_exit_status(RUN_NEEDS_DISCUSSION) : wait_for_end(&s);
    if (r == 0)
        say_result(&s);
    mem_free(run);
    close_session(&s);
    return status;
}
