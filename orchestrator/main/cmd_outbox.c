// baton outbox: effects outside of the journal, and delivering those that wait.
#include "main/commands.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "run/outbox.h"
#include "loop/http.h"
#include "loop/loop.h"

#define WAIT_NS (60 * NS_PER_SEC)

// What is waiting for its next attempt is due now.
static int make_due(struct store *store, struct err *err)
{
    AUTO_JSON json_t *all = store_outbox_list_new(store, NULL, err);
    size_t i;
    json_t *entry;
    int r = all ? 0 : -(int)err->code;
    json_array_foreach (all, i, entry)
        if (r >= 0 && str_eq(json_str(entry, "state", ""), "waiting") &&
            str_eq(json_str(entry, "kind", ""), OUTBOX_NOTIFY))
            r = store_outbox_settle(store, json_int(entry, "id", 0), "waiting", clock_wall_ns(),
                                    json_str(entry, "error", NULL), err);
    return r;
}

static int deliver(struct store *store, struct err *err)
{
    struct loop *loop = NULL;
    int r = make_due(store, err);
    if (r >= 0)
        r = loop_new(&loop, err);
    if (r < 0)
        return r;
    struct outbox *outbox = outbox_new(loop, store);
    int64_t end = clock_mono_ns() + WAIT_NS;
    outbox_look(outbox);
    while (outbox_under_way(outbox) && clock_mono_ns() < end)
        loop_run_once(loop);
    outbox_free(outbox);
    loop_free(loop);
    return 0;
}

static void print_entry(const json_t *e)
{
    char when[CLOCK_TEXT_MAX];
    bool waits = str_eq(json_str(e, "state", ""), "waiting");
    clock_iso(json_int(e, "updated_ns", 0), when);
    printf("%-22s %-8s %-8s %.19sZ  %s%s%s\n", json_str(e, "run", "?"), json_str(e, "kind", ""),
           json_str(e, "state", ""), when, json_str(e, "target", ""),
           json_str(e, "error", NULL) && (waits || !str_eq(json_str(e, "state", ""), "done")) ? ": " : "",
           json_str(e, "error", NULL) ? json_str(e, "error", "") : "");
}

int cmd_outbox(const struct cli *cli)
{
    struct places places;
    struct store *store = NULL;
    struct err err;
    if (commands_open(&places, &store, &err) < 0)
        return cli_fail(&err);
    int r = cli_flag(cli, "deliver") ? deliver(store, &err) : 0;
    json_t *all = r >= 0 ? store_outbox_list_new(store, NULL, &err) : NULL;
    int status = all ? 0 : cli_fail(&err);
    size_t i;
    json_t *entry;
    json_array_foreach (all, i, entry) {
        AUTO_FREE char *place =
            str_eq(json_str(entry, "kind", ""), OUTBOX_NOTIFY) ? loop_http_place(json_str(entry, "target", "")) : NULL;
        if (place)
            json_put_str(entry, "target", place);
        json_object_del(entry, "body");
        if (!cli_flag(cli, "json"))
            print_entry(entry);
    }
    if (all && cli_flag(cli, "json"))
        commands_print_json(json_incref(all));
    json_decref(all);
    commands_close(&places, store);
    return status;
}
