// The comparison with simulated samplers: no clock decides anything here.
#include "support/support.h"

#include "base/mem.h"
#include "base/str.h"
#include "measure/ab.h"
#include "measure/witness.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct simulated {
    struct rng rng;
    double factor[3]; // time of a side relative to the base
    double noise;     // standard deviation of the log time
    double spike;     // chance of a run that takes 3 times as long
    bool outputs, b_output_differs, a_output_varies, rss_is_bound;
    unsigned calls[3], fail_after, cancel_after;
};

static unsigned all_calls(const struct simulated *s)
{
    return s->calls[0] + s->calls[1] + s->calls[2];
}

static int sample(void *ctx, enum ab_side side, uint64_t noise, struct ab_values *ret, struct err *err)
{
    (void)noise;
    struct simulated *s = ctx;
    s->calls[side]++;
    if (s->fail_after && all_calls(s) > s->fail_after)
        return err_set(err, ERR_TOOL, "the simulated program failed");
    double t = 1e7 * s->factor[side] * exp(s->noise * rng_normal(&s->rng));
    if (rng_unit(&s->rng) < s->spike)
        t *= 3;
    ret->value[AB_CPU] = t;
    ret->value[AB_WALL] = 1.1 * t;
    ret->value[AB_RSS] = side == AB_CANDIDATE ? 2000 : 1000;
    ret->rss_is_bound = s->rss_is_bound;
    if (s->outputs)
        snprintf(ret->output, sizeof(ret->output), "%s%u",
                 side == AB_CANDIDATE && s->b_output_differs ? "other" : "same", s->a_output_varies ? all_calls(s) : 0);
    return 0;
}

static struct simulated simulate(uint64_t seed, double b, double noise)
{
    struct simulated s = {.factor = {1, b, 1}, .noise = noise, .outputs = true};
    rng_seed(&s.rng, seed, 99);
    return s;
}

static struct ab_result *compare(struct simulated *s, const struct ab_options *o)
{
    struct ab_result *r = NULL;
    struct err err;
    assert_ok(ab_compare(sample, s, o, &r, &err), &err);
    return r;
}

static void test_ab_finds_a_clear_gain_early(void **state)
{
    (void)state;
    struct simulated s = simulate(1, 0.8, 0.03);
    struct ab_options o = {.seed = 5, .max_pairs = 60, .calibrate = true};
    struct ab_result *r = compare(&s, &o);
    assert_int_equal(r->verdict, VERDICT_FASTER);
    assert_int_equal(r->pairs, 10);
    assert_true(r->past_theta);
    assert_true(r->ratio.low < 0.8 && r->ratio.high > 0.8);
    assert_true(ab_accepts(r, NULL));
    assert_int_equal(r->outputs, AB_OUTPUTS_IDENTICAL);
    assert_true(r->aa.done && !r->aa.rejects);
    assert_true(fabs(r->other[AB_RSS].ratio - 2) < 1e-9);
    ab_result_free(r);
}

static void test_ab_says_slower_and_refuses(void **state)
{
    (void)state;
    struct simulated s = simulate(2, 1.3, 0.05);
    struct ab_result *r = compare(&s, &(struct ab_options){.seed = 6, .max_pairs = 60});
    const char *why = NULL;
    assert_int_equal(r->verdict, VERDICT_SLOWER);
    assert_true(ab_refuses(r));
    assert_false(ab_accepts(r, &why));
    assert_string_equal(why, "it does not measure faster");
    ab_result_free(r);
}

static void test_ab_stops_when_there_is_no_difference(void **state)
{
    (void)state;
    struct simulated s = simulate(3, 1, 0.01);
    struct ab_result *r = compare(&s, &(struct ab_options){.seed = 7, .max_pairs = 400});
    assert_int_equal(r->verdict, VERDICT_SAME);
    assert_true(r->pairs < 60);
    assert_true(r->ratio.low > 1 / 1.02 && r->ratio.high < 1.02);
    ab_result_free(r);
}

static void test_ab_gives_up_on_hopeless_noise(void **state)
{
    (void)state;
    struct simulated s = simulate(4, 1, 0.5);
    struct ab_result *r = compare(&s, &(struct ab_options){.seed = 8, .max_pairs = 60});
    assert_int_equal(r->verdict, VERDICT_UNDECIDED);
    assert_true(r->pairs < 60);
    assert_true(r->pairs_needed > 60);
    assert_non_null(strstr(r->reasons[0], "stopped early"));
    ab_result_free(r);
}

