#include "budget/budget.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "handoff/verdict.h"
#include "roles/roles.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum unit { COUNT, TIME, MONEY };
enum how { SUM, CEILING, CLOCK, PEAK };

static const struct {
    const char *name;
    enum unit unit;
    enum how how;
    int64_t limit;
} KINDS[BUDGET_KIND_COUNT_] = {
#define X(code, name, unit, how, limit, meaning) [BUDGET_##code] = {name, unit, how, limit},
#include "tbl/budgets.def"
};

static const struct {
    const char *unit;
    enum unit of;
    int64_t factor;
} UNITS[] = {
    {"", COUNT, 1},        {"k", COUNT, 1000},   {"M", COUNT, 1000000}, {"", MONEY, 1000000},
    {"$", MONEY, 1000000}, {"", TIME, 1000},     {"ms", TIME, 1},       {"s", TIME, 1000},
    {"m", TIME, 60000},    {"min", TIME, 60000}, {"h", TIME, 3600000},  {"d", TIME, 86400000},
};

static const char *const EXPECTED[] = {
    [COUNT] = "a whole number, like 20 or 200k",
    [TIME] = "a time, like 90s, 15m or 2h",
    [MONEY] = "dollars, like 2.50",
};

const char *budget_name(enum budget_kind kind)
{
    return KINDS[kind].name;
}

int64_t budget_default(enum budget_kind kind)
{
    return KINDS[kind].limit;
}

bool budget_is_sum(enum budget_kind kind)
{
    return KINDS[kind].how == SUM;
}

bool budget_is_asked(enum budget_kind kind)
{
    return KINDS[kind].how == SUM || KINDS[kind].how == PEAK;
}

bool budget_is_of_stage(enum budget_kind kind)
{
    return kind == BUDGET_PROCESSES || kind == BUDGET_MONEY || kind == BUDGET_TOKENS;
}

bool budget_kind_from_name(const char *name, enum budget_kind *ret)
{
    for (unsigned i = 0; i < BUDGET_KIND_COUNT_; i++) {
        if (name && str_eq(name, KINDS[i].name)) {
            *ret = (enum budget_kind)i;
            return true;
        }
    }
    return false;
}

// Up to 12 digits, then up to 6 behind a point; the number in millionths. NULL: no number.
static const char *read_number(const char *text, int64_t *ret)
{
    const char *p = text;
    int64_t whole = 0, part = 0, scale = 1000000;
    for (; *p >= '0' && *p <= '9' && p - text < 12; p++)
        whole = whole * 10 + (*p - '0');
    if (p == text)
        return NULL;
    if (*p == '.')
        for (p++; *p >= '0' && *p <= '9' && scale > 1; p++)
            part += (*p - '0') * (scale /= 10);
    *ret = whole * 1000000 + part;
    return p;
}

int budget_parse(enum budget_kind kind, const char *text, int64_t *ret, struct err *err)
{
    int64_t millionths = 0;
    const char *unit = read_number(text, &millionths);
    for (size_t i = 0; unit && i < ARRAY_LEN(UNITS); i++) {
        int64_t amount;
        if (UNITS[i].of != KINDS[kind].unit || !str_eq(UNITS[i].unit, unit) ||
            __builtin_mul_overflow(millionths, UNITS[i].factor, &amount) || amount % 1000000)
            continue;
        *ret = amount / 1000000;
        return 0;
    }
    return err_set(err, ERR_INVALID, "'%s' is no limit of '%s': expected %s", text, KINDS[kind].name,
                   EXPECTED[KINDS[kind].unit]);
}

char *budget_text(enum budget_kind kind, int64_t amount)
{
    char text[CLOCK_TEXT_MAX];
    if (KINDS[kind].unit == TIME) {
        clock_human(amount * NS_PER_MS, text);
        return str_dup(text);
    }
    if (KINDS[kind].unit == MONEY)
        return str_printf("%" PRId64 ".%0*" PRId64 " $", amount / 1000000, amount % 10000 ? 6 : 2,
                          amount % 10000 ? amount % 1000000 : amount % 1000000 / 10000);
    return str_printf("%" PRId64, amount);
}

