#include "replay/plan.h"

#include "base/mem.h"
#include "base/str.h"
#include "pool/pool.h"
#include "roles/roles.h"
#include "run/answer.h"
#include "script/script.h"
#include "store/states.h"

#include <inttypes.h>
#include <string.h>

struct plan {
    const struct plan_of *of;
    struct script *script;
    json_t *out;
    json_t *asked;   // key -> how often
    json_t *taken;   // index of a call -> true
    json_t *workers; // role -> worker that answered last
    json_t *used;    // stage -> true
    json_t *unknown; // handoff id -> true
};

static bool is_listed(const json_t *numbers, int64_t n)
{
    size_t i;
    json_t *number;
    json_array_foreach (numbers, i, number)
        if (json_integer_value(number) == n)
            return true;
    return false;
}

static const json_t *find_stage(const struct plan *p, const char *key, int64_t occurrence)
{
    size_t i;
    json_t *stage;
    json_array_foreach (p->of->stages, i, stage)
        if (str_eq(json_str(stage, "key", ""), key) && json_int(stage, "occurrence", 0) == occurrence)
            return stage;
    return NULL;
}

static json_t *row_new(const char *agent, const char *mode)
{
    json_t *row = json_object();
    json_put_str(row, "agent", agent);
    json_put_str(row, "mode", mode);
    return row;
}

static json_t *stage_row_new(const json_t *stage)
{
    json_t *row = row_new(json_str(stage, "agent", "?"), json_str(stage, "mode", NULL));
    json_put_int(row, "stage", json_int(stage, "seq", 0));
    json_put_str(row, "summary", json_str(json_obj(stage, "handoff"), "summary", NULL));
    return row;
}

// --- stages ---

// Owned by the caller; NULL: the stage is not why.
static char *why_again_new(const json_t *stage)
{
    const char *state = json_str(stage, "state", "?");
    if (!stage)
        return NULL;
    if (str_eq(state, stage_state_name(STAGE_COMPLETED)))
        return str_printf("stage %" PRId64 " left commits on a branch that is gone", json_int(stage, "seq", 0));
    return str_printf("stage %" PRId64 " was %s", json_int(stage, "seq", 0), state);
}

static void begins(struct plan *p, uint64_t call, const json_t *args, const struct asked *asked, const json_t *stage,
                   const char *because)
{
    json_t *row = row_new(asked->agent ? asked->agent : json_str(args, "agent", "?"), asked->focus.mode);
    AUTO_FREE char *text = why_again_new(stage);
    json_put_str(row, "task", json_str(args, "task", NULL));
    json_put_int(row, "line", script_line(p->script, call));
    json_put_str(row, "because", text ? text : because);
    json_array_append_new(json_list(p->out, "begins"), row);
}

// A result that nobody knows yet: the script goes on with it, as far as it does not look inside.
static json_t *unknown_new(struct plan *p, const struct asked *asked)
{
    json_t *handoff = json_object();
    AUTO_FREE char *id = str_printf("unknown-%zu", json_array_size(json_list(p->out, "begins")));
    json_put_str(handoff, "id", id);
    json_put_str(handoff, "agent_name", asked->agent);
    json_put_str(handoff, "status", "completed");
    json_put_flag(p->unknown, id, true);
    json_t *answer = answer_of_stage_new(handoff, STAGE_COMPLETED, 0, NULL);
    json_decref(handoff);
    return answer;
}

static bool gets_unknown(const struct plan *p, const json_t *args)
{
    size_t i;
    json_t *id;
    json_array_foreach (json_list(args, "after"), i, id)
        if (json_is_string(id) && json_object_get(p->unknown, json_string_value(id)))
            return true;
    return false;
}

static void ask_stage(struct plan *p, uint64_t call, const json_t *args, json_t **ret)
{
    struct asked asked = {0};
    const struct past_agent *agent = past_find_agent(p->of->past, json_str(args, "agent", ""));
    const char *role = agent ? role_of_agent(agent->name) : NULL,
               *worker = json_str(p->workers, role ? role : "", NULL);
    bool known = worker && past_asks(p->of->past, args, worker, &asked);
    AUTO_JSON json_t *parents = asked.parents, *bounds = asked.bounds;
    (void)parents; // only to be let go of
    if (!known || (pool_role_needs_project(role) && !p->of->past->base)) {
        begins(p, call, args, &asked, NULL,
               gets_unknown(p, args) ? "it gets a new result" : "no stage of its kind was finished");
        *ret = unknown_new(p, &asked);
        return;
    }
    int64_t occurrence = json_int(p->asked, asked.key, 0);
    json_put_int(p->asked, asked.key, occurrence + 1);
    const json_t *stage = find_stage(p, asked.key, occurrence);
    enum stage_state state = STAGE_RESERVED;
    if (!stage || is_listed(p->of->again, json_int(stage, "seq", 0)) ||
        !stage_state_from_name(json_str(stage, "state", ""), &state) || !stage_state_final(state)) {
        bool changed = *asked.key_before && find_stage(p, asked.key_before, occurrence);
        begins(p, call, args, &asked, stage,
               changed ? "the site's sandbox.profiles were changed since" : "no finished stage has its key");
        *ret = unknown_new(p, &asked);
        return;
    }
    const json_t *handoff = json_obj(stage, "handoff");
    AUTO_FREE char *number = str_printf("%" PRId64, json_int(stage, "seq", 0));
    json_put_flag(p->used, number, true);
    json_array_append_new(json_list(p->out, "reuses"), stage_row_new(stage));
    past_remember(p->of->past, handoff, asked.key, bounds);
    *ret = answer_of_stage_new(handoff, state, (int)json_int(stage, "seq", 0), asked.key);
}

