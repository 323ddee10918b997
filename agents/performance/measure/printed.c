#include "measure/printed.h"

#include "base/mem.h"
#include "base/str.h"
#include "measure/bench_text.h"

struct sampler {
    const struct printed_run *run[3];
    const struct printed_settings *settings;
    const struct ab_options *options;
};

double printed_time_ns(const char *text, size_t len, const char *id)
{
    double time = 0;
    for (int divan = 0; divan < 2 && time <= 0; divan++) {
        struct bench_rows rows = {0};
        if (divan)
            bench_divan_parse(text, len, &rows);
        else
            bench_libtest_parse(text, len, &rows);
        for (size_t i = 0; i < rows.len && time <= 0; i++)
            if (str_eq(rows.items[i].id, id))
                time = rows.items[i].median_ns;
        bench_rows_free(&rows);
    }
    return time;
}

int printed_sample(const struct printed_run *run, const struct printed_settings *settings, const struct ab_options *options,
                   size_t padding, double *ret_ns, struct err *err)
{
    const char *const argv[] = {run->binary, "--bench", settings->id, NULL};
    AUTO_BUF struct buf text = BUF_MAX(BENCH_TEXT_MAX);
    struct runner_call call = {.argv = argv,
                               .cwd = run->cwd,
                               .env = run->env,
                               .padding = padding,
                               .keep_output = true,
                               .output = &text,
                               .timeout_ns = settings->timeout_ns,
                               .alone = options->alone,
                               .cancelled = options->cancelled,
                               .user = options->user};
    struct runner_result r;
    int rc = runner_run(&call, &r, err);
    if (rc < 0)
        return rc;
    if (r.exit_code != 0) {
        AUTO_FREE char *how = runner_describe(&r);
        return err_set(err, ERR_TOOL, "bench \"%s\" of \"%s\" ended with %s", settings->id, run->binary, how);
    }
    double time = printed_time_ns(buf_str(&text), text.len, settings->id);
    if (time <= 0)
        return err_set(err, ERR_NOT_FOUND, "\"%s\" printed no time for the bench \"%s\"", run->binary, settings->id);
    *ret_ns = time;
    return 0;
}

static int sample(void *ctx, enum ab_side side, uint64_t noise, struct ab_values *ret, struct err *err)
{
    struct sampler *s = ctx;
    return printed_sample(s->run[side], s->settings, s->options, 1 + noise % 4096, &ret->value[AB_WALL], err);
}

int printed_compare(const struct printed_run *a, const struct printed_run *b, const struct printed_run *copy,
                    const struct printed_settings *settings, const struct ab_options *options, struct ab_result **ret,
                    struct err *err)
{
    struct ab_options o = *options;
    o.primary = AB_WALL;
    o.calibrate = copy != NULL;
    o.warm_ups = 1;
    struct sampler s = {.run = {a, b, copy}, .settings = settings, .options = &o};
    return ab_compare(sample, &s, &o, ret, err);
}