static void test_ab_survives_spikes(void **state)
{
    (void)state;
    struct simulated s = simulate(5, 0.9, 0.02);
    s.spike = 0.1;
    struct ab_result *r = compare(&s, &(struct ab_options){.seed = 9, .max_pairs = 100});
    assert_int_equal(r->verdict, VERDICT_FASTER);
    assert_true(r->winsorised > 0);
    assert_true(fabs(r->ratio.ratio - 0.9) < 0.03);
    ab_result_free(r);
}

static void test_ab_real_but_small_change_is_not_accepted(void **state)
{
    (void)state;
    struct simulated s = simulate(6, 1 / 1.025, 0.01);
    struct ab_options o = {.seed = 10, .max_pairs = 20, .stop_at_detection = true};
    struct ab_result *r = compare(&s, &o);
    const char *why = NULL;
    assert_int_equal(r->verdict, VERDICT_FASTER);
    assert_false(r->past_theta);
    assert_false(ab_accepts(r, &why));
    assert_non_null(strstr(why, "smallest change"));
    ab_result_free(r);
}

static void test_ab_different_outputs_are_never_accepted(void **state)
{
    (void)state;
    struct simulated s = simulate(7, 0.5, 0.02);
    s.b_output_differs = true;
    struct ab_result *r = compare(&s, &(struct ab_options){.seed = 11, .max_pairs = 60});
    const char *why = NULL;
    assert_int_equal(r->verdict, VERDICT_FASTER);
    assert_int_equal(r->outputs, AB_OUTPUTS_DIFFER);
    assert_int_equal(r->outputs_differing, r->pairs);
    assert_false(ab_accepts(r, &why));
    assert_string_equal(why, "the outputs differ");
    ab_result_free(r);
}

static void test_ab_varying_output_of_the_base_is_not_compared(void **state)
{
    (void)state;
    struct simulated s = simulate(8, 0.5, 0.02);
    s.a_output_varies = true;
    struct ab_result *r = compare(&s, &(struct ab_options){.seed = 12, .max_pairs = 60});
    assert_int_equal(r->outputs, AB_OUTPUTS_NOT_COMPARED);
    assert_true(ab_accepts(r, NULL));
    ab_result_free(r);
}

static void test_ab_biased_calibration_raises_theta(void **state)
{
    (void)state;
    struct simulated s = simulate(9, 0.95, 0.01);
    s.factor[AB_COPY] = 1.06; // the copy of the base runs 6 % slower: changes of 5 % mean nothing here
    struct ab_result *r = compare(&s, &(struct ab_options){.seed = 13, .max_pairs = 60, .calibrate = true});
    assert_true(r->aa.rejects);
    assert_true(r->theta > 0.055);
    assert_false(ab_accepts(r, NULL));
    assert_int_equal(r->verdict, VERDICT_SAME);
    assert_non_null(strstr(r->reasons[0], "copy of itself"));
    ab_result_free(r);
}

static bool says(const struct ab_result *r, const char *text)
{
    for (size_t i = 0; r->reasons[i]; i++)
        if (strstr(r->reasons[i], text))
            return true;
    return false;
}

static void test_ab_theta_that_was_asked_for_is_kept(void **state)
{
    (void)state;
    struct ab_options o = {.seed = 13, .max_pairs = 60, .calibrate = true, .theta = 0.001};
    struct simulated s = simulate(9, 1, 0.01);
    struct ab_result *r = compare(&s, &o);
    assert_int_equal(r->verdict, VERDICT_UNDECIDED);
    assert_true(r->pairs_needed > 60);
    ab_result_free(r);
    s = simulate(9, 1.03, 0.001);
    s.factor[AB_COPY] = 1.06; // 3 % is more than what was asked for, and less than what the machine can tell
    r = compare(&s, &o);
    assert_int_equal(r->verdict, VERDICT_UNDECIDED);
    assert_true(r->theta > 0.055);
    assert_int_equal(r->pairs_needed, 0); // more pairs would not help
    assert_true(says(r, "0.1 % were asked for"));
    ab_result_free(r);
    s = simulate(9, 1, 0.001);
    s.factor[AB_COPY] = 1.06; // a bias of the copy does not hide that nothing has changed
    r = compare(&s, &o);
    assert_int_equal(r->verdict, VERDICT_SAME);
    assert_true(says(r, "within 0.1 %"));
    ab_result_free(r);
}

