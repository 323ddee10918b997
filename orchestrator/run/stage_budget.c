// Budgets of a run in the journal. A stage draws on the account of its run and on those of the runs above it; what it
// may use is set aside in the transaction of its reservation and settled in the transaction of its result, so that a
// kill counts nothing twice. Runs without limits, and below none, have no accounts: they pay nothing for this.
#include "run/stage_internal.h"

#include "base/mem.h"
#include "base/str.h"
#include "budget/budget.h"

#include <inttypes.h>

#define ABOVE_MAX 64 // runs above a run

void stage_accounts_free(struct run *run)
{
    for (size_t i = 0; i < run->accounts.len; i++) {
        mem_free(run->accounts.items[i].run);
        json_decref(run->accounts.items[i].limits);
    }
    vec_free(&run->accounts);
}

static void open_accounts(struct run *run)
{
    if (run->accounts_known)
        return;
    run->accounts_known = true;
    json_t *record = json_incref(run->record);
    for (int i = 0; record && i < ABOVE_MAX; i++) {
        json_t *limits = json_obj(json_obj(record, "options"), "limits");
        if (json_object_size(limits) > 0) {
            // What went on in another run still draws on the account of the first.
            const char *of = json_str(json_obj(record, "options"), "account", json_str(record, "id", ""));
            const struct account account = {str_dup(of), json_incref(limits)};
            vec_push(&run->accounts, account);
        }
        const char *parent = json_str(record, "parent", NULL);
        json_t *above = parent ? store_run_get_new(run->env.store, parent, NULL) : NULL;
        json_decref(record);
        record = above;
    }
    json_decref(record);
}

static int load(struct run *run, const struct account *account, struct budget *ret, struct err *err)
{
    AUTO_JSON json_t *ledger = store_ledger_new(run->env.store, account->run, err);
    if (!ledger)
        return err ? -(int)err->code : -ERR_IO;
    budget_load(ret, account->limits, ledger);
    return 0;
}

static int add(struct run *run, const struct budget_amounts *reserved, const struct budget_amounts *used,
               struct err *err)
{
    int r = 0;
    for (size_t i = 0; i < run->accounts.len; i++)
        for (unsigned k = 0; k < BUDGET_KIND_COUNT_ && r == 0; k++)
            if (reserved->of[k] || used->of[k])
                r = store_ledger_add(run->env.store, run->accounts.items[i].run, budget_name((enum budget_kind)k),
                                     reserved->of[k], used->of[k], err);
    return r;
}

// --- what a stage may use ---

int stage_read_limits(const json_t *args, json_t **ret, struct err *err)
{
    const json_t *written = json_obj(args, "limits");
    *ret = written ? budget_limits_new(written, err) : NULL;
    if (written && !*ret)
        return err_wrap(err, "limits of the stage");
    for (unsigned i = 0; i < BUDGET_KIND_COUNT_; i++) {
        enum budget_kind kind = (enum budget_kind)i;
        if (!json_object_get(*ret, budget_name(kind)) || budget_is_of_stage(kind))
            continue;
        json_decref(*ret);
        *ret = NULL;
        return err_set(err, ERR_INVALID,
                       "limits of the stage: '%s' is one of runs; a stage has processes, money and tokens",
                       budget_name(kind));
    }
    return 0;
}

static struct budget_amounts demand_of(const struct stage *s)
{
    json_t *limits = NULL;
    stage_read_limits(s->args, &limits, NULL); // was checked when the stage began
    struct budget_amounts demand = budget_demand(s->agent->name, s->parents, limits);
    json_decref(limits);
    return demand;
}

// --- the wall ---

static json_t *wall_new(enum budget_kind kind, const char *run, const struct budget *b, int64_t asked)
{
    json_t *wall = json_object();
    json_put_str(wall, "wall", budget_name(kind));
    json_put_str(wall, "run", run);
    json_put_int(wall, "limit", b->limit.of[kind]);
    json_put_int(wall, "asked", asked);
    json_put_int(wall, "used", b->used.of[kind]);
    json_put_int(wall, "reserved", b->reserved.of[kind]);
    json_put_int(wall, "left", budget_left(b, kind));
    return wall;
}

