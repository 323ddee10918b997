// The rust-performance-engineer worker. Profile first, measure everything, hot paths only: what it proposes has samples
// behind it, what it accepts has a comparison behind it.
#include "base/str.h"
#include "performance/stages.h"
#include "sdk/agent.h"

static int run(struct job *job, json_t *draft, struct err *err)
{
    static const struct {
        const char *mode;
        int (*stage)(struct job *job, json_t *draft, struct err *err);
    } STAGES[] = {{"bench", stage_bench},     {"sample", stage_sample}, {"commits", stage_commits},
                  {"explain", stage_explain}, {"search", stage_search}, {"confirm", stage_confirm},
                  {"verify", stage_verify}};
    for (size_t i = 0; i < ARRAY_LEN(STAGES); i++)
        if (str_eq(job_mode(job), STAGES[i].mode))
            return STAGES[i].stage(job, draft, err);
    return stage_profile(job, draft, err);
}

int main(int argc, char **argv)
{
    static const char *const MODES[] = {"profile", "verify",  "build",  "tests",   "bench", "sample",
                                        "commits", "explain", "search", "confirm", NULL};
    static const struct agent PERFORMANCE = {.role = "performance", .version = "1", .modes = MODES, .run = run};
    return agent_main(argc, argv, &PERFORMANCE);
}
