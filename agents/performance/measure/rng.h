// Reproducible random numbers: PCG32 (O'Neill 2014, XSH-RR 64/32). The same seed and stream give the same numbers
// on every machine, so that every interval, p-value and pair order of a measurement can be computed again.
// Not for secrets (those come from base/id.h).
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct rng {
    uint64_t state, increment;
};

// Different streams of one seed are independent: one for the pair order, one for the bootstrap, and so on.
void rng_seed(struct rng *r, uint64_t seed, uint64_t stream);
uint32_t rng_u32(struct rng *r);
uint64_t rng_u64(struct rng *r);
uint32_t rng_below(struct rng *r, uint32_t n); // uniform in 0..n-1 without bias; n > 0
double rng_unit(struct rng *r);                // uniform in [0, 1)
double rng_normal(struct rng *r);              // mean 0, standard deviation 1 (for simulations)
bool rng_coin(struct rng *r);