static void end_over_budget(struct run *run, enum budget_kind kind, const char *account, const struct budget *b,
                            int64_t asked)
{
    AUTO_JSON json_t *wall = wall_new(kind, account, b, asked), *result = json_object();
    AUTO_FREE char *limit = budget_text(kind, b->limit.of[kind]), *wanted = budget_text(kind, asked);
    AUTO_FREE char *used = budget_text(kind, b->used.of[kind]), *set_aside = budget_text(kind, b->reserved.of[kind]);
    AUTO_FREE char *left = budget_text(kind, budget_left(b, kind));
    AUTO_FREE char *of = str_eq(account, run->id) ? str_dup("") : str_printf(" of run '%s' above it", account);
    AUTO_FREE char *reason =
        str_printf("the limit %s=%s%s stands in the way: asked %s, used %s, set aside %s, left %s; "
                   "to give it more: baton resume %s --limit %s=N",
                   budget_name(kind), limit, of, wanted, used, set_aside, left, account, budget_name(kind));
    json_put(result, "budget", json_incref(wall));
    run_note(run, EVENT_BUDGET_EXCEEDED, json_incref(wall));
    run_end(run, RUN_OVER_BUDGET, result, reason);
}

// 1: it was set aside; 0: it was not, the run ends.
static int set_aside(struct run *run, const struct budget_amounts *demand, struct err *err)
{
    static const struct budget_amounts NOTHING = {0};
    for (size_t i = 0; i < run->accounts.len; i++) {
        struct budget b;
        enum budget_kind kind;
        int r = load(run, &run->accounts.items[i], &b, err);
        if (r < 0)
            return r;
        if (!budget_fits(&b, demand, &kind)) {
            end_over_budget(run, kind, run->accounts.items[i].run, &b, demand->of[kind]);
            return 0;
        }
    }
    int r = add(run, demand, &NOTHING, err);
    return r < 0 ? r : 1;
}

static void note_reserved(struct stage *s, const struct budget_amounts *demand)
{
    json_t *body = json_object();
    json_put_int(body, "stage", s->run->next_seq);
    for (unsigned k = 0; k < BUDGET_KIND_COUNT_; k++)
        if (demand->of[k])
            json_put_int(body, budget_name((enum budget_kind)k), demand->of[k]);
    run_note(s->run, EVENT_BUDGET_RESERVED, body);
}

bool stage_affords(struct stage *s)
{
    struct run *run = s->run;
    struct err err;
    open_accounts(run);
    int64_t most = budget_default(BUDGET_STAGES), before = run->next_seq - 1;
    if (before >= most) {
        const struct budget b = {.limited = {[BUDGET_STAGES] = true},
                                 .limit = {{[BUDGET_STAGES] = most}},
                                 .used = {{[BUDGET_STAGES] = before}}};
        end_over_budget(run, BUDGET_STAGES, run->id, &b, 1);
        stage_free(s);
        return false;
    }
    if (run->accounts.len == 0)
        return true;
    struct budget_amounts demand = demand_of(s);
    int r = set_aside(run, &demand, &err);
    if (r > 0) {
        note_reserved(s, &demand);
        return true;
    }
    if (r < 0)
        run_end(run, RUN_FAILED, NULL, err.text);
    stage_free(s);
    return false;
}

bool run_affords_child(struct run *run)
{
    static const struct budget_amounts ONE = {.of = {[BUDGET_DELEGATIONS] = 1}};
    static const struct budget_amounts BACK = {.of = {[BUDGET_DELEGATIONS] = -1}};
    struct err err;
    open_accounts(run);
    int r = run->accounts.len ? set_aside(run, &ONE, &err) : 1;
    if (r > 0 && run->accounts.len) // begun is used: there is no result to wait for
        r = add(run, &BACK, &ONE, &err) < 0 ? -1 : 1;
    if (r < 0)
        run_end(run, RUN_FAILED, NULL, err.text);
    return r > 0;
}

