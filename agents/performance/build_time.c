#include "performance/build_time.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

struct sampling {
    const struct build_sides *sides;
    unsigned builds;
};

static int build_once(const struct build_sides *s, bool b, struct ab_values *ret, struct err *err)
{
    AUTO_FREE char *target = str_printf("CARGO_TARGET_DIR=%s", b ? s->target_b : s->target_a);
    const char *const env[] = {target, NULL};
    const char *profile = b ? s->profile_b : s->profile_a;
    const char *const argv[] = {"cargo", "build", "--profile", profile ? profile : "release", "--workspace", "--quiet", NULL};
    struct exec_result result;
    int r = exec_check(job_exec(s->job), &(struct exec_call){.argv = argv, .cwd = b ? s->root_b : s->root_a, .env = env},
                       &result, err);
    if (r == 0 && ret) {
        ret->value[s->metric] = (double)result.wall_ns;
        ret->value[AB_CPU] = (double)(result.user_ns + result.sys_ns);
    }
    exec_result_free(&result);
    return r;
}

static int sample(void *ctx, enum ab_side side, uint64_t noise, struct ab_values *ret, struct err *err)
{
    struct sampling *s = ctx;
    const struct build_sides *sides = s->sides;
    bool b = side == AB_CANDIDATE;
    (void)noise;
    *ret = (struct ab_values){0};
    if (sides->clean) {
        int r = file_remove_tree(b ? sides->target_b : sides->target_a, err);
        if (r < 0)
            return r;
    } else {
        size_t i;
        json_t *file;
        json_array_foreach (sides->touch, i, file)
            if (json_is_string(file)) // one that is gone is not built, either
                files_touch(b ? sides->files_b : sides->files_a, json_string_value(file), NULL);
    }
    job_progress(sides->job, -1, "%s: timing build %u", sides->label, ++s->builds);
    return build_once(sides, b, ret, err);
}

static bool is_cancelled(void *user)
{
    const struct sampling *s = user;
    return job_cancelled(s->sides->job);
}

static int does_not_fit(const struct build_sides *sides, int64_t one, struct err *err)
{
    char build[CLOCK_TEXT_MAX], budget[CLOCK_TEXT_MAX];
    clock_human(one, build);
    clock_human(sides->wall_ns, budget);
    return err_set(err, ERR_LIMIT, "a build takes %s: %u pairs do not fit into %s", build, AB_PAIRS_MIN, budget);
}

int build_time_compare(const struct build_sides *sides, struct ab_result **ret, struct err *err)
{
    struct sampling s = {.sides = sides};
    // Both sides once, so that sources are fetched and caches that outlive a target directory are warm.
    int64_t start = clock_mono_ns();
    int r = sides->clean ? file_remove_tree(sides->target_a, err) : 0;
    if (r == 0)
        r = build_once(sides, false, NULL, err);
    // A clean build of the base that takes so long ends it here: the other side's first build would take as long again.
    if (r == 0 && sides->clean && (clock_mono_ns() - start) * AB_PAIRS_MIN > sides->wall_ns)
        return does_not_fit(sides, clock_mono_ns() - start, err);
    if (r == 0)
        r = build_once(sides, true, NULL, err);
    struct ab_values first;
    int64_t before = clock_mono_ns();
    if (r == 0)
        r = sample(&s, AB_BASE, 0, &first, err);
    if (r < 0)
        return r;
    int64_t one = clock_mono_ns() - before, left = sides->wall_ns - (clock_mono_ns() - start);
    if (one * 2 * AB_PAIRS_MIN > left)
        return does_not_fit(sides, one, err);
    struct ab_options options = {
        .primary = sides->metric, .theta = sides->theta, .max_pairs = 30, .max_wall_ns = left, .cancelled = is_cancelled, .user = &s};
    return ab_compare(sample, &s, &options, ret, err);
}