// --- limits ---

static int unknown(const char *name, struct err *err)
{
    char *known = str_dup("");
    for (unsigned i = 0; i < BUDGET_KIND_COUNT_; i++) {
        char *more = str_printf("%s%s%s", known, i ? ", " : "", KINDS[i].name);
        mem_free(known);
        known = more;
    }
    err_set(err, ERR_INVALID, "there is no limit '%s'; there are %s", name, known);
    mem_free(known);
    return -ERR_INVALID;
}

json_t *budget_limits_new(const json_t *written, struct err *err)
{
    json_t *limits = json_object();
    int r = 0;
    for (void *at = json_object_iter((json_t *)(uintptr_t)written); at && r == 0;
         at = json_object_iter_next((json_t *)(uintptr_t)written, at)) {
        const char *name = json_object_iter_key(at);
        const json_t *value = json_object_iter_value(at);
        AUTO_FREE char *text = json_is_string(value)    ? str_dup(json_string_value(value))
                               : json_is_integer(value) ? str_printf("%" JSON_INTEGER_FORMAT, json_integer_value(value))
                               : json_is_real(value)    ? str_printf("%.6f", json_real_value(value))
                                                        : str_dup("");
        enum budget_kind kind;
        int64_t amount = 0;
        r = budget_kind_from_name(name, &kind) ? budget_parse(kind, text, &amount, err) : unknown(name, err);
        if (r == 0)
            json_put_int(limits, name, amount);
    }
    if (r == 0)
        return limits;
    json_decref(limits);
    return NULL;
}

void budget_limits_narrow(json_t *limits, const json_t *other)
{
    for (unsigned i = 0; i < BUDGET_KIND_COUNT_; i++) {
        const json_t *mine = json_object_get(limits, KINDS[i].name), *theirs = json_object_get(other, KINDS[i].name);
        if (theirs && (!mine || json_integer_value(theirs) < json_integer_value(mine)))
            json_put_int(limits, KINDS[i].name, json_integer_value(theirs));
    }
}

// --- accounts ---

void budget_load(struct budget *ret, const json_t *limits, const json_t *ledger)
{
    *ret = (struct budget){0};
    for (unsigned i = 0; i < BUDGET_KIND_COUNT_; i++) {
        const json_t *row = json_obj(ledger, KINDS[i].name);
        ret->limited[i] = json_object_get(limits, KINDS[i].name) != NULL;
        ret->limit.of[i] = json_int(limits, KINDS[i].name, 0);
        ret->reserved.of[i] = json_int(row, "reserved", 0);
        ret->used.of[i] = json_int(row, "used", 0);
    }
}

int64_t budget_left(const struct budget *b, enum budget_kind kind)
{
    if (!b->limited[kind])
        return INT64_MAX;
    int64_t left = b->limit.of[kind] - b->used.of[kind] - b->reserved.of[kind];
    return left > 0 ? left : 0;
}

bool budget_fits(const struct budget *b, const struct budget_amounts *demand, enum budget_kind *ret_kind)
{
    for (unsigned i = 0; i < BUDGET_KIND_COUNT_; i++) {
        if (!budget_is_asked((enum budget_kind)i) || !b->limited[i])
            continue;
        // A worker that used more than was set aside for it has broken the wall: nothing more begins.
        bool broken = KINDS[i].how == SUM && b->used.of[i] + b->reserved.of[i] > b->limit.of[i];
        if (broken || demand->of[i] > (KINDS[i].how == SUM ? budget_left(b, (enum budget_kind)i) : b->limit.of[i])) {
            *ret_kind = (enum budget_kind)i;
            return false;
        }
    }
    return true;
}