// --- what it used ---

static struct budget_amounts used_by(enum stage_state state, const struct budget_amounts *demand,
                                     const json_t *receipts)
{
    static const enum budget_kind REPORTED[] = {BUDGET_MONEY, BUDGET_TOKENS};
    struct budget_amounts used = *demand;
    size_t i;
    json_t *receipt;
    for (size_t k = 0; k < ARRAY_LEN(REPORTED); k++) {
        int64_t sum = 0;
        bool told = state == STAGE_COMPLETED; // a worker that died may have spent what was set aside for it
        json_array_foreach (receipts, i, receipt) {
            told = told || json_object_get(receipt, budget_name(REPORTED[k]));
            sum += json_int(receipt, budget_name(REPORTED[k]), 0);
        }
        if (told)
            used.of[REPORTED[k]] = sum > 0 ? sum : 0;
    }
    return used;
}

int stage_settle(struct stage *s, enum stage_state state, const json_t *receipts, struct err *err)
{
    open_accounts(s->run);
    if (s->run->accounts.len == 0)
        return 0;
    struct budget_amounts demand = demand_of(s), used = used_by(state, &demand, receipts), back = demand;
    if (s->attempt == 1 && !s->dispatched_ns) // no worker ever had it
        used.of[BUDGET_MONEY] = used.of[BUDGET_TOKENS] = 0;
    for (unsigned k = 0; k < BUDGET_KIND_COUNT_; k++)
        back.of[k] = -demand.of[k];
    return add(s->run, &back, &used, err);
}

// The smallest of what the script, the run and the runs above it allow.
void stage_put_limits(struct stage *s, json_t *limits)
{
    static const enum budget_kind HANDED[] = {BUDGET_PROCESSES, BUDGET_MONEY, BUDGET_TOKENS};
    struct run *run = s->run;
    AUTO_JSON json_t *own = NULL;
    stage_read_limits(s->args, &own, NULL);
    open_accounts(run);
    for (size_t k = 0; k < ARRAY_LEN(HANDED); k++) {
        enum budget_kind kind = HANDED[k];
        const char *name = budget_name(kind);
        int64_t mine = json_int(own, name, -1), most = mine;
        for (size_t i = 0; i < run->accounts.len; i++) {
            struct budget b;
            if (load(run, &run->accounts.items[i], &b, NULL) < 0 || !b.limited[kind])
                continue;
            // What was set aside for this stage is its own; without a wish of its own it may use what nobody else has.
            int64_t room = !budget_is_sum(kind) ? b.limit.of[kind] : mine >= 0 ? mine : budget_left(&b, kind);
            most = most < 0 || room < most ? room : most;
        }
        if (most >= 0)
            json_put_int(limits, name, most);
    }
}

// Nobody knows what an attempt that was lost has spent: it counts as all that was set aside for it.
bool stage_pays_attempt(struct stage *s)
{
    static const struct budget_amounts NOTHING = {0};
    struct run *run = s->run;
    struct err err;
    open_accounts(run);
    if (run->accounts.len == 0)
        return true;
    struct budget_amounts spent = demand_of(s), asked = spent;
    spent.of[BUDGET_STAGES] = spent.of[BUDGET_DELEGATIONS] = spent.of[BUDGET_FIX_ROUNDS] = 0;
    int r = add(run, &NOTHING, &spent, &err);
    for (size_t i = 0; i < run->accounts.len && r == 0; i++) {
        struct budget b;
        enum budget_kind kind;
        r = load(run, &run->accounts.items[i], &b, &err);
        if (r < 0 || budget_fits(&b, &NOTHING, &kind))
            continue;
        end_over_budget(run, kind, run->accounts.items[i].run, &b, asked.of[kind]);
        return false;
    }
    if (r < 0)
        run_end(run, RUN_FAILED, NULL, err.text);
    return r == 0;
}