static void test_ab_pair_order_is_random_and_seeded(void **state)
{
    (void)state;
    struct ab_result *r[2];
    for (int i = 0; i < 2; i++) {
        struct simulated s = simulate(10, 1, 0.2);
        r[i] = compare(&s, &(struct ab_options){.seed = 14, .max_pairs = 100});
    }
    unsigned swapped = 0;
    assert_int_equal(r[0]->pairs, r[1]->pairs);
    for (unsigned i = 0; i < r[0]->pairs; i++) {
        swapped += r[0]->samples[i].b_first;
        assert_int_equal(r[0]->samples[i].b_first, r[1]->samples[i].b_first);
    }
    assert_in_range(swapped, r[0]->pairs / 4, 3 * r[0]->pairs / 4);
    AUTO_JSON json_t *a = ab_result_json_new(r[0], true);
    AUTO_JSON json_t *b = ab_result_json_new(r[1], true);
    json_object_del(a, "elapsed_ns");
    json_object_del(b, "elapsed_ns");
    assert_true(json_equal(a, b));
    ab_result_free(r[0]);
    ab_result_free(r[1]);
}

static bool cancel(void *user)
{
    struct simulated *s = user;
    return all_calls(s) >= s->cancel_after;
}

static void test_ab_failure_and_cancel_end_it(void **state)
{
    (void)state;
    struct ab_result *r = NULL;
    struct err err;
    struct simulated s = simulate(11, 1, 0.1);
    s.fail_after = 7;
    assert_int_equal(ab_compare(sample, &s, &(struct ab_options){.max_pairs = 60}, &r, &err), -ERR_TOOL);
    struct simulated c = simulate(11, 1, 0.1);
    c.cancel_after = 9;
    struct ab_options o = {.max_pairs = 60, .cancelled = cancel, .user = &c};
    assert_int_equal(ab_compare(sample, &c, &o, &r, &err), -ERR_CANCELLED);
    assert_int_equal(all_calls(&c), 9);
    struct simulated z = simulate(11, 0, 0.1);
    assert_int_equal(ab_compare(sample, &z, &(struct ab_options){.max_pairs = 60}, &r, &err), -ERR_INVALID);
    assert_null(r);
}

static void test_ab_too_few_pairs_stay_undecided(void **state)
{
    (void)state;
    struct simulated s = simulate(12, 0.5, 0.01);
    struct ab_result *r = compare(&s, &(struct ab_options){.seed = 3, .max_pairs = 5});
    assert_int_equal(r->verdict, VERDICT_UNDECIDED);
    assert_int_equal(r->pairs, 5);
    assert_non_null(strstr(r->reasons[0], "at least 8"));
    ab_result_free(r);
}

static void test_ab_time_budget_plans_and_ends(void **state)
{
    (void)state;
    struct simulated s = simulate(13, 1, 0.3);
    struct ab_options o = {.seed = 3, .max_pairs = 1000, .max_wall_ns = 1};
    struct ab_result *r = compare(&s, &o);
    assert_int_equal(r->max_pairs, AB_PAIRS_MIN);
    assert_int_equal(r->pairs, 1); // the time was over before the first pair; one is always taken
    assert_int_equal(r->verdict, VERDICT_UNDECIDED);
    ab_result_free(r);
}

static void test_ab_result_survives_json(void **state)
{
    (void)state;
    struct err err;
    struct simulated s = simulate(14, 0.9, 0.05);
    struct ab_result *r = compare(&s, &(struct ab_options){.seed = 15, .max_pairs = 60, .calibrate = true});
    AUTO_JSON json_t *v = ab_result_json_new(r, true);
    assert_string_equal(json_str(v, "verdict", ""), "faster");
    assert_int_equal(json_array_size(json_list(v, "samples")), r->pairs);
    assert_true(fabs(json_num(v, "change_pct", 0) - 100 * (r->ratio.ratio - 1)) < 1e-9);
    struct ab_result *back = NULL;
    assert_ok(ab_result_parse(v, &back, &err), &err);
    AUTO_JSON json_t *again = ab_result_json_new(back, true);
    assert_int_equal(back->pairs, r->pairs);
    assert_true(json_equal(json_list(v, "samples"), json_list(again, "samples")));
    assert_true(json_equal(json_obj(v, "aa"), json_obj(again, "aa")));
    assert_true(json_equal(json_object_get(v, "reasons"), json_object_get(again, "reasons")));
    assert_true(ab_accepts(back, NULL));
    ab_result_free(back);
    json_array_append_new(json_list(v, "samples"), json_string("x"));
    assert_int_equal(ab_result_parse(v, &back, &err), -ERR_INVALID);
    json_put_str(v, "verdict", "splendid");
    assert_int_equal(ab_result_parse(v, &back, &err), -ERR_INVALID);
    ab_result_free(r);
}

