// proto/budget: amounts as people write them, and walls.
#include "support/support.h"

#include "base/mem.h"
#include "base/str.h"
#include "budget/budget.h"

#include <string.h>

static void parses(enum budget_kind kind, const char *text, int64_t amount)
{
    int64_t got = -1;
    struct err err;
    assert_ok(budget_parse(kind, text, &got, &err), &err);
    assert_int_equal(got, amount);
}

static void refuses(enum budget_kind kind, const char *text)
{
    int64_t got = -1;
    struct err err;
    if (budget_parse(kind, text, &got, &err) != -ERR_INVALID)
        fail_msg("'%s' was read as %lld", text, (long long)got);
    assert_non_null(strstr(err.text, "expected"));
    assert_int_equal(got, -1);
}

static void test_amounts(void **state)
{
    (void)state;
    parses(BUDGET_STAGES, "20", 20);
    parses(BUDGET_STAGES, "0", 0);
    parses(BUDGET_TOKENS, "200k", 200000);
    parses(BUDGET_TOKENS, "1.5M", 1500000);
    parses(BUDGET_MONEY, "2.50", 2500000);
    parses(BUDGET_MONEY, "0.000001$", 1);
    parses(BUDGET_WALL, "90", 90000);
    parses(BUDGET_WALL, "1.5h", 5400000);
    parses(BUDGET_WALL, "250ms", 250);
    static const char *const BAD[] = {
        "", "-1", "x", "1x", "1.5", "1,5", " 1", "1 ", "k", "9999999999999", "999999999999M", "1.0000001"};
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++)
        refuses(BUDGET_STAGES, BAD[i]);
    refuses(BUDGET_MONEY, "2.50k");
    refuses(BUDGET_WALL, "20k");
}

static void says(enum budget_kind kind, int64_t amount, const char *text)
{
    AUTO_FREE char *got = budget_text(kind, amount);
    assert_string_equal(got, text);
}

static void test_amounts_for_people(void **state)
{
    (void)state;
    says(BUDGET_STAGES, 20, "20");
    says(BUDGET_MONEY, 2500000, "2.50 $");
    says(BUDGET_MONEY, 1, "0.000001 $");
    says(BUDGET_MONEY, 0, "0.00 $");
}

static void test_limits_as_written(void **state)
{
    (void)state;
    struct err err;
    AUTO_JSON json_t *written =
        json_pack("{s:i, s:f, s:s, s:s}", "stages", 20, "money", 2.5, "tokens", "200k", "wall", "20m");
    AUTO_JSON json_t *limits = budget_limits_new(written, &err);
    AUTO_FREE char *text = json_compact(limits);
    assert_string_equal(text, "{\"stages\":20,\"money\":2500000,\"tokens\":200000,\"wall\":1200000}");
    AUTO_JSON json_t *more = json_pack("{s:i, s:i, s:i}", "stages", 30, "money", 1, "fix_rounds", 2);
    budget_limits_narrow(limits, more);
    AUTO_FREE char *narrowed = json_compact(limits);
    assert_string_equal(narrowed, "{\"stages\":20,\"money\":1,\"tokens\":200000,\"wall\":1200000,\"fix_rounds\":2}");
    AUTO_JSON json_t *unknown = json_pack("{s:i}", "stage", 1), *wrong = json_pack("{s:b}", "stages", 1);
    assert_null(budget_limits_new(unknown, &err));
    assert_non_null(strstr(err.text, "no limit 'stage'; there are wall, stages"));
    assert_null(budget_limits_new(wrong, &err));
    AUTO_JSON json_t *none = budget_limits_new(NULL, &err);
    assert_int_equal(json_object_size(none), 0);
}

static void test_walls(void **state)
{
    (void)state;
    struct budget b;
    enum budget_kind kind = BUDGET_KIND_COUNT_;
    AUTO_JSON json_t *limits = json_pack("{s:i, s:i, s:i}", "stages", 3, "tokens", 100, "processes", 5);
    budget_load(&b, limits, NULL);
    const struct budget_amounts one = {.of = {[BUDGET_STAGES] = 1, [BUDGET_TOKENS] = 60, [BUDGET_FIX_ROUNDS] = 1}};
    assert_true(budget_fits(&b, &one, &kind));
    AUTO_JSON json_t *aside = json_pack("{s:{s:i, s:i}, s:{s:i, s:i}}", "stages", "reserved", 1, "used", 0, "tokens",
                                        "reserved", 60, "used", 0);
    budget_load(&b, limits, aside);
    assert_int_equal(budget_left(&b, BUDGET_TOKENS), 40);
    assert_int_equal(budget_left(&b, BUDGET_FIX_ROUNDS), INT64_MAX); // no limit
    assert_false(budget_fits(&b, &one, &kind));                      // what is only set aside counts
    assert_int_equal(kind, BUDGET_TOKENS);
    AUTO_JSON json_t *settled = json_pack("{s:{s:i, s:i}, s:{s:i, s:i}}", "stages", "reserved", 0, "used", 1, "tokens",
                                          "reserved", 0, "used", 10);
    budget_load(&b, limits, settled);
    assert_true(budget_fits(&b, &one, &kind)); // what was not used is there again
    assert_int_equal(b.reserved.of[BUDGET_STAGES], 0);
    assert_int_equal(b.used.of[BUDGET_STAGES], 1);
    const struct budget_amounts three = {.of = {[BUDGET_STAGES] = 3}};
    assert_false(budget_fits(&b, &three, &kind));
    assert_int_equal(kind, BUDGET_STAGES);
}