json_t *budget_wall_new(enum budget_kind kind, const char *account, const struct budget *b, int64_t asked)
{
    json_t *wall = json_object();
    json_put_str(wall, "wall", KINDS[kind].name);
    json_put_str(wall, "run", account);
    json_put_int(wall, "limit", b->limit.of[kind]);
    json_put_int(wall, "asked", asked);
    json_put_int(wall, "used", b->used.of[kind]);
    json_put_int(wall, "reserved", b->reserved.of[kind]);
    json_put_int(wall, "left", budget_left(b, kind));
    return wall;
}

char *budget_wall_text_new(const json_t *wall, const char *run)
{
    static const char *const AMOUNTS[] = {"limit", "asked", "used", "reserved", "left"};
    const char *name = json_str(wall, "wall", "?"), *account = json_str(wall, "run", "?");
    enum budget_kind kind;
    if (!budget_kind_from_name(name, &kind))
        return str_printf("the limit '%s' stands in the way", name);
    char *texts[ARRAY_LEN(AMOUNTS)];
    for (size_t i = 0; i < ARRAY_LEN(AMOUNTS); i++)
        texts[i] = budget_text(kind, json_int(wall, AMOUNTS[i], 0));
    AUTO_FREE char *of = str_eq(account, run) ? str_dup("") : str_printf(" of run '%s' above it", account);
    char *text = str_printf("the limit %s=%s%s stands in the way: asked %s, used %s, set aside %s, left %s; "
                            "to give it more: baton resume %s --limit %s=N",
                            name, texts[0], of, texts[1], texts[2], texts[3], texts[4], account, name);
    for (size_t i = 0; i < ARRAY_LEN(AMOUNTS); i++)
        mem_free(texts[i]);
    return text;
}

struct budget_amounts budget_demand(const char *agent, const json_t *parents, const json_t *limits)
{
    struct budget_amounts demand = {.of = {[BUDGET_STAGES] = 1}};
    bool fixes = role_changes(role_of_agent(agent));
    size_t i;
    json_t *parent;
    json_array_foreach (parents, i, parent) {
        bool other = !str_eq(json_str(parent, "agent_name", ""), agent);
        int64_t depth = json_int(parent, "depth", 0) + other;
        if (other)
            demand.of[BUDGET_DELEGATIONS] = 1;
        if (depth > demand.of[BUDGET_DEPTH])
            demand.of[BUDGET_DEPTH] = depth;
        if (fixes && verdict_wants_changes(json_str(parent, "verdict", NULL)))
            demand.of[BUDGET_FIX_ROUNDS] = 1;
    }
    demand.of[BUDGET_MONEY] = json_int(limits, KINDS[BUDGET_MONEY].name, 0);
    demand.of[BUDGET_TOKENS] = json_int(limits, KINDS[BUDGET_TOKENS].name, 0);
    return demand;
}

struct budget_amounts budget_used(const struct budget_amounts *demand, bool completed, const json_t *receipts)
{
    static const enum budget_kind REPORTED[] = {BUDGET_MONEY, BUDGET_TOKENS};
    struct budget_amounts used = *demand;
    size_t i;
    json_t *receipt;
    for (size_t k = 0; k < ARRAY_LEN(REPORTED); k++) {
        const char *name = KINDS[REPORTED[k]].name;
        int64_t sum = 0;
        bool told = completed; // a worker that died may have spent what was set aside for it
        json_array_foreach (receipts, i, receipt) {
            told = told || json_object_get(receipt, name);
            sum += json_int(receipt, name, 0);
        }
        if (told)
            used.of[REPORTED[k]] = sum > 0 ? sum : 0;
    }
    return used;
}

json_t *budget_report_new(const struct budget *b)
{
    json_t *report = json_object();
    for (unsigned i = 0; i < BUDGET_KIND_COUNT_; i++) {
        if (!b->limited[i] && !b->used.of[i] && !b->reserved.of[i])
            continue;
        json_t *row = json_object();
        if (b->limited[i])
            json_put_int(row, "limit", b->limit.of[i]);
        else
            json_put(row, "limit", json_null());
        json_put_int(row, "used", b->used.of[i]);
        json_put_int(row, "reserved", b->reserved.of[i]);
        json_put(report, KINDS[i].name, row);
    }
    return report;
}