static void test_sequence_looks_come_as_planned(void **state)
{
    (void)state;
    struct sequence s;
    sequence_start(&s, &(struct sequence_rule){.max_pairs = 130}, 1);
    static const unsigned PLAN[] = {10, 20, 30, 45, 60, 80, 110, 130, 130};
    unsigned n = 0;
    for (size_t i = 0; i < ARRAY_LEN(PLAN); i++) {
        n = sequence_next_look(&s, n);
        assert_int_equal(n, PLAN[i]);
    }
}

static void test_ab_holm_takes_back_weak_claims(void **state)
{
    (void)state;
    struct ab_result strong = {.verdict = VERDICT_FASTER, .past_theta = true, .p_overall = 0.001};
    struct ab_result weak = {.verdict = VERDICT_SLOWER, .past_theta = true, .p_overall = 0.008};
    struct ab_result none = {.verdict = VERDICT_SAME, .p_overall = 0.9};
    ab_apply_holm((struct ab_result *const[]){&weak, &strong, &none}, 3, 0);
    assert_int_equal(strong.verdict, VERDICT_FASTER);
    assert_int_equal(weak.verdict, VERDICT_UNDECIDED);
    assert_false(ab_refuses(&weak));
    assert_non_null(strstr(weak.reasons[0], "Holm"));
    assert_int_equal(none.verdict, VERDICT_SAME);
    mem_free(weak.reasons[0]);
}

static void test_witness_views(void **state)
{
    (void)state;
    struct witness_counts base = {.instructions = 1e9, .system_calls = 1000};
    assert_int_equal(witness_view(&base, &(struct witness_counts){0}), WITNESS_SILENT);
    struct witness_counts less = {.instructions = 0.8e9, .system_calls = 1000};
    assert_int_equal(witness_view(&base, &less), WITNESS_FOR);
    struct witness_counts noise = {.instructions = 1.004e9};
    assert_int_equal(witness_view(&base, &noise), WITNESS_FOR);
    struct witness_counts more = {.instructions = 1.01e9, .system_calls = 1000};
    assert_int_equal(witness_view(&base, &more), WITNESS_AGAINST);
    struct witness_counts calls = {.instructions = 1.01e9, .system_calls = 10};
    assert_int_equal(witness_view(&base, &calls), WITNESS_FOR);
    AUTO_JSON json_t *v = witness_json_new(&base, &less);
    assert_string_equal(json_str(v, "view", ""), "for");
    assert_true(fabs(json_num(json_obj(v, "instructions"), "change_pct", 0) + 20) < 1e-9);
    assert_null(json_obj(v, "allocations"));
}

static void test_witness_reads_logs(void **state)
{
    (void)state;
    static const char LOG[] = "==7== Callgrind, a call-graph generating cache profiler\n==7== Events    : Ir\n"
                              "==7== Collected : 60125703\n==7== I   refs:      60,125,703\n";
    static const char MORE[] = "==8== Collected : 297";
    static const char DHAT[] =
        "==9== Total:     1,024,000 bytes in 3,001 blocks\n==9== At t-gmax: 7 bytes in 1 blocks\n";
    struct witness_counts c = {0};
    witness_read(LOG, strlen(LOG), &c);
    assert_true(c.instructions == 60125703 && c.allocations == 0);
    witness_read(MORE, strlen(MORE), &c); // another process of the same command
    witness_read(DHAT, strlen(DHAT), &c);
    assert_true(c.instructions == 60126000 && c.allocated_bytes == 1024000 && c.allocations == 3001);
    static const char *const NONE[] = {"",
                                       "Collected : 5\n",
                                       "==7== Collected : many\n",
                                       "==7== Collected : -5\n",
                                       "==7== Collected : ,5\n",
                                       "==7== Collected : 99999999999999999999999\n",
                                       "==x== Collected : 5\n",
                                       "==7== Total: 5 bytes\n",
                                       "==7== Total: 5 bytes in some blocks\n",
                                       "==7=="};
    for (size_t i = 0; i < ARRAY_LEN(NONE); i++) {
        struct witness_counts none = {0};
        witness_read(NONE[i], strlen(NONE[i]), &none);
        assert_true(none.instructions == 0 && none.allocations == 0 && none.allocated_bytes == 0);
    }
}

