// Rules that the code does not show:
// - Only stages that did their task answer again. What failed, was blocked, cancelled or timed out is why somebody
// comes back.
// - The ceiling stays as it was: it is about what agents may do. Boxes are about this machine, and whoever comes back
// may
//   have just changed them: they are as the site's files say now, and what was done in other boxes is done again.
// - The branch of a run that ended without being kept is gone: stages that leave commits on it do their work again.
#include "engine/reopen.h"

#include "base/mem.h"
#include "base/str.h"
#include "budget/budget.h"
#include "replay/plan.h"
#include "roles/roles.h"
#include "run/answer.h"
#include "run/catalog.h"
#include "run/focus.h"

#include <string.h>

#define SCRIPT_NAME_EXTRA ".lua"

struct reopening {
    json_t *record, *stages, *calls;
    json_t *agents, *options; // as they will be
    json_t *again, *calls_again;
    char *script, *name; // text; name for messages
    size_t script_len;
    char script_hash[HASH_TEXT];
};

static void clear(struct reopening *r)
{
    json_t *const values[] = {r->record, r->stages, r->calls, r->agents, r->options, r->again, r->calls_again};
    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        json_decref(values[i]);
    mem_free(r->script);
    mem_free(r->name);
}

static enum run_state state_of(const struct reopening *r)
{
    enum run_state state = RUN_QUEUED;
    run_state_from_name(json_str(r->record, "state", ""), &state);
    return state;
}

static int load_script(const struct starting *s, const struct engine_reopen *how, struct reopening *r,
                       json_t **ret_declaration, struct err *err)
{
    int status;
    if (how->script) {
        status = catalog_workflow(s->data_dir, how->script, &r->script, &r->script_len, &r->name, err);
    } else {
        status = store_artifact_get(s->store, json_str(r->record, "script_hash", ""), SCRIPT_TEXT_MAX, &r->script,
                                    &r->script_len, err);
        if (status == -ERR_NOT_FOUND)
            err_set(err, ERR_NOT_FOUND,
                    "the text of its script is gone (artifact %.12s); give another copy of it, too: "
                    "--with-new-script FILE",
                    json_str(r->record, "script_hash", ""));
        r->name = str_dup(json_str(r->record, "workflow", "workflow"));
    }
    if (status < 0)
        return status;
    AUTO_FREE char *file = str_printf("%s" SCRIPT_NAME_EXTRA, r->name);
    *ret_declaration = script_declare_new(r->script, r->script_len, file, NULL, err);
    if (!*ret_declaration)
        return -(int)err->code;
    AUTO_JSON json_t *params = script_params_new(*ret_declaration, json_obj(r->record, "params"), false, err);
    if (!params)
        return err_wrap(err, "the params of run '%s'", json_str(r->record, "id", "?"));
    return store_artifact_put(s->store, r->script, r->script_len, r->script_hash, err);
}

// A run keeps its agent files, but for those that are named now.
static int load_agents(const struct starting *s, const struct engine_reopen *how, const json_t *declaration,
                       struct reopening *r, struct err *err)
{
    bool named = how->agent_dirs && *how->agent_dirs;
    int status = agents_gather(s->agents, how->agent_dirs, json_list(declaration, "agents"), r->name,
                               json_obj(r->record, "options"), &r->agents, err);
    if (status < 0)
        return status;
    if (named)
        json_object_update_missing(r->agents, json_obj(r->record, "agents"));
    else
        json_object_update(r->agents, json_obj(r->record, "agents"));
    return 0;
}

static int load_limits(const struct engine_reopen *how, struct reopening *r, struct err *err)
{
    json_t *options = json_obj(r->record, "options");
    r->options = options ? json_deep_copy(options) : json_object();
    json_put_flag(r->options, "reopened", true);
    AUTO_JSON json_t *given = budget_limits_new(how->limits, err);
    if (!given)
        return -(int)err->code;
    if (json_object_size(given) == 0)
        return 0;
    if (!json_obj(r->options, "limits") && json_array_size(r->stages) > 0)
        return err_set(err, ERR_STATE,
                       "run '%s' was started without limits, and what it used was not counted: give them to a new run",
                       json_str(r->record, "id", "?"));
    if (!json_obj(r->options, "limits"))
        json_put(r->options, "limits", json_object());
    json_object_update(json_obj(r->options, "limits"), given); // the operator's word: also more than before
    json_put_int(r->options, "wall_ms", json_int(json_obj(r->options, "limits"), budget_name(BUDGET_WALL), 0));
    return 0;
}

