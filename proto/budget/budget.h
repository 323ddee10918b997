// Budgets: what may be used up (tbl/budgets.def), how much is set aside and how much is gone. Pure; the engine journals
// it.
//
// A demand is reserved before it is spent, and settled with what was really used: a wall stands before what it limits.
// A run draws on its own account and on those of the runs above it; every one of them must have room.
#pragma once

#include "base/err.h"
#include "json/json.h"

#include <stdbool.h>
#include <stdint.h>

enum budget_kind {
#define X(code, name, unit, how, limit, meaning) BUDGET_##code,
#include "tbl/budgets.def"
    BUDGET_KIND_COUNT_
};

struct budget_amounts {
    int64_t of[BUDGET_KIND_COUNT_];
};

struct budget { // an account
    bool limited[BUDGET_KIND_COUNT_];
    struct budget_amounts limit, reserved, used;
};

const char *budget_name(enum budget_kind kind);
bool budget_kind_from_name(const char *name, enum budget_kind *ret);
int64_t budget_default(enum budget_kind kind);  // of every run; 0: none
bool budget_is_sum(enum budget_kind kind);      // reserved and settled
bool budget_is_asked(enum budget_kind kind);    // decided before a stage begins, by the journal alone
bool budget_is_of_stage(enum budget_kind kind); // a stage can have a limit of it, not runs alone
// "20", "200k", "2.50" (dollars), "15m" (time; without a unit seconds). ERR_INVALID says what is expected.
int budget_parse(enum budget_kind kind, const char *text, int64_t *ret, struct err *err);
char *budget_text(enum budget_kind kind, int64_t amount); // for people: "20", "2.50 $", "15 min"; owned by the caller

// Limits as people write them, {name: number or text} -> {name: amount}. NULL: unknown name or bad amount.
json_t *budget_limits_new(const json_t *written, struct err *err);
// Adds those of `other` to `limits`; where both have one the smaller wins.
void budget_limits_narrow(json_t *limits, const json_t *other);

// limits: {name: amount}, NULL for none. ledger: {name: {reserved, used}}, NULL for an untouched account.
void budget_load(struct budget *ret, const json_t *limits, const json_t *ledger);
// What can still be reserved; INT64_MAX without a limit.
int64_t budget_left(const struct budget *b, enum budget_kind kind);
// Is there room for all of it? *ret_kind: the first wall it would break.
bool budget_fits(const struct budget *b, const struct budget_amounts *demand, enum budget_kind *ret_kind);
// What stands in the way of a demand: {wall, run (whose account), limit, asked, used, reserved, left}.
json_t *budget_wall_new(enum budget_kind kind, const char *account, const struct budget *b, int64_t asked);
// The same for people, seen from `run`, with what to do about it. Owned by the caller.
char *budget_wall_text_new(const json_t *wall, const char *run);
// What a stage of `agent` asks for. A fix round is one whose agent changes things (tbl/roles.def) and that gets a
// verdict which asks for changes. parents: handoffs it gets. limits: its own as amounts, NULL for none.
struct budget_amounts budget_demand(const char *agent, const json_t *parents, const json_t *limits);
// What a stage that ended has used of its demand. completed: it answered, and what it does not report it has not used.
struct budget_amounts budget_used(const struct budget_amounts *demand, bool completed, const json_t *receipts);
// {name: {limit, used, reserved}} of the kinds with a limit or a use.
json_t *budget_report_new(const struct budget *b);
