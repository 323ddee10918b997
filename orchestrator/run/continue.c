// continue_as_new: the run ends, and the same workflow begins again with other params and an empty history, as another
// run that is journaled in the same transaction. Limits are those of the first run: what it has used is used.
#include "run/calls.h"

#include "base/mem.h"
#include "base/str.h"
#include "run/starting.h"

#include <stdio.h>

int continue_begin(struct run *run, const struct call *c, struct err *err)
{
    if (run->undoing)
        return err_set(err, ERR_STATE, "continue_as_new: the run has ended; its handlers cannot go on with it");
    AUTO_JSON json_t *declaration = script_declaration_new(run->script);
    AUTO_JSON json_t *params = script_params_new(declaration, json_obj(c->args, "params"), false, err);
    if (!params)
        return err_wrap(err, "continue_as_new");
    AUTO_JSON json_t *answer = json_object();
    int r = call_put(run, c, answer, err);
    if (r < 0)
        return r;
    run->next_params = json_incref(params);
    run_end(run, RUN_CONTINUED, NULL, NULL);
    return 0;
}

static json_t *options_new(const struct run *run)
{
    json_t *options = json_deep_copy(json_obj(run->record, "options"));
    if (!options)
        options = json_object();
    if (!json_str(options, "account", NULL))
        json_put_str(options, "account", run->id);
    if (!json_int(options, "wall_from_ns", 0))
        json_put_int(options, "wall_from_ns",
                     json_int(run->record, "started_ns", json_int(run->record, "created_ns", 0)));
    json_put_str(options, "continued_from", run->id);
    return options;
}

// Signals that nobody has waited for yet are for the next run.
static int hand_on_signals(struct run *run, const char *next, struct err *err)
{
    AUTO_JSON json_t *inbox = store_inbox_list_new(run->env.store, run->id, run->signals_from, err);
    size_t i;
    json_t *item;
    int r = inbox ? 0 : -(int)err->code;
    json_array_foreach (inbox, i, item)
        if (r == 0 && str_eq(json_str(item, "kind", ""), "signal") && !inbox_is_taken(run, json_int(item, "id", 0)))
            r = store_inbox_put(run->env.store, next, "signal", json_obj(item, "body"), NULL, err);
    return r;
}

// Somebody wants the end of a run that is just going on in another one.
bool continue_cancel(struct run *run, const char *reason)
{
    const char *next = json_str(run->end_result, "continued_as", NULL);
    if (!run->ending || run->end_state != RUN_CONTINUED)
        return false;
    if (!run->closing) {
        run->end_state = RUN_CANCELLED;
        snprintf(run->end_reason, sizeof(run->end_reason), "%s", reason);
    } else if (next) {
        store_run_request_cancel(run->env.store, next, reason, NULL);
    }
    return true;
}

int continue_put(struct run *run, json_t *result, struct err *err)
{
    char next[STORE_NAME_MAX];
    struct parts p = {.params = run->next_params,
                      .agents = json_obj(run->record, "agents"),
                      .options = options_new(run),
                      .name = str_dup(json_str(run->record, "workflow", "workflow")),
                      .project = run->project};
    snprintf(p.script_hash, sizeof(p.script_hash), "%s", json_str(run->record, "script_hash", ""));
    struct starting s = {.store = run->env.store};
    int r = parts_journal(&s, &p, NULL, json_str(run->record, "caller", NULL), json_str(run->record, "parent", NULL),
                          next, err);
    if (r == 0)
        r = hand_on_signals(run, next, err);
    char reason[STORE_NAME_MAX];
    if (r == 0 && store_run_cancel_requested(run->env.store, run->id, reason, NULL) > 0)
        r = store_run_request_cancel(run->env.store, next, reason, err);
    if (r >= 0)
        json_put_str(result, "continued_as", next);
    json_decref(p.options);
    mem_free(p.name);
    return r < 0 ? r : 0;
}
