#include "measure/rng.h"

#include "base/err.h"

#include <math.h>

#define MULTIPLIER UINT64_C(6364136223846793005)

uint32_t rng_u32(struct rng *r)
{
    uint64_t old = r->state;
    r->state = old * MULTIPLIER + r->increment;
    uint32_t mixed = (uint32_t)(((old >> 18) ^ old) >> 27);
    uint32_t turn = (uint32_t)(old >> 59);
    return (mixed >> turn) | (mixed << ((32 - turn) & 31));
}

void rng_seed(struct rng *r, uint64_t seed, uint64_t stream)
{
    r->state = 0;
    r->increment = (stream << 1) | 1;
    rng_u32(r);
    r->state += seed;
    rng_u32(r);
}

uint64_t rng_u64(struct rng *r)
{
    uint64_t high = rng_u32(r);
    return (high << 32) | rng_u32(r);
}

uint32_t rng_below(struct rng *r, uint32_t n)
{
    must(n > 0);
    // The low part of the product tells whether this draw falls into the uneven rest; such draws are repeated.
    uint64_t product = (uint64_t)rng_u32(r) * n;
    if ((uint32_t)product < n) {
        uint32_t rest = (0 - n) % n;
        while ((uint32_t)product < rest)
            product = (uint64_t)rng_u32(r) * n;
    }
    return (uint32_t)(product >> 32);
}

double rng_unit(struct rng *r)
{
    return (double)(rng_u64(r) >> 11) * 0x1.0p-53;
}

double rng_normal(struct rng *r)
{
    double u = 1.0 - rng_unit(r); // in (0, 1]: the logarithm is finite
    return sqrt(-2.0 * log(u)) * cos(2.0 * M_PI * rng_unit(r));
}

bool rng_coin(struct rng *r)
{
    return rng_u32(r) >> 31;
}
