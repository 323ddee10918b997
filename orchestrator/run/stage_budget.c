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
            if (budget_is_sum((enum budget_kind)k) && (reserved->of[k] || used->of[k]))
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

// Where the demand comes from, and what the accounts were before it: enough to decide it again elsewhere.
struct asking {
    const char *task;
    unsigned n;
    int stage; // 0: a child
    json_t *accounts;
};

static void add_asking(json_t *body, const struct asking *asking)
{
    if (asking->stage)
        json_put_int(body, "stage", asking->stage);
    json_put_str(body, "task", asking->task);
    json_put_int(body, "n", asking->n);
    json_put(body, "accounts", json_incref(asking->accounts));
}

static void end_over_budget(struct run *run, enum budget_kind kind, const char *account, const struct budget *b,
                            int64_t asked, const struct asking *asking)
{
    json_t *wall = budget_wall_new(kind, account, b, asked);
    AUTO_JSON json_t *result = json_object();
    AUTO_FREE char *reason = budget_wall_text_new(wall, run->id);
    json_put(result, "budget", json_copy(wall));
    if (asking->accounts)
        add_asking(wall, asking);
    run_note(run, EVENT_BUDGET_EXCEEDED, wall);
    run_end(run, RUN_OVER_BUDGET, result, reason);
}

static void add_account(json_t *accounts, const struct account *account, const struct budget *b)
{
    json_t *row = json_object(), *ledger = json_object();
    for (unsigned k = 0; k < BUDGET_KIND_COUNT_; k++) {
        if (!b->limited[k] && !b->used.of[k] && !b->reserved.of[k])
            continue;
        json_t *amounts = json_object();
        json_put_int(amounts, "used", b->used.of[k]);
        json_put_int(amounts, "reserved", b->reserved.of[k]);
        json_put(ledger, budget_name((enum budget_kind)k), amounts);
    }
    json_put_str(row, "run", account->run);
    json_put(row, "limits", json_incref(account->limits));
    json_put(row, "ledger", ledger);
    json_array_append_new(accounts, row);
}

// Is there room in every account? 1: yes; 0: no, the run ends. asked: what a wall says was asked for.
static int look_for_room(struct run *run, const struct budget_amounts *demand, const struct budget_amounts *asked,
                         struct asking *asking, struct err *err)
{
    struct budget wall = {0};
    enum budget_kind kind = BUDGET_KIND_COUNT_;
    const struct account *at = NULL;
    for (size_t i = 0; i < run->accounts.len; i++) {
        struct budget b;
        int r = load(run, &run->accounts.items[i], &b, err);
        if (r < 0)
            return r;
        add_account(asking->accounts, &run->accounts.items[i], &b);
        if (!at && !budget_fits(&b, demand, &kind)) {
            at = &run->accounts.items[i];
            wall = b;
        }
    }
    if (at)
        end_over_budget(run, kind, at->run, &wall, asked->of[kind], asking);
    return at ? 0 : 1;
}

// 1: it was set aside; 0: it was not, the run ends.
static int set_aside(struct run *run, const struct budget_amounts *demand, struct asking *asking, struct err *err)
{
    static const struct budget_amounts NOTHING = {0};
    int r = look_for_room(run, demand, demand, asking, err);
    if (r > 0 && (r = add(run, demand, &NOTHING, err)) == 0) {
        json_t *body = json_object();
        for (unsigned k = 0; k < BUDGET_KIND_COUNT_; k++)
            if (demand->of[k])
                json_put_int(body, budget_name((enum budget_kind)k), demand->of[k]);
        add_asking(body, asking);
        run_note(run, EVENT_BUDGET_RESERVED, body);
        return 1;
    }
    return r;
}

// A wall stands there: what was asked for stays in the journal, for a replay. Always false.
static bool give_up(struct stage *s, int r)
{
    if (r == 0 && !s->run->resumed)
        stage_put_call(s, NULL, NULL);
    stage_free(s);
    return false;
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
        end_over_budget(run, BUDGET_STAGES, run->id, &b, 1, &(struct asking){0});
        return give_up(s, 0);
    }
    if (run->accounts.len == 0)
        return true;
    struct budget_amounts demand = demand_of(s);
    AUTO_JSON json_t *accounts = json_array();
    struct asking asking = {.task = s->task, .n = s->n, .stage = run->next_seq, .accounts = accounts};
    int r = set_aside(run, &demand, &asking, &err);
    if (r > 0)
        return true;
    if (r < 0)
        run_end(run, RUN_FAILED, NULL, err.text);
    return give_up(s, r);
}

bool run_affords_child(struct run *run, const char *task, unsigned n)
{
    static const struct budget_amounts ONE = {.of = {[BUDGET_DELEGATIONS] = 1}};
    static const struct budget_amounts BACK = {.of = {[BUDGET_DELEGATIONS] = -1}};
    struct err err;
    open_accounts(run);
    AUTO_JSON json_t *accounts = json_array();
    struct asking asking = {.task = task, .n = n, .accounts = accounts};
    int r = run->accounts.len ? set_aside(run, &ONE, &asking, &err) : 1;
    if (r > 0 && run->accounts.len) // begun is used: there is no result to wait for
        r = add(run, &BACK, &ONE, &err) < 0 ? -1 : 1;
    if (r < 0)
        run_end(run, RUN_FAILED, NULL, err.text);
    return r > 0;
}

// --- what it used ---

int stage_settle(struct stage *s, enum stage_state state, const json_t *receipts, struct err *err)
{
    open_accounts(s->run);
    if (s->run->accounts.len == 0)
        return 0;
    struct budget_amounts demand = demand_of(s), used = budget_used(&demand, state == STAGE_COMPLETED, receipts),
                          back = demand;
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
    AUTO_JSON json_t *accounts = json_array();
    struct asking asking = {.task = s->task, .n = s->n, .stage = s->seq, .accounts = accounts};
    int r = add(run, &NOTHING, &spent, &err);
    if (r == 0)
        r = look_for_room(run, &NOTHING, &asked, &asking, &err);
    if (r < 0)
        run_end(run, RUN_FAILED, NULL, err.text);
    return r > 0;
}