static void test_a_broken_wall_stays_shut(void **state)
{
    (void)state;
    struct budget b;
    enum budget_kind kind = BUDGET_KIND_COUNT_;
    AUTO_JSON json_t *limits = json_pack("{s:i}", "tokens", 100);
    AUTO_JSON json_t *ledger =
        json_pack("{s:{s:i, s:i}}", "tokens", "reserved", 0, "used", 101); // a worker took more than it was given
    budget_load(&b, limits, ledger);
    const struct budget_amounts stage = {.of = {[BUDGET_STAGES] = 1}};
    assert_false(budget_fits(&b, &stage, &kind));
    assert_int_equal(kind, BUDGET_TOKENS);
    assert_int_equal(budget_left(&b, BUDGET_TOKENS), 0);
    AUTO_JSON json_t *report = budget_report_new(&b);
    AUTO_FREE char *text = json_compact(report);
    assert_string_equal(text, "{\"tokens\":{\"limit\":100,\"used\":101,\"reserved\":0}}");
}

static void test_depth_is_a_peak(void **state)
{
    (void)state;
    struct budget b;
    enum budget_kind kind = BUDGET_KIND_COUNT_;
    AUTO_JSON json_t *limits = json_pack("{s:i}", "depth", 2);
    AUTO_JSON json_t *parents =
        json_pack("[{s:s, s:i}, {s:s, s:i}]", "agent_name", "a", "depth", 1, "agent_name", "b", "depth", 2);
    budget_load(&b, limits, NULL);
    struct budget_amounts d = budget_demand("b", parents, NULL); // b behind b is no delegation, b behind a is
    assert_int_equal(d.of[BUDGET_DEPTH], 2);
    for (int i = 0; i < 3; i++) // nothing is used up
        assert_true(budget_fits(&b, &d, &kind));
    d = budget_demand("c", parents, NULL);
    assert_int_equal(d.of[BUDGET_DEPTH], 3);
    assert_false(budget_fits(&b, &d, &kind));
    assert_int_equal(kind, BUDGET_DEPTH);
}

static void test_what_a_stage_asks_for(void **state)
{
    (void)state;
    AUTO_JSON json_t *same = json_pack("[{s:s, s:n}]", "agent_name", "dev", "verdict");
    AUTO_JSON json_t *review =
        json_pack("[{s:s}, {s:s, s:s}]", "agent_name", "dev", "agent_name", "reviewer", "verdict", "changes_requested");
    AUTO_JSON json_t *approval = json_pack("[{s:s, s:s}]", "agent_name", "reviewer", "verdict", "approved");
    AUTO_JSON json_t *limits = json_pack("{s:i, s:i}", "tokens", 50, "processes", 3);
    struct budget_amounts d = budget_demand("dev", NULL, NULL);
    assert_int_equal(d.of[BUDGET_STAGES], 1);
    assert_int_equal(d.of[BUDGET_DELEGATIONS] + d.of[BUDGET_FIX_ROUNDS] + d.of[BUDGET_TOKENS], 0);
    d = budget_demand("dev", same, limits);
    assert_int_equal(d.of[BUDGET_DELEGATIONS], 0);
    assert_int_equal(d.of[BUDGET_TOKENS], 50);
    assert_int_equal(d.of[BUDGET_PROCESSES], 0); // a ceiling is not used up
    d = budget_demand("dev", review, NULL);
    assert_int_equal(d.of[BUDGET_DELEGATIONS], 1); // once, however many parents
    assert_int_equal(d.of[BUDGET_FIX_ROUNDS], 1);
    d = budget_demand("dev", approval, NULL);
    assert_int_equal(d.of[BUDGET_DELEGATIONS], 1);
    assert_int_equal(d.of[BUDGET_FIX_ROUNDS], 0);
}

static bool is_fix(const char *agent, const char *verdict)
{
    AUTO_JSON json_t *parents = json_pack("[{s:s, s:s}]", "agent_name", "rust-code-reviewer", "verdict", verdict);
    return budget_demand(agent, parents, NULL).of[BUDGET_FIX_ROUNDS] == 1;
}

