// The rust-performance-engineer worker. Profile first, measure everything, hot paths only: what it proposes has samples
// behind it, what it accepts has a comparison behind it.
#include "base/str.h"
#include "performance/stages.h"
#include "sdk/agent.h"

static int run(struct job *job, json_t *draft, struct err *err)
{
    if (str_eq(job_mode(job), "bench"))
        return stage_bench(job, draft, err);
    if (str_eq(job_mode(job), "sample"))
        return stage_sample(job, draft, err);
    if (str_eq(job_mode(job), "commits"))
        return stage_commits(job, draft, err);
    return str_eq(job_mode(job), "verify") ? stage_verify(job, draft, err) : stage_profile(job, draft, err);
}

int main(int argc, char **argv)
{
    static const char *const MODES[] = {"profile", "verify", "build", "tests", "bench", "sample", "commits", NULL};
    static const struct agent PERFORMANCE = {.role = "performance", .version = "1", .modes = MODES, .run = run};
    return agent_main(argc, argv, &PERFORMANCE);
}
