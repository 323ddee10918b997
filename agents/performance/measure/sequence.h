// The decision rule of a comparison, free of clocks and processes. It is fed with d[i] = ln(time of B / time of A)
// of pairs run back to back in random order, looks at planned numbers of pairs, and says whether to go on.
//   faster/slower  sign-flip p within what may be spent at this look, the interval on one side of 1, the estimate
//                  past theta. Sampling goes on until the interval's near end is past theta too, or pairs run out.
//   same           the interval lies inside +-theta.
//   undecided      neither; `pairs_needed` says how many pairs a decision would probably take.
#pragma once

#include "measure/rng.h"
#include "measure/spending.h"

#include <stdbool.h>
#include <stddef.h>

#define SEQUENCE_THETA          0.02 // smallest change worth a verdict
#define SEQUENCE_ALPHA          0.01 // chance of a false "faster" or "slower" over all looks together
#define SEQUENCE_LEVEL          0.99 // of the interval
#define SEQUENCE_PAIRS_MAX      2000u
#define SEQUENCE_BOOTSTRAP_FROM 20u // below: interval from order statistics

enum verdict { VERDICT_UNDECIDED, VERDICT_FASTER, VERDICT_SLOWER, VERDICT_SAME };
const char *verdict_name(enum verdict v); // "undecided", "faster", "slower", "no_difference"

struct sequence_rule {
    double theta;        // a change counts when the ratio passes 1 + theta or 1 / (1 + theta); 0: SEQUENCE_THETA
    double theta_same;   // sampling stops early for "same" only inside this; at the plan's end theta counts. 0: theta
    bool same_is_firm;   // theta_same counts at the plan's end, too: somebody asked for it
    double alpha, level; // 0: the defaults above
    unsigned max_pairs;  // the plan; 1..SEQUENCE_PAIRS_MAX
    bool stop_at_detection; // stop at the first "faster"/"slower", even with the interval not past theta yet
};

struct sequence_look {
    unsigned pairs;
    double centre, low, high; // log ratio: median and interval
    double p, nominal;        // sign-flip p-value and the level it had to meet at this look
    double p_overall;         // p scaled to the whole sequence: comparable with alpha, input for Holm
    size_t winsorised;        // values beyond median +- 3 robust standard deviations
    enum verdict verdict;
    bool interval_ok; // enough pairs for the level; else low and high are just the extremes
    bool past_theta;  // the interval's near end is past theta, on the side of the verdict
    bool hopeless;    // the rest of the plan cannot bring a decision: stopped early
    bool stop;
    unsigned pairs_needed; // when undecided; 0: more than a million, or no number of them
};

struct sequence {
    struct sequence_rule rule;
    struct spending spending;
    struct rng rng;
    unsigned looks;
};

void sequence_start(struct sequence *s, const struct sequence_rule *rule, uint64_t seed);
// Number of pairs of the first look after `pairs`: 10, 20, 30, 45, 60, 80, then a third more each; the plan's end last.
unsigned sequence_next_look(const struct sequence *s, unsigned pairs);
// Looks at the first n values. `last`: no more pairs will come (budget or plan at its end).
void sequence_look(struct sequence *s, const double *d, unsigned n, bool last, struct sequence_look *ret);
