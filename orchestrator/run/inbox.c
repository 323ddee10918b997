// The inbox of a run: what other processes tell its owner. A record that has answered a call is named in that call's
// journaled answer ("inbox": id), so that it is taken once, however often the records are read.
#include "run/calls.h"

#include "base/mem.h"
#include "base/str.h"

#include <inttypes.h>

static json_t *taken(struct run *run)
{
    if (run->inbox_taken)
        return run->inbox_taken;
    run->inbox_taken = json_object();
    AUTO_JSON json_t *calls = run->resumed ? store_call_list_new(run->env.store, run->id, NULL) : NULL;
    size_t i;
    json_t *call;
    json_array_foreach (calls, i, call) {
        int64_t id = json_int(json_obj(call, "answer"), "inbox", 0);
        if (id && (str_eq(json_str(call, "op", ""), "approve") || str_eq(json_str(call, "op", ""), "signal")))
            inbox_take(run, id);
    }
    return run->inbox_taken;
}

bool inbox_is_taken(struct run *run, int64_t id)
{
    AUTO_FREE char *text = str_printf("%" PRId64, id);
    return json_object_get(taken(run), text) != NULL;
}

void inbox_take(struct run *run, int64_t id)
{
    AUTO_FREE char *text = str_printf("%" PRId64, id);
    json_put_flag(taken(run), text, true);
}

int64_t inbox_last(struct run *run)
{
    AUTO_JSON json_t *inbox = store_inbox_list_new(run->env.store, run->id, run->inbox_seen, NULL);
    size_t count = json_array_size(inbox);
    return count ? json_int(json_array_get(inbox, count - 1), "id", 0) : run->inbox_seen;
}

void run_read_inbox(struct run *run)
{
    for (size_t n = 1; n > 0;) { // the store gives a long inbox in parts
        AUTO_JSON json_t *inbox = store_inbox_list_new(run->env.store, run->id, run->inbox_seen, NULL);
        size_t i;
        json_t *item;
        n = json_array_size(inbox);
        json_array_foreach (inbox, i, item) {
            run->inbox_seen = json_int(item, "id", run->inbox_seen);
            if (str_eq(json_str(item, "kind", ""), "approval"))
                approve_take(run, item);
            else if (str_eq(json_str(item, "kind", ""), "signal"))
                signal_take(run, item);
        }
    }
}