static void choose_again(const struct starting *s, struct reopening *r)
{
    enum run_state state = state_of(r);
    bool branch_gone = run_state_final(state) && state != RUN_NEEDS_DISCUSSION;
    size_t i;
    json_t *stage, *call;
    r->again = json_array();
    r->calls_again = json_array();
    json_array_foreach (r->stages, i, stage) {
        const char *is = json_str(stage, "state", ""), *role = role_of_agent(json_str(stage, "agent", ""));
        bool did =
            str_eq(is, stage_state_name(STAGE_COMPLETED)) || str_eq(is, stage_state_name(STAGE_NEEDS_DISCUSSION));
        bool commits = role && focus_mode_commits(role, json_str(stage, "mode", ""));
        if (!did || !json_obj(stage, "handoff") || (commits && branch_gone))
            json_array_append(r->again, json_object_get(stage, "seq"));
    }
    json_array_foreach (r->calls, i, call) {
        const char *child =
            str_eq(json_str(call, "op", ""), "child") ? json_str(json_obj(call, "answer"), "run", NULL) : NULL;
        AUTO_JSON json_t *below = child ? store_run_get_new(s->store, child, NULL) : NULL;
        if (str_eq(json_str(call, "op", ""), "child") &&
            !str_eq(json_str(below, "state", ""), run_state_name(RUN_ACCEPTED)))
            json_array_append(r->calls_again, call);
    }
}

// What its handlers of failure have undone is not there any more for stages that would answer from the journal.
static int check_not_undone(const struct reopening *r, struct err *err)
{
    size_t i;
    json_t *call;
    json_array_foreach (r->calls, i, call)
        if (str_eq(json_str(call, "task", ""), "engine") && str_eq(json_str(call, "op", ""), "undo"))
            return err_set(err, ERR_STATE,
                           "the handlers of run '%s' have undone what it did: start it again as another run",
                           json_str(r->record, "id", "?"));
    return 0;
}

static int prepare(const struct starting *s, const char *run, const struct engine_reopen *how, struct reopening *r,
                   struct err *err)
{
    *r = (struct reopening){0};
    json_t *declaration = NULL;
    r->record = store_run_get_new(s->store, run, err);
    r->stages = r->record ? store_stage_list_new(s->store, run, true, err) : NULL;
    r->calls = r->stages ? store_call_list_new(s->store, run, err) : NULL;
    int status = r->calls ? 0 : -(int)err->code;
    if (status == 0 && json_str(r->record, "parent", NULL))
        status = err_set(err, ERR_STATE, "run '%s' is part of run '%s': take that one up", run,
                         json_str(r->record, "parent", ""));
    if (status == 0)
        status = store_run_check_reopen(r->record, err);
    if (status == 0)
        status = check_not_undone(r, err);
    if (status == 0)
        status = load_script(s, how, r, &declaration, err);
    if (status >= 0)
        status = load_agents(s, how, declaration, r, err);
    if (status >= 0)
        status = load_limits(how, r, err);
    if (status >= 0)
        status = parts_profiles(r->options, err);
    if (status >= 0)
        choose_again(s, r);
    json_decref(declaration);
    if (status < 0)
        clear(r);
    return status < 0 ? status : 0;
}

static int add_agents(const struct starting *s, const json_t *agents, struct past *past, struct err *err)
{
    const char *name;
    json_t *hash;
    json_object_foreach ((json_t *)(uintptr_t)agents, name, hash) {
        struct agent_text *text = NULL;
        int r = agents_ref(s->agents, name, json_string_value(hash), &text, err);
        if (r == 0)
            r = past_add_agent(past, name, text->hash, text->text, strlen(text->text), err);
        if (text)
            agents_unref(s->agents, text);
        if (r < 0)
            return r;
    }
    return 0;
}

