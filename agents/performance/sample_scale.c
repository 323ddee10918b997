#include "performance/sample.h"

#include "base/mem.h"
#include "base/str.h"
#include "profile/growth.h"

#define ROWS_MAX 40

struct sized {
    double size;
    struct sample_command command;
    struct callgrind *counts;
    struct callgrind_owned *owned;
};

static int prepare(struct sized *one, const json_t *scaled, struct err *err)
{
    one->size = json_num(scaled, "size", 0);
    if (!(one->size > 0))
        return err_set(err, ERR_INVALID, "a size is a number above 0");
    return sample_command_read(json_list(scaled, "command"), &one->command, err);
}

static int count(struct sample *s, struct sized *one, struct err *err)
{
    const struct profile_options options = sample_options(s);
    AUTO_FREE char *why = NULL;
    struct profile *p = NULL;
    job_progress(s->job, -1, "counting at n = %.15g", one->size);
    int r = sample_count(s, &one->command, &one->counts, &why, err);
    if (r == 0 && !one->counts)
        r = err_set(err, ERR_TOOL, "at n = %.15g: %s", one->size, why);
    if (r == 0)
        r = profile_of_callgrind(one->counts, &options, &p, err);
    if (r < 0)
        return r;
    one->owned = callgrind_owned_new(one->counts, p);
    profile_free(s->now); // the largest is the one that is shown
    s->now = p;
    return 0;
}

static int by_size(struct sized *all, size_t n, struct err *err)
{
    for (size_t i = 1; i < n; i++)
        if (all[i].size <= all[i - 1].size)
            return err_set(err, ERR_INVALID, "sizes must rise: %.15g behind %.15g", all[i].size, all[i - 1].size);
    return 0;
}

int sample_scale(struct sample *s, const json_t *scaled, struct err *err)
{
    struct sized all[GROWTH_SIZES_MAX] = {0};
    struct growth_point points[GROWTH_SIZES_MAX];
    size_t n = json_array_size(scaled);
    if (n < 2 || n > GROWTH_SIZES_MAX)
        return err_set(err, ERR_INVALID, "give 2 to %d sizes", GROWTH_SIZES_MAX);
    int r = 0;
    for (size_t i = 0; i < n && r == 0; i++)
        r = prepare(&all[i], json_array_get(scaled, i), err);
    if (r == 0)
        r = by_size(all, n, err);
    for (size_t i = 0; i < n && r == 0; i++)
        r = count(s, &all[i], err);
    for (size_t i = 0; i < n && r == 0; i++)
        points[i] = (struct growth_point){all[i].size, all[i].counts, all[i].owned};
    if (r == 0) {
        const struct crate_roots roots = {s->roots, NULL};
        s->growth = growth_new(points, n, &roots, ROWS_MAX);
        s->how = str_printf("callgrind, instructions counted at %zu sizes", n);
    }
    for (size_t i = 0; i < n; i++) {
        sample_command_free(&all[i].command);
        callgrind_owned_free(all[i].owned);
        callgrind_free(all[i].counts);
    }
    return r;
}
