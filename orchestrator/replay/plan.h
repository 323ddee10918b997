// What a run would do if it was taken up again with a script: its journal answers what it can, nothing is executed,
// nothing changes.
#pragma once

#include "base/err.h"
#include "replay/past.h"
#include "json/json.h"

#include <stdbool.h>
#include <stddef.h>

struct plan_of {               // borrowed
    struct past *past;         // with its agents; handoffs are added
    const json_t *stages;      // of the journal, with bodies
    const json_t *calls;       // of the journal
    const json_t *again;       // numbers of stages that do not answer any more
    const json_t *calls_again; // {task, n}
    const json_t *ungrounded;  // handoff id -> true
    const char *script, *name; // text, and what stands in messages
    size_t script_len;
};

// {reuses: [{stage, agent, mode, summary}], begins: [{agent, mode, task, line, because}], asks: [{op, line}], unused:
// [{stage, agent, mode, summary}], complete: bool, outcome, error}. What a stage that begins will say is not known: the
// script goes on as far as it does not look at it, and complete is false. `unused` is only known when it comes to its
// end. NULL with err: the script does not load, or does not take the run's params.
json_t *plan_new(const struct plan_of *of, struct err *err);
