// baton schedule: workflows that begin at times. The journal has the schedules; a service that is there is told to look
// again.
#include "main/commands.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "main/client.h"
#include "main/run_request.h"
#include "run/starting.h"
#include "schedule/civil.h"
#include "schedule/cron.h"

#include <stdio.h>
#include <stdlib.h>

#define NEXT_SHOWN 5
#define LOCAL_MAX  64

// --- shared ---

static void tell_service(const char *state_dir)
{
    AUTO_JSON json_t *request = json_object();
    json_put_str(request, "op", "schedules");
    AUTO_JSON json_t *answer = client_ask_new(state_dir, request, 0, NULL);
    if (!answer)
        fprintf(stderr, "baton: no service is there; schedules do something when there is one: baton serve\n");
}

static void note(struct store *store, enum event_kind kind, const char *name)
{
    AUTO_JSON json_t *body = json_object();
    json_put_str(body, "schedule", name);
    store_event_add(store, NULL, kind, body, NULL, NULL);
}

// "2026-11-23 02:30 +0100"
static void local_text(const struct zone *zone, int64_t utc, char out[LOCAL_MAX])
{
    struct civil c;
    int32_t offset = zone_offset(zone, utc);
    civil_of(utc + offset, &c);
    int minutes = abs(offset / 60);
    snprintf(out, LOCAL_MAX, "%04d-%02d-%02d %02d:%02d %c%02d%02d", (int)c.year, c.month, c.day, c.hour, c.minute,
             offset < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

// The next times: [{utc, local}]
static json_t *next_times_new(const json_t *row, size_t count)
{
    struct cron cron;
    struct zone *zone = NULL;
    json_t *list = json_array();
    int64_t at = clock_wall_ns() / NS_PER_SEC;
    if (json_int(row, "handled_ns", 0) / NS_PER_SEC > at)
        at = json_int(row, "handled_ns", 0) / NS_PER_SEC;
    if (json_int(row, "paused", 0) || cron_parse(json_str(row, "cron", ""), &cron, NULL) < 0 ||
        zone_load(json_str(row, "zone", ""), &zone, NULL) < 0)
        return list;
    for (size_t i = 0; i < count && cron_next(&cron, zone, at, &at); i++) {
        char utc[CLOCK_TEXT_MAX], local[LOCAL_MAX];
        json_t *time = json_object();
        clock_iso(at * NS_PER_SEC, utc);
        local_text(zone, at, local);
        json_put_str(time, "utc", utc);
        json_put_str(time, "local", local);
        json_array_append_new(list, time);
    }
    zone_free(zone);
    return list;
}

static const char *first_local(const json_t *times, const char *otherwise)
{
    return json_str(json_array_get(times, 0), "local", otherwise);
}

// --- add ---

static int check_choice(const struct cli *cli, const char *option, const char *const *choices, struct err *err)
{
    const char *value = cli_value(cli, option, choices[0]);
    for (const char *const *c = choices; *c; c++)
        if (str_eq(*c, value))
            return 0;
    return err_set(err, ERR_INVALID, "--%s '%s' must be %s, %s%s%s", option, value, choices[0], choices[1],
                   choices[2] ? " or " : "", choices[2] ? choices[2] : "");
}

static int check_schedule(const struct cli *cli, const char *zone_name, struct err *err)
{
    static const char *const OVERLAP[] = {"skip", "queue", "cancel", NULL}, *const CATCH_UP[] = {"none", "once", NULL};
    struct cron cron;
    struct zone *zone = NULL;
    int r = cron_parse(cli_arg(cli, 1), &cron, err);
    if (r == 0)
        r = zone_load(zone_name, &zone, err);
    zone_free(zone);
    if (r == 0)
        r = check_choice(cli, "overlap", OVERLAP, err);
    return r == 0 ? check_choice(cli, "catch-up", CATCH_UP, err) : r;
}

// What the start of a run would refuse is refused here: nobody looks when the time comes.
static int check_request(const struct engine_request *q, struct err *err)
{
    struct places places;
    int r = places_find(&places, err);
    if (r < 0)
        return r;
    struct parts_wanted wanted = {.workflow = q->workflow,
                                  .project = q->project,
                                  .params = q->params,
                                  .limits = q->limits,
                                  .from_text = q->params_from_text,
                                  .wall_ms = q->wall_ms,
                                  .agent_dirs = q->agent_dirs,
                                  .operator_rules = q->operator_rules};
    r = parts_check(places.data, &wanted, err);
    places_free(&places);
    return r;
}

static json_t *request_new(const struct cli *cli, struct err *err)
{
    struct run_request q = {0};
    if (run_request_read(cli, cli_arg(cli, 2), cli_value(cli, "project", "."), &q, err) < 0)
        return NULL;
    json_t *request = check_request(&q.request, err) == 0 ? run_request_message_new(&q, err) : NULL;
    run_request_clear(&q);
    if (!request)
        return NULL;
    json_object_del(request, "op");
    json_object_del(request, "key");
    json_object_del(request, "caller");
    return request;
}

int cmd_schedule_add(const struct cli *cli)
{
    struct places places;
    struct store *store = NULL;
    struct err err;
    const char *name = cli_arg(cli, 0);
    AUTO_FREE char *machine = zone_of_machine();
    const char *zone = cli_value(cli, "zone", machine);
    int r = check_schedule(cli, zone, &err);
    AUTO_JSON json_t *request = r == 0 ? request_new(cli, &err) : NULL;
    if (!request || commands_open(&places, &store, &err) < 0)
        return cli_fail(&err);
    struct store_schedule schedule = {.name = name,
                                      .cron = cli_arg(cli, 1),
                                      .zone = zone,
                                      .overlap = cli_value(cli, "overlap", "skip"),
                                      .catch_up = cli_value(cli, "catch-up", "none"),
                                      .request = request};
    r = store_schedule_add(store, &schedule, &err);
    AUTO_JSON json_t *row = r == 0 ? store_schedule_get_new(store, name, &err) : NULL;
    if (row) {
        AUTO_JSON json_t *times = next_times_new(row, 1);
        note(store, EVENT_SCHEDULE_ADDED, name);
        printf("%s begins first at %s (%s)\n", name, first_local(times, "no time"), zone);
        tell_service(places.state);
    }
    commands_close(&places, store);
    return row ? 0 : cli_fail(&err);
}

// --- list, show ---

// What became of the last time, NULL when there was none. `whole`: with the time it was.
static char *outcome_text(struct store *store, const json_t *row, bool whole)
{
    const json_t *outcome = json_obj(row, "outcome");
    const char *event = json_str(outcome, "event", ""), *why = json_str(outcome, "why", "");
    char when[CLOCK_TEXT_MAX];
    if (!outcome)
        return NULL;
    clock_iso(json_int(outcome, "at_ns", 0), when);
    AUTO_FREE char *at = whole ? str_printf(" at %.19sZ", when) : str_dup("");
    if (str_eq(event, event_kind_name(EVENT_SCHEDULE_FAILED)))
        return str_printf("failed%s: %s", at, why);
    if (str_eq(event, event_kind_name(EVENT_SCHEDULE_SKIPPED)))
        return str_printf("skipped%s: %s", at, why);
    const char *run = json_str(outcome, "run", "?");
    AUTO_JSON json_t *record = store_run_get_new(store, run, NULL);
    return str_printf("started %s%s (%s)", run, at, json_str(record, "state", "gone"));
}

static void print_row(struct store *store, const json_t *row, const json_t *times)
{
    AUTO_FREE char *last = outcome_text(store, row, false);
    printf("%-20s %-18s %-20s %-24s %s%s%s\n", json_str(row, "name", ""), json_str(row, "cron", ""),
           json_str(row, "zone", ""), first_local(times, "paused"), json_str(json_obj(row, "request"), "workflow", ""),
           last ? ", last time " : "", last ? last : "");
}

int cmd_schedule_list(const struct cli *cli)
{
    struct places places;
    struct store *store = NULL;
    struct err err;
    if (commands_open_to_look(&places, &store, &err) < 0)
        return cli_fail(&err);
    json_t *rows = store_schedule_list_new(store, &err);
    size_t i;
    json_t *row;
    json_array_foreach (rows, i, row) {
        json_t *times = next_times_new(row, 1);
        json_put(row, "next", times);
        if (!cli_flag(cli, "json"))
            print_row(store, row, times);
    }
    commands_close(&places, store);
    if (!rows)
        return cli_fail(&err);
    if (cli_flag(cli, "json")) {
        commands_print_json(rows);
        return 0;
    }
    if (json_array_size(rows) == 0)
        fprintf(stderr, "no schedules; add one with: baton schedule add NAME '0 3 * * *' WORKFLOW --project DIR\n");
    json_decref(rows);
    return 0;
}

static void print_schedule(const json_t *row, const char *last_state, const char *outcome)
{
    const json_t *request = json_obj(row, "request");
    printf("schedule  %s%s\ntimes     %s (%s)\nworkflow  %s\nproject   %s\noverlap   %s\ncatch up  %s\n",
           json_str(row, "name", ""), json_int(row, "paused", 0) ? " (paused)" : "", json_str(row, "cron", ""),
           json_str(row, "zone", ""), json_str(request, "workflow", ""), json_str(request, "project", ""),
           json_str(row, "overlap", ""), json_str(row, "catch_up", ""));
    if (json_str(row, "last_run", NULL)) {
        char when[CLOCK_TEXT_MAX];
        clock_iso(json_int(row, "last_ns", 0), when);
        printf("last run  %s (%s), begun %s\n", json_str(row, "last_run", ""), last_state, when);
    }
    if (outcome)
        printf("last time %s\n", outcome);
    size_t i;
    json_t *time;
    json_array_foreach (json_list(row, "next"), i, time)
        printf("%-9s %s  %s\n", i ? "" : "next", json_str(time, "local", ""), json_str(time, "utc", ""));
}

int cmd_schedule_show(const struct cli *cli)
{
    struct places places;
    struct store *store = NULL;
    struct err err;
    if (commands_open_to_look(&places, &store, &err) < 0)
        return cli_fail(&err);
    AUTO_JSON json_t *row = store_schedule_get_new(store, cli_arg(cli, 0), &err);
    const char *last = json_str(row, "last_run", NULL);
    AUTO_JSON json_t *run = last ? store_run_get_new(store, last, NULL) : NULL;
    AUTO_FREE char *outcome = row ? outcome_text(store, row, true) : NULL;
    commands_close(&places, store);
    if (!row)
        return cli_fail(&err);
    json_put(row, "next", next_times_new(row, NEXT_SHOWN));
    if (cli_flag(cli, "json"))
        commands_print_json(json_incref(row));
    else
        print_schedule(row, json_str(run, "state", "gone"), outcome);
    return 0;
}

// --- changes ---

static int change(const struct cli *cli, enum event_kind kind, const char *says)
{
    struct places places;
    struct store *store = NULL;
    struct err err;
    const char *name = cli_arg(cli, 0);
    if (commands_open(&places, &store, &err) < 0)
        return cli_fail(&err);
    int r = kind == EVENT_SCHEDULE_REMOVED ? store_schedule_remove(store, name, &err)
                                           : store_schedule_pause(store, name, kind == EVENT_SCHEDULE_PAUSED, &err);
    if (r == 0) {
        note(store, kind, name);
        printf("%s %s\n", name, says);
        tell_service(places.state);
    }
    commands_close(&places, store);
    return r < 0 ? cli_fail(&err) : 0;
}

int cmd_schedule_remove(const struct cli *cli)
{
    return change(cli, EVENT_SCHEDULE_REMOVED, "is removed; its runs stay");
}

int cmd_schedule_pause(const struct cli *cli)
{
    return change(cli, EVENT_SCHEDULE_PAUSED, "is paused");
}

int cmd_schedule_resume(const struct cli *cli)
{
    return change(cli, EVENT_SCHEDULE_RESUMED, "goes on");
}

int cmd_schedule_trigger(const struct cli *cli)
{
    struct places places;
    struct err err;
    if (places_find(&places, &err) < 0)
        return cli_fail(&err);
    AUTO_JSON json_t *request = json_object();
    json_put_str(request, "op", "trigger");
    json_put_str(request, "schedule", cli_arg(cli, 0));
    AUTO_JSON json_t *answer = client_ask_new(places.state, request, 0, &err);
    places_free(&places);
    if (!answer)
        return cli_fail(&err);
    commands_say_started(json_str(answer, "run", ""), json_int(answer, "position", 0));
    return 0;
}