json_t *reopen_plan_new(const struct starting *s, const char *run, const struct engine_reopen *how, struct err *err)
{
    struct reopening r;
    if (prepare(s, run, how, &r, err) < 0)
        return NULL;
    const char *base = NULL;
    size_t i;
    json_t *call;
    json_array_foreach (r.calls, i, call)
        if (str_eq(json_str(call, "task", ""), "engine"))
            base = json_str(json_obj(call, "answer"), "base", base);
    struct past past;
    AUTO_FREE char *before = str_dup(json_str(json_obj(r.record, "options"), "profiles", NULL));
    json_put(r.record, "options", json_incref(r.options)); // as it will be
    past_init(&past, r.record, base);
    if (!str_eq(before, json_str(r.options, "profiles", "")))
        past.profiles_before = before ? before : "";
    AUTO_JSON json_t *ungrounded = answer_ungrounded_new(s->store, run);
    AUTO_FREE char *file = str_printf("%s" SCRIPT_NAME_EXTRA, r.name);
    const struct plan_of of = {.past = &past,
                               .stages = r.stages,
                               .calls = r.calls,
                               .again = r.again,
                               .calls_again = r.calls_again,
                               .ungrounded = ungrounded,
                               .script = r.script,
                               .script_len = r.script_len,
                               .name = file};
    json_t *plan = add_agents(s, r.agents, &past, err) == 0 ? plan_new(&of, err) : NULL;
    if (plan) {
        json_put_str(plan, "run", run);
        json_put_str(plan, "workflow", r.name);
        json_put_str(plan, "state", json_str(r.record, "state", NULL));
    }
    past_clear(&past);
    clear(&r);
    return plan;
}

static const json_t *handoff_of(const struct reopening *r, const char *id)
{
    size_t i;
    json_t *stage;
    json_array_foreach (r->stages, i, stage)
        if (str_eq(json_str(stage, "handoff_id", NULL), id))
            return json_obj(stage, "handoff");
    return NULL;
}

// What was set aside for a stage under way may have been spent.
static int settle(const struct starting *s, const struct reopening *r, const json_t *stage, const char *account,
                  struct err *err)
{
    const json_t *request = json_obj(stage, "request");
    AUTO_JSON json_t *limits = budget_limits_new(json_obj(request, "limits"), err), *parents = json_array();
    size_t i;
    json_t *id;
    int status = limits ? 0 : -(int)err->code;
    json_array_foreach (json_list(request, "after"), i, id) {
        const json_t *handoff = handoff_of(r, json_string_value(id));
        if (handoff)
            json_array_append(parents, (json_t *)(uintptr_t)handoff);
    }
    struct budget_amounts asked = budget_demand(json_str(stage, "agent", ""), parents, limits);
    for (unsigned k = 0; k < BUDGET_KIND_COUNT_ && status == 0; k++)
        if (asked.of[k] && budget_is_sum((enum budget_kind)k))
            status =
                store_ledger_add(s->store, account, budget_name((enum budget_kind)k), -asked.of[k], asked.of[k], err);
    return status;
}

// The run in the journal, in one transaction.
static int put(const struct starting *s, const char *run, const struct reopening *r, const struct store_reopen *to,
               struct err *err)
{
    const json_t *options = json_obj(r->record, "options");
    const char *account = json_str(options, "account", run);
    size_t i;
    json_t *stage;
    int status = store_begin(s->store, err);
    if (status < 0)
        return status;
    status = store_run_reopen(s->store, run, to, err);
    json_array_foreach (json_object_size(json_obj(options, "limits")) ? r->stages : NULL, i, stage)
        if (status >= 0 && str_eq(json_str(stage, "state", ""), stage_state_name(STAGE_RESERVED)))
            status = settle(s, r, stage, account, err);
    if (status >= 0)
        return store_commit(s->store, err);
    store_rollback(s->store);
    return status;
}

int reopen(const struct starting *s, const char *run, const struct engine_reopen *how, struct err *err)
{
    struct reopening r;
    struct store_lock *lock = NULL;
    int status = store_run_lock(s->store, run, &lock, err);
    if (status < 0)
        return status;
    status = prepare(s, run, how, &r, err);
    if (status == 0) {
        AUTO_JSON json_t *facts = json_object();
        json_put_str(facts, "was", json_str(r.record, "state", NULL));
        json_put_str(facts, "script_hash", r.script_hash);
        json_put_flag(facts, "new_script", !str_eq(r.script_hash, json_str(r.record, "script_hash", "")));
        json_put(facts, "again", json_incref(r.again));
        const struct store_reopen to = {.script_hash = r.script_hash,
                                        .agents = r.agents,
                                        .options = r.options,
                                        .stages = r.again,
                                        .calls = r.calls_again,
                                        .facts = facts};
        status = put(s, run, &r, &to, err);
        clear(&r);
    }
    store_lock_release(lock);
    return status;
}
