// Group-sequential testing: how much of a total error probability may be spent at each look at growing data, so
// that looking often does not raise the rate of false claims. Spending function of Pocock type (Lan and DeMets
// 1983): alpha * ln(1 + (e - 1) t) at information fraction t = pairs seen / pairs planned. Looks may come at any
// growing fractions; the boundary of each follows from those before by numerical integration.
#pragma once

#define SPENDING_GRID 201 // points of the density of the not-yet-stopped process (odd, for Simpson's rule)

struct spending {
    double alpha;    // total, two-sided
    double fraction; // of the last look
    double spent;    // up to and with the last look
    double bound;    // of the last look, on the scale of the sum process
    int looks;
    double density[SPENDING_GRID]; // on -bound..bound
};

void spending_start(struct spending *s, double alpha);
double spending_allowed(double alpha, double fraction); // cumulative
// Adds a look at the given fraction (greater than the last, at most 1). Returns the two-sided nominal p-value at
// which the look may reject; 0 when nothing may be spent.
double spending_look(struct spending *s, double fraction);
// Chance that a standard Brownian path crosses |Z| >= z[i] at any of the fractions (for checks).
double spending_crossing(const double *fractions, const double *z, int looks);
