// A run whose records cannot be read any more does not guess what they said: executing a finished stage again is for
// people to decide.
#include "run/run_internal.h"

#include "base/mem.h"
#include "base/str.h"

void run_end_lost(struct run *run, const char *what, const char *why)
{
    AUTO_FREE char *reason =
        str_printf("its record of %s cannot be read any more (%s); to execute again what is missing, see the plan of: "
                   "baton resume %s --again",
                   what, why, run->id);
    run_end(run, RUN_LOST, NULL, reason);
}

void run_check_losses(struct run *run)
{
    int64_t losses = store_losses(run->env.store);
    if (!run->resumed || run->ending || (run->losses_known && losses == run->losses))
        return;
    run->losses = losses;
    run->losses_known = true;
    AUTO_JSON json_t *damage = store_run_damage_new(run->env.store, run->id);
    if (!damage)
        return;
    const char *source = json_str(damage, "source", "?");
    AUTO_FREE char *what =
        str_printf("%s '%.80s'", str_eq(source, "runs") ? "the run" : source, json_str(damage, "ref", "?"));
    AUTO_FREE char *why = str_printf("%s; what is left of it is in lost_found", json_str(damage, "reason", "?"));
    run_end_lost(run, what, why);
}
