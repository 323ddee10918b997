#include "measure/spending.h"

#include "base/err.h"
#include "measure/stats.h"

#include <math.h>

void spending_start(struct spending *s, double alpha)
{
    *s = (struct spending){.alpha = alpha};
}

double spending_allowed(double alpha, double fraction)
{
    return fraction >= 1 ? alpha : alpha * log(1.0 + (M_E - 1.0) * fraction);
}

static double simpson_weight(int i)
{
    if (i == 0 || i == SPENDING_GRID - 1)
        return 1.0 / 3.0;
    return i % 2 ? 4.0 / 3.0 : 2.0 / 3.0;
}

static double grid_step(double bound)
{
    return 2.0 * bound / (SPENDING_GRID - 1);
}

// Chance to leave -bound..bound at this look, having stayed inside at all earlier ones.
static double exit_chance(const struct spending *s, double variance, double bound)
{
    double sd = sqrt(variance);
    if (s->looks == 0)
        return 2.0 * stats_normal_cdf(-bound / sd);
    double step = grid_step(s->bound), sum = 0;
    for (int i = 0; i < SPENDING_GRID; i++) {
        double x = -s->bound + step * i;
        double leave = stats_normal_cdf((x - bound) / sd) + stats_normal_cdf((-x - bound) / sd);
        sum += simpson_weight(i) * s->density[i] * leave;
    }
    return sum * step;
}

static double normal_density(double x, double sd)
{
    double z = x / sd;
    return exp(-0.5 * z * z) / (sd * sqrt(2.0 * M_PI));
}

// Moves the density of the paths still inside to the new look and cuts it at its bound.
static void advance(struct spending *s, double fraction, double bound)
{
    double sd = sqrt(fraction - s->fraction), next[SPENDING_GRID];
    double old_step = grid_step(s->bound), step = grid_step(bound);
    for (int i = 0; i < SPENDING_GRID; i++) {
        double y = -bound + step * i, sum = 0;
        if (s->looks == 0) {
            next[i] = normal_density(y, sd);
            continue;
        }
        for (int j = 0; j < SPENDING_GRID; j++) {
            double x = -s->bound + old_step * j;
            sum += simpson_weight(j) * s->density[j] * normal_density(y - x, sd);
        }
        next[i] = sum * old_step;
    }
    for (int i = 0; i < SPENDING_GRID; i++)
        s->density[i] = next[i];
    s->bound = bound;
    s->fraction = fraction;
    s->looks++;
}

double spending_look(struct spending *s, double fraction)
{
    must(fraction > s->fraction && fraction <= 1.0 + 1e-9);
    double target = spending_allowed(s->alpha, fraction) - s->spent;
    double variance = fraction - s->fraction, root = sqrt(fraction);
    double low = 0, high = 12 * root;
    for (int i = 0; i < 60; i++) {
        double middle = 0.5 * (low + high);
        if (exit_chance(s, variance, middle) > target)
            low = middle;
        else
            high = middle;
    }
    s->spent += exit_chance(s, variance, high);
    advance(s, fraction, high);
    return 2.0 * stats_normal_cdf(-high / root);
}

double spending_crossing(const double *fractions, const double *z, int looks)
{
    struct spending s;
    spending_start(&s, 1);
    double total = 0;
    for (int i = 0; i < looks; i++) {
        double bound = z[i] * sqrt(fractions[i]);
        total += exit_chance(&s, fractions[i] - s.fraction, bound);
        advance(&s, fractions[i], bound);
    }
    return total;
}