// --- everything else ---

// As the engine takes it from its stock: the first answer to the same request of the same task.
static json_t *take_call_new(struct plan *p, const char *task, const char *op, const json_t *args)
{
    char hash[HASH_TEXT];
    json_hash(args, hash);
    size_t i, k;
    json_t *call, *again;
    json_array_foreach (p->of->calls, i, call) {
        AUTO_FREE char *index = str_printf("%zu", i);
        bool stale = json_object_get(p->taken, index) != NULL;
        json_array_foreach (p->of->calls_again, k, again)
            stale = stale || (str_eq(json_str(again, "task", ""), json_str(call, "task", "")) &&
                              json_int(again, "n", -1) == json_int(call, "n", -2));
        if (stale || !str_eq(json_str(call, "task", ""), task) || !str_eq(json_str(call, "op", ""), op) ||
            !str_eq(json_str(call, "request_hash", ""), hash))
            continue;
        json_put_flag(p->taken, index, true);
        return json_incref(call);
    }
    return NULL;
}

// A child that has ended is answered from its record, which the engine looks at; here it counts as one that begins.
static void ask_other(struct plan *p, uint64_t call, const char *task, const char *op, const json_t *args, json_t **ret)
{
    AUTO_JSON json_t *before = take_call_new(p, task, op, args);
    if (str_eq(op, "sleep") || str_eq(op, "publish") || str_eq(op, "on_failure"))
        *ret = json_null();
    else if (before && !str_eq(op, "child"))
        *ret = json_incref(json_object_get(before, "answer"));
    else if (str_eq(op, "now") || str_eq(op, "random"))
        *ret = json_real(0.5);
    if (before || *ret)
        return;
    json_t *row = json_object();
    json_put_str(row, "op", op);
    json_put_int(row, "line", script_line(p->script, call));
    json_array_append_new(json_list(p->out, "asks"), row);
}

static int on_call(void *ctx, uint64_t call, const char *task, unsigned n, const char *op, const json_t *args,
                   json_t **ret, struct err *err)
{
    struct plan *p = ctx;
    (void)n;
    (void)err;
    const char *id = json_str(args, "id", "");
    if (str_eq(op, "stage"))
        ask_stage(p, call, args, ret);
    else if (str_eq(op, "gate") && !json_object_get(p->unknown, id))
        *ret = answer_of_gate_new(args, json_object_get(p->of->past->handoffs, id),
                                  json_object_get(p->of->ungrounded, id) != NULL);
    else if (!str_eq(op, "gate"))
        ask_other(p, call, task, op, args, ret);
    return 0;
}

// --- the whole ---

static void note_workers(struct plan *p)
{
    size_t i;
    json_t *call;
    json_array_foreach (p->of->calls, i, call) {
        const char *worker = json_str(json_obj(call, "answer"), "worker", NULL);
        AUTO_FREE char *role = worker && str_eq(json_str(call, "op", ""), "stage") ? str_dup(worker) : NULL;
        if (!role)
            continue;
        role[strcspn(role, "/")] = '\0';
        json_put_str(p->workers, role, worker);
    }
}

static void note_unused(struct plan *p)
{
    size_t i;
    json_t *stage;
    json_array_foreach (p->of->stages, i, stage) {
        AUTO_FREE char *number = str_printf("%" PRId64, json_int(stage, "seq", 0));
        if (str_eq(json_str(stage, "state", ""), "completed") && !json_object_get(p->used, number) &&
            !is_listed(p->of->again, json_int(stage, "seq", 0)) && !str_starts(json_str(stage, "key", ""), "void "))
            json_array_append_new(json_list(p->out, "unused"), stage_row_new(stage));
    }
}

json_t *plan_new(const struct plan_of *of, struct err *err)
{
    struct plan p = {.of = of,
                     .asked = json_object(),
                     .taken = json_object(),
                     .workers = json_object(),
                     .used = json_object(),
                     .unknown = json_object()};
    static const char *const LISTS[] = {"reuses", "begins", "asks", "unused"};
    p.out = json_object();
    for (size_t i = 0; i < ARRAY_LEN(LISTS); i++)
        json_put(p.out, LISTS[i], json_array());
    note_workers(&p);
    struct script_host host = {.ctx = &p, .call = on_call};
    int r = script_load(of->script, of->script_len, of->name, NULL, &p.script, err);
    if (r == 0)
        r = script_start(p.script, json_obj(of->past->run, "params"), &host, err);
    if (r == 0) {
        const struct err *why = script_error(p.script);
        bool sure = json_object_size(p.unknown) == 0, done = script_state(p.script) == SCRIPT_DONE,
             complete = sure && (done || why);
        if (done || complete)
            note_unused(&p);
        json_put_flag(p.out, "complete", complete);
        json_put_str(p.out, "outcome",
                     !complete ? NULL
                     : done    ? json_str(script_result(p.script), "outcome", "accepted")
                               : "failed");
        json_put_str(p.out, "error", complete && why ? why->text : NULL);
    }
    script_free(p.script);
    json_t *const values[] = {p.asked, p.taken, p.workers, p.used, p.unknown, r == 0 ? NULL : p.out};
    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        json_decref(values[i]);
    return r == 0 ? p.out : NULL;
}
