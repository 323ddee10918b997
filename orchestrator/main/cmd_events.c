// baton events, logs: what happened, and what happens.
#include "main/commands.h"

#include "base/mem.h"
#include "base/str.h"
#include "main/events.h"

#include <unistd.h>

#define LOOK_US 100000

static bool is_final(struct store *store, const char *run)
{
    AUTO_JSON json_t *record = store_run_get_new(store, run, NULL);
    enum run_state state = RUN_RUNNING;
    return !record || (run_state_from_name(json_str(record, "state", ""), &state) && run_state_final(state));
}

// The run that the run which is shown went on in, from now on; *keep holds its name. False: there is none.
static bool goes_on(struct event_view *view, char **keep)
{
    AUTO_JSON json_t *record = view->run ? store_run_get_new(view->store, view->run, NULL) : NULL;
    const char *next = json_str(json_obj(record, "result"), "continued_as", NULL);
    if (!next)
        return false;
    str_set(keep, next);
    view->run = *keep;
    return true;
}

// Until the run has ended; without a run, until somebody ends it. The journal is looked at again when another process
// has written.
static int show(struct event_view *view, bool follow, struct err *err)
{
    AUTO_FREE char *keep = NULL;
    for (bool last = false;;) {
        last = !follow || (view->run && is_final(view->store, view->run));
        int r = events_print(view, err);
        if (r == 0 && follow && last && goes_on(view, &keep))
            continue;
        if (r < 0 || last)
            return r;
        do
            usleep(LOOK_US);
        while (!store_changed_elsewhere(view->store));
    }
}

static int check_options(const struct cli *cli, struct event_view *view, struct err *err)
{
    const char *since = cli_value(cli, "since", NULL);
    int r = 0;
    for (const char *const *k = view->kinds; *k && r == 0; k++)
        r = events_check_kind(*k, err);
    if (r == 0 && since && !str_eq(since, "now") && (!str_to_i64(since, &view->since) || view->since < 0))
        r = err_set(err, ERR_INVALID, "--since '%s' must be the id of an event, or 'now'", since);
    return r;
}

int cmd_events(const struct cli *cli)
{
    struct places places;
    struct err err;
    char *run = NULL;
    struct event_view view = {.kinds = cli_values(cli, "kind"), .json = cli_flag(cli, "json"), .whole = true};
    if (check_options(cli, &view, &err) < 0 || commands_open_to_look(&places, &view.store, &err) < 0)
        return cli_fail(&err);
    int r = cli_arg(cli, 0) ? commands_find_run(view.store, cli_arg(cli, 0), &run, &err) : 0;
    view.run = run;
    if (str_eq(cli_value(cli, "since", NULL), "now"))
        view.since = store_event_last(view.store);
    if (r == 0)
        r = show(&view, cli_flag(cli, "follow"), &err);
    mem_free(run);
    commands_close(&places, view.store);
    return r < 0 ? cli_fail(&err) : 0;
}

int cmd_logs(const struct cli *cli)
{
    struct places places;
    struct err err;
    char *run = NULL;
    struct event_view view = {.json = cli_flag(cli, "json")};
    if (commands_open_to_look(&places, &view.store, &err) < 0)
        return cli_fail(&err);
    int r = commands_find_run(view.store, cli_arg(cli, 0) ? cli_arg(cli, 0) : "last", &run, &err);
    view.run = run;
    if (r == 0)
        r = show(&view, cli_flag(cli, "follow"), &err);
    mem_free(run);
    commands_close(&places, view.store);
    return r < 0 ? cli_fail(&err) : 0;
}