static void test_what_is_a_fix_round(void **state)
{
    (void)state;
    static const char *const WANTS[] = {"changes_requested", "fixes_required", "significant", "critical"},
                             *const WANTS_NOT[] = {"approved", "minor", "no_fixes_needed", "whatever", ""},
                             *const FIXES[] = {"rust-developer", "rust-testing-engineer", "team:rust-cicd-devops",
                                               "tech-writer", "echo"},
                             *const FIXES_NOT[] = {"rust-code-reviewer", "rust-performance-engineer", "rust-critic",
                                                   "rust-teamlead", "somebody"};
    for (size_t a = 0; a < ARRAY_LEN(FIXES); a++) {
        for (size_t i = 0; i < ARRAY_LEN(WANTS); i++)
            assert_true(is_fix(FIXES[a], WANTS[i]));
        for (size_t i = 0; i < ARRAY_LEN(WANTS_NOT); i++)
            assert_false(is_fix(FIXES[a], WANTS_NOT[i]));
    }
    for (size_t a = 0; a < ARRAY_LEN(FIXES_NOT); a++) // a review of the fix, with the verdict it answers to
        assert_false(is_fix(FIXES_NOT[a], "changes_requested"));
    AUTO_JSON json_t *none = json_pack("[{s:s, s:n}]", "agent_name", "rust-code-reviewer", "verdict");
    assert_int_equal(budget_demand("rust-developer", none, NULL).of[BUDGET_FIX_ROUNDS], 0);
}

static void test_a_wall_has_words(void **state)
{
    (void)state;
    const struct budget b = {.limited = {[BUDGET_MONEY] = true},
                             .limit = {{[BUDGET_MONEY] = 2500000}},
                             .used = {{[BUDGET_MONEY] = 1000000}},
                             .reserved = {{[BUDGET_MONEY] = 500000}}};
    AUTO_JSON json_t *wall = budget_wall_new(BUDGET_MONEY, "tune-1", &b, 1200000);
    AUTO_FREE char *own = budget_wall_text_new(wall, "tune-1"), *above = budget_wall_text_new(wall, "tune-2");
    assert_string_equal(own, "the limit money=2.50 $ stands in the way: asked 1.20 $, used 1.00 $, set aside 0.50 $, "
                             "left 1.00 $; to give it more: baton resume tune-1 --limit money=N");
    assert_non_null(strstr(above, "money=2.50 $ of run 'tune-1' above it"));
    AUTO_JSON json_t *damaged = json_pack("{s:s}", "wall", "nothing");
    AUTO_FREE char *some = budget_wall_text_new(damaged, "tune-1");
    assert_string_equal(some, "the limit 'nothing' stands in the way");
}

static void test_what_was_used(void **state)
{
    (void)state;
    const struct budget_amounts demand = {{[BUDGET_STAGES] = 1, [BUDGET_TOKENS] = 50}};
    AUTO_JSON json_t *receipts = json_pack("[{s:i}, {s:i}]", "tokens", 10, "tokens", 20);
    assert_int_equal(budget_used(&demand, true, receipts).of[BUDGET_TOKENS], 30);
    assert_int_equal(budget_used(&demand, false, receipts).of[BUDGET_TOKENS], 30);
    assert_int_equal(budget_used(&demand, true, NULL).of[BUDGET_TOKENS], 0);
    assert_int_equal(budget_used(&demand, false, NULL).of[BUDGET_TOKENS], 50); // nobody knows what it has spent
    assert_int_equal(budget_used(&demand, true, NULL).of[BUDGET_STAGES], 1);
}

static void test_every_kind_has_its_name(void **state)
{
    (void)state;
    for (int i = 0; i < BUDGET_KIND_COUNT_; i++) {
        enum budget_kind kind;
        assert_true(budget_kind_from_name(budget_name((enum budget_kind)i), &kind));
        assert_int_equal(kind, i);
    }
    assert_false(budget_kind_from_name("nothing", &(enum budget_kind){0}));
    assert_int_equal(budget_default(BUDGET_STAGES), 10000);
    assert_false(budget_is_sum(BUDGET_PROCESSES));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_amounts),
        cmocka_unit_test(test_amounts_for_people),
        cmocka_unit_test(test_limits_as_written),
        cmocka_unit_test(test_walls),
        cmocka_unit_test(test_a_broken_wall_stays_shut),
        cmocka_unit_test(test_depth_is_a_peak),
        cmocka_unit_test(test_what_a_stage_asks_for),
        cmocka_unit_test(test_what_is_a_fix_round),
        cmocka_unit_test(test_a_wall_has_words),
        cmocka_unit_test(test_what_was_used),
        cmocka_unit_test(test_every_kind_has_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
