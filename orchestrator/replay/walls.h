// The walls of a run that is decided again: what stood in its accounts at every decision is journaled beside it, and
// what the script asks for differently since then is added to that.
#pragma once

#include "base/err.h"
#include "budget/budget.h"
#include "json/json.h"

#include <stdbool.h>

struct walls;

struct walls_question { // may this be begun?
    const char *task;   // of the script, and the number of the call in it
    unsigned n;
    int seq;           // of its stage in the journal; 0: none was begun
    const char *child; // of a child workflow: its run; NULL: it is a stage, or no run was begun
    struct budget_amounts demand;
    bool completed;         // its stage has
    const json_t *receipts; // of its stage
};

struct walls_answer {
    json_t *then, *now; // the wall in the journal, and by what is here; NULL: there was room. The caller's
    int64_t at_ns;      // a wall before another attempt of a stage that was begun: when; else 0
};

// Both parts of a bundle are borrowed.
struct walls *walls_new(const json_t *run, const json_t *events);
struct walls *walls_free(struct walls *w); // NULL allowed; returns NULL
// Other limits than in the journal: what two scripts declare (written, may be NULL), and the operator's word on it.
int walls_set_limits(struct walls *w, const json_t *declared_then, const json_t *declared_now, const json_t *given,
                     struct err *err);
// Does the journal have a wall at this call? task NULL: at any.
bool walls_stood(const struct walls *w, const char *task, unsigned n);
struct walls_answer walls_decide(struct walls *w, const struct walls_question *q);
// The same for another attempt of the stage, where the journal has a wall; at_ns 0: it has none.
struct walls_answer walls_decide_attempt(struct walls *w, const struct walls_question *q);
