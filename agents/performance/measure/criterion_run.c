#include "measure/criterion.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"

#include <math.h>
#include <string.h>

struct sampler {
    const struct criterion_run *run[3];
    const struct criterion_settings *settings;
    const struct ab_options *options;
    bool plain;         // learned: this version does not read the filter as a regular expression
    bool whole_seconds; // learned: this version reads whole seconds only
};

extern char **environ; // NOLINT: declared by POSIX for the program to use

// Everything that a regular expression would read otherwise is escaped.
char *criterion_filter(const char *id)
{
    struct buf b = BUF_INIT;
    buf_char(&b, '^');
    for (const char *p = id; *p; p++) {
        if (strchr("\\.+*?()|[]{}^$#&-~", *p))
            buf_char(&b, '\\');
        buf_char(&b, *p);
    }
    buf_char(&b, '$');
    return buf_steal(&b);
}

char **criterion_args(const struct criterion_settings *s, bool exact)
{
    VEC(char *) args = {0};
    vec_push(&args, str_dup("--bench"));
    vec_push(&args, str_dup("--noplot"));
    vec_push(&args, str_dup("--warm-up-time"));
    vec_push(&args, str_printf("%g", s->warm_up_s > 0 ? s->warm_up_s : 1.0));
    vec_push(&args, str_dup("--measurement-time"));
    vec_push(&args, str_printf("%g", s->measurement_s > 0 ? s->measurement_s : 1.0));
    vec_push(&args, str_dup("--sample-size"));
    vec_push(&args, str_printf("%u", s->sample_size > 10 ? s->sample_size : 10));
    vec_push(&args, str_dup("--nresamples")); // only for criterion's own report, which nobody reads here
    vec_push(&args, str_dup("1001"));
    vec_push(&args, exact ? criterion_filter(s->id) : str_dup(s->id));
    vec_push(&args, NULL);
    return args.items;
}

static int run_binary(const struct sampler *c, const struct criterion_run *run, size_t padding, struct err *err)
{
    struct criterion_settings s = *c->settings;
    if (c->whole_seconds) {
        s.warm_up_s = ceil(s.warm_up_s);
        s.measurement_s = ceil(s.measurement_s);
    }
    char **args = criterion_args(&s, !c->plain);
    VEC(const char *) argv = {0};
    VEC(const char *) env = {0};
    vec_push(&argv, run->binary);
    for (char **a = args; *a; a++)
        vec_push(&argv, *a);
    vec_push(&argv, NULL);
    for (const char *const *e = run->env ? run->env : (const char *const *)environ; *e; e++)
        if (!str_starts(*e, "CRITERION_HOME=") && !str_starts(*e, "CARGO_TARGET_DIR="))
            vec_push(&env, *e);
    AUTO_FREE char *home = str_printf("CRITERION_HOME=%s", run->home);
    AUTO_FREE char *target = str_printf("CARGO_TARGET_DIR=%s", run->home); // 0.3.0 knows only this one
    vec_push(&env, home);
    vec_push(&env, target);
    vec_push(&env, NULL);
    struct runner_call call = {.argv_prefix = s.argv_prefix,
                               .argv = argv.items,
                               .cwd = run->cwd,
                               .env = env.items,
                               .padding = padding,
                               .timeout_ns = s.timeout_ns,
                               .alone = c->options->alone,
                               .cancelled = c->options->cancelled,
                               .user = c->options->user};
    struct runner_result r;
    int rc = runner_run(&call, &r, err);
    if (rc >= 0 && r.exit_code != 0) {
        AUTO_FREE char *how = runner_describe(&r);
        rc = err_set(err, ERR_TOOL, "bench \"%s\" of \"%s\" ended with %s", s.id, run->binary, how);
    }
    vec_free(&argv);
    vec_free(&env);
    str_list_free(args);
    return rc;
}

// The time of the bench after one run, or a negative error; 0 when the run did not touch the bench.
static int read_time(const struct sampler *c, const struct criterion_run *run, double *ret, struct err *err)
{
    struct criterion_list list;
    int rc = criterion_list_read(run->home, NULL, &list, err);
    if (rc < 0)
        return rc;
    const struct criterion_bench *b = criterion_list_find(&list, c->settings->id);
    *ret = b ? criterion_time_ns(b) : 0;
    criterion_list_free(&list);
    return 0;
}

static int run_and_read(const struct sampler *c, const struct criterion_run *run, size_t padding, double *ret,
                        struct err *err)
{
    int rc = file_remove_tree(run->home, err);
    if (rc >= 0)
        rc = file_make_dirs(run->home, err);
    if (rc >= 0)
        rc = run_binary(c, run, padding, err);
    return rc < 0 ? rc : read_time(c, run, ret, err);
}

static bool fractional(const struct criterion_settings *s)
{
    return s->warm_up_s > floor(s->warm_up_s) || s->measurement_s > floor(s->measurement_s);
}

static int sample(void *ctx, enum ab_side side, uint64_t noise, struct ab_values *ret, struct err *err)
{
    struct sampler *c = ctx;
    const struct criterion_run *run = c->run[side];
    size_t padding = 1 + noise % 4096;
    double time = 0;
    int rc = run_and_read(c, run, padding, &time, err);
    if (rc == -ERR_TOOL && !c->whole_seconds && fractional(c->settings)) {
        c->whole_seconds = true;
        rc = run_and_read(c, run, padding, &time, err);
    }
    if (rc >= 0 && time <= 0 && !c->plain) {
        c->plain = true;
        rc = run_and_read(c, run, padding, &time, err);
    }
    if (rc < 0)
        return rc;
    if (time <= 0)
        return err_set(err, ERR_NOT_FOUND, "\"%s\" has no bench \"%s\"", run->binary, c->settings->id);
    ret->value[AB_WALL] = time;
    return 0;
}

int criterion_compare(const struct criterion_run *a, const struct criterion_run *b, const struct criterion_run *copy,
                      const struct criterion_settings *settings, const struct ab_options *options,
                      struct ab_result **ret, struct err *err)
{
    struct ab_options o = *options;
    o.primary = AB_WALL;
    o.calibrate = copy != NULL;
    o.warm_ups = 1;
    struct sampler c = {.run = {a, b, copy}, .settings = settings, .options = &o};
    return ab_compare(sample, &c, &o, ret, err);
}
