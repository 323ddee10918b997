// The sampler of whole commands.
#include "measure/ab.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

#define SPAWN_NS       (650 * (NS_PER_MS / 1000)) // what vfork, exec and exit of an empty program take
#define SAMPLE_NS_MIN  (20 * SPAWN_NS)
#define PADDING_SPREAD 4096u // one page: the stack moves through every offset that matters

struct commands {
    const struct ab_command_options *o;
    const struct ab_subject *subject[3];
    size_t fill[3]; // padding that makes the stacks of all sides start alike
    unsigned repeat;
};

static struct runner_call call_of(const struct commands *c, enum ab_side side, uint64_t noise)
{
    const struct ab_subject *s = c->subject[side];
    return (struct runner_call){.argv_prefix = c->o->argv_prefix,
                                .argv = s->argv,
                                .cwd = s->cwd,
                                .env = s->env,
                                .stdin_path = s->stdin_path,
                                .padding = 1 + noise % PADDING_SPREAD + c->fill[side],
                                .keep_output = !c->o->ignore_output,
                                .timeout_ns = c->o->run_timeout_ns,
                                .alone = c->o->common.alone,
                                .cancelled = c->o->common.cancelled,
                                .user = c->o->common.user};
}

static int run_once(const struct commands *c, enum ab_side side, uint64_t noise, struct runner_result *ret,
                    struct err *err)
{
    struct runner_call call = call_of(c, side, noise);
    int rc = runner_run(&call, ret, err);
    if (rc < 0)
        return rc;
    if (ret->signal == 0 && (ret->exit_code == 0 || c->o->any_exit))
        return 0;
    AUTO_FREE char *how = runner_describe(ret);
    return err_set(err, ERR_TOOL, "\"%s\" (%s) ended with %s; expected exit 0", call.argv[0],
                   c->subject[side]->name ? c->subject[side]->name : "unnamed", how);
}

static int sample(void *ctx, enum ab_side side, uint64_t noise, struct ab_values *ret, struct err *err)
{
    const struct commands *c = ctx;
    struct ab_values v = {0};
    struct hash *outputs = c->o->ignore_output ? NULL : hash_new();
    for (unsigned i = 0; i < c->repeat; i++) {
        struct runner_result r;
        int rc = run_once(c, side, noise, &r, err);
        if (rc < 0) {
            char unused[HASH_TEXT];
            if (outputs)
                hash_finish(outputs, unused);
            return rc;
        }
        v.value[AB_CPU] += (double)r.cpu_ns / c->repeat;
        v.value[AB_WALL] += (double)r.wall_ns / c->repeat;
        if ((double)r.max_rss_kb > v.value[AB_RSS])
            v.value[AB_RSS] = (double)r.max_rss_kb;
        v.rss_is_bound |= r.rss_is_bound;
        if (outputs) {
            hash_add(outputs, r.output, strlen(r.output));
            hash_add(outputs, &r.exit_code, sizeof(r.exit_code));
        }
    }
    if (outputs)
        hash_finish(outputs, v.output);
    if (v.value[AB_CPU] <= 0)
        v.value[AB_CPU] = 1; // less than the kernel's clock shows
    *ret = v;
    return 0;
}

static void align_stacks(struct commands *c, int sides)
{
    size_t bytes[3] = {0}, most = 0;
    for (int i = 0; i < sides; i++) {
        struct runner_call call = call_of(c, (enum ab_side)i, 0);
        bytes[i] = runner_stack_bytes(&call);
        most = bytes[i] > most ? bytes[i] : most;
    }
    for (int i = 0; i < sides; i++) {
        size_t fill = most - bytes[i];
        c->fill[i] = fill < RUNNER_PADDING_MAX - 2 * PADDING_SPREAD ? fill : 0;
    }
}

// So many runs per sample that starting the process is a small part of what is timed. The second run of each side
// counts: the first one fills caches.
static int size_work(struct commands *c, int64_t *ret_run_ns, struct err *err)
{
    int64_t shortest = INT64_MAX;
    for (int round = 0; round < 2; round++)
        for (int side = AB_BASE; side <= AB_CANDIDATE; side++) {
            struct runner_result r;
            int rc = run_once(c, (enum ab_side)side, (uint64_t)round, &r, err);
            if (rc < 0)
                return rc;
            if (round == 1 && r.wall_ns < shortest)
                shortest = r.wall_ns;
        }
    *ret_run_ns = shortest;
    int64_t fit = (SAMPLE_NS_MIN + shortest - 1) / (shortest > 0 ? shortest : 1);
    c->repeat = fit < 1 ? 1 : fit > AB_REPEAT_MAX ? AB_REPEAT_MAX : (unsigned)fit;
    return 0;
}

int ab_compare_commands(const struct ab_subject *a, const struct ab_subject *b, const struct ab_subject *copy,
                        const struct ab_command_options *options, struct ab_result **ret, struct err *err)
{
    struct commands c = {.o = options, .subject = {a, b, copy}, .repeat = options->repeat};
    struct ab_options common = options->common;
    int64_t start = clock_mono_ns(), run_ns = INT64_MAX;
    common.name_a = common.name_a ? common.name_a : a->name;
    common.name_b = common.name_b ? common.name_b : b->name;
    common.calibrate = copy != NULL;
    common.warm_ups = 1;
    align_stacks(&c, copy ? 3 : 2);
    if (c.repeat > AB_REPEAT_MAX)
        c.repeat = AB_REPEAT_MAX;
    if (c.repeat == 0) {
        int rc = size_work(&c, &run_ns, err);
        if (rc < 0)
            return rc;
        if (common.max_wall_ns > 0) {
            common.max_wall_ns -= clock_mono_ns() - start;
            common.max_wall_ns = common.max_wall_ns > 1 ? common.max_wall_ns : 1;
        }
    }
    struct ab_result *r = NULL;
    int rc = ab_compare(sample, &c, &common, &r, err);
    if (rc < 0)
        return rc;
    r->repeat = c.repeat;
    if (run_ns < 3 * SPAWN_NS)
        ab_result_reason(r, "a run takes %.1f ms, much of it starting the process: a larger input would show more",
                         (double)run_ns / NS_PER_MS);
    *ret = r;
    return 0;
}
