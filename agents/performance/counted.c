#include "performance/counted.h"

#include "base/mem.h"
#include "base/str.h"

struct counting {
    const struct counted *c;
    unsigned runs;
};

static int run(const struct counted *c, enum witnessed_tool tool, enum ab_side side, struct witness_counts *ret,
               struct err *err)
{
    AUTO_FREE char *why = NULL;
    int r = witnessed_count(c->w, tool, side == AB_CANDIDATE, ret, &why, err);
    if (r == 0 && why)
        return err_set(err, ERR_NOT_FOUND, "%s of '%s' cannot be counted: %s", ab_metric_words(c->b->metric),
                       c->b->name[side == AB_CANDIDATE], why);
    return r;
}

static int sample(void *ctx, enum ab_side side, uint64_t noise, struct ab_values *ret, struct err *err)
{
    struct counting *counting = ctx;
    const struct counted *c = counting->c;
    struct witness_counts counts = {0};
    int r = 0;
    (void)noise;
    if (c->b->metric == AB_SIZE) {
        ret->value[AB_SIZE] = c->size[side == AB_CANDIDATE];
        return 0;
    }
    job_progress(c->b->job, -1, "counting %s, run %u", ab_metric_words(c->b->metric), ++counting->runs);
    r = run(c, c->b->metric == AB_CALLS ? WITNESSED_CALLS : WITNESSED_ALLOCATIONS, side, &counts, err);
    // None at all is as good as one: a ratio needs a number.
    ret->value[AB_ALLOCATIONS] = counts.allocations > 1 ? counts.allocations : 1;
    ret->value[AB_CALLS] = counts.system_calls > 1 ? counts.system_calls : 1;
    return r;
}

static bool is_cancelled(void *user)
{
    const struct counting *counting = user;
    return job_cancelled(counting->c->b->job);
}

int counted_compare(const struct counted *c, struct ab_result **ret, struct err *err)
{
    struct counting counting = {.c = c};
    const struct ab_options options = {.primary = c->b->metric,
                                       .theta = c->b->theta,
                                       .max_pairs = COUNTED_PAIRS,
                                       .cancelled = is_cancelled,
                                       .user = &counting};
    for (int side = 0; side < 2 && c->b->metric == AB_SIZE; side++)
        if (c->size[side] <= 0)
            return err_set(err, ERR_INVALID, "'%s' has no size: name the program by its path", c->b->name[side]);
    return ab_compare(sample, &counting, &options, ret, err);
}