static void test_witness_sees_calls(void **state)
{
    (void)state;
    assert_true(witness_is_call("SYSCALL[17,1](  1) sys_write ( 1, 0x4a5d, 5 ) --> [async] ... "));
    assert_true(witness_is_call("SYSCALL[17,2](231) exit_group( 0 ) --> [pre-success]"));
    assert_false(witness_is_call("SYSCALL[17,1](  1) ... [async] --> Success(0x5) "));
    assert_false(witness_is_call("==17== Command: SYSCALL[1,1](1) sys_write"));
    assert_false(witness_is_call("SYSCALL["));
    assert_false(witness_is_call("SYSCALL[1](1)"));
    assert_false(witness_is_call(""));
}

static void test_ab_memory_that_cannot_be_seen_is_undecided(void **state)
{
    (void)state;
    struct simulated s = simulate(20, 1, 0.01);
    s.rss_is_bound = true;
    struct ab_result *r = compare(&s, &(struct ab_options){.seed = 1, .max_pairs = 20, .primary = AB_RSS});
    assert_int_equal(r->verdict, VERDICT_UNDECIDED);
    assert_true(says(r, "cannot be seen"));
    ab_result_free(r);
    s.rss_is_bound = false;
    r = compare(&s, &(struct ab_options){.seed = 1, .max_pairs = 20, .primary = AB_RSS});
    assert_int_equal(r->verdict, VERDICT_SLOWER);
    AUTO_JSON json_t *v = ab_result_json_new(r, true);
    assert_string_equal(json_str(v, "unit", ""), "KiB");
    assert_true(json_num(json_obj(v, "b"), "median", 0) > 1999 && !json_object_get(json_obj(v, "b"), "median_ns"));
    ab_result_free(r);
}

static void test_witness_contradiction_is_undecided(void **state)
{
    (void)state;
    struct witness_counts base = {.instructions = 1e9}, more = {.instructions = 1.1e9}, less = {.instructions = 0.9e9};
    struct ab_result faster = {.verdict = VERDICT_FASTER, .past_theta = true};
    assert_int_equal(witness_apply(&faster, &base, &less), WITNESS_FOR);
    assert_true(ab_accepts(&faster, NULL));
    assert_int_equal(witness_apply(&faster, &base, &more), WITNESS_AGAINST);
    assert_int_equal(faster.verdict, VERDICT_UNDECIDED);
    assert_false(ab_accepts(&faster, NULL));
    assert_non_null(strstr(faster.reasons[0], "10.00 %"));
    struct ab_result slower = {.verdict = VERDICT_SLOWER, .past_theta = true};
    witness_apply(&slower, &base, &less);
    assert_int_equal(slower.verdict, VERDICT_UNDECIDED);
    struct ab_result undecided = {.verdict = VERDICT_UNDECIDED};
    witness_apply(&undecided, &base, &less); // counts alone accept nothing
    assert_int_equal(undecided.verdict, VERDICT_UNDECIDED);
    mem_free(faster.reasons[0]);
    mem_free(slower.reasons[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ab_finds_a_clear_gain_early),
        cmocka_unit_test(test_ab_says_slower_and_refuses),
        cmocka_unit_test(test_ab_stops_when_there_is_no_difference),
        cmocka_unit_test(test_ab_gives_up_on_hopeless_noise),
        cmocka_unit_test(test_ab_survives_spikes),
        cmocka_unit_test(test_ab_real_but_small_change_is_not_accepted),
        cmocka_unit_test(test_ab_different_outputs_are_never_accepted),
        cmocka_unit_test(test_ab_varying_output_of_the_base_is_not_compared),
        cmocka_unit_test(test_ab_biased_calibration_raises_theta),
        cmocka_unit_test(test_ab_theta_that_was_asked_for_is_kept),
        cmocka_unit_test(test_ab_pair_order_is_random_and_seeded),
        cmocka_unit_test(test_ab_failure_and_cancel_end_it),
        cmocka_unit_test(test_ab_too_few_pairs_stay_undecided),
        cmocka_unit_test(test_ab_time_budget_plans_and_ends),
        cmocka_unit_test(test_ab_result_survives_json),
        cmocka_unit_test(test_sequence_looks_come_as_planned),
        cmocka_unit_test(test_ab_holm_takes_back_weak_claims),
        cmocka_unit_test(test_witness_views),
        cmocka_unit_test(test_witness_reads_logs),
        cmocka_unit_test(test_witness_sees_calls),
        cmocka_unit_test(test_ab_memory_that_cannot_be_seen_is_undecided),
        cmocka_unit_test(test_witness_contradiction_is_undecided),
    };
    return cmocka_run_group_tests_name("measure_ab", tests, NULL, NULL);
}
