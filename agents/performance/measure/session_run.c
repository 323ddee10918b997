// Running a session: the same samplers as without a box, in a process that has nothing else to do.
#include "measure/session.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "measure/criterion.h"
#include "measure/printed.h"

#include <string.h>

struct running {
    const struct session *s;
    struct ab_options options;
};

static const char *cwd_of(const struct session *s, int side)
{
    return s->cwd_of[side] ? s->cwd_of[side] : s->cwd;
}

static int compare_commands(const struct running *r, struct ab_result **ret, struct err *err)
{
    const struct session *s = r->s;
    struct ab_subject side[3];
    for (int i = 0; i < 3; i++)
        side[i] = (struct ab_subject){.name = i == AB_CANDIDATE ? "after" : "before",
                                      .argv = s->command[i],
                                      .cwd = cwd_of(s, i),
                                      .env = s->env,
                                      .stdin_path = s->stdin_path};
    const struct ab_command_options o = {.common = r->options, .ignore_output = s->ignore_output};
    return ab_compare_commands(&side[0], &side[1], s->command[2] ? &side[2] : NULL, &o, ret, err);
}

static int compare_criterion(const struct running *r, struct ab_result **ret, struct err *err)
{
    const struct session *s = r->s;
    struct criterion_run run[3] = {0};
    for (int i = 0; i < 3 && s->command[i]; i++) {
        if (!s->home[i] || s->home[i][0] != '/')
            return err_set(err, ERR_INVALID, "side %d of a session of criterion benches has no 'home'", i);
        run[i] =
            (struct criterion_run){.binary = s->command[i][0], .cwd = cwd_of(s, i), .env = s->env, .home = s->home[i]};
    }
    const struct criterion_settings settings = {
        .id = s->id, .warm_up_s = s->warm_up_s, .measurement_s = s->measurement_s};
    return criterion_compare(&run[0], &run[1], s->command[2] ? &run[2] : NULL, &settings, &r->options, ret, err);
}

static int compare_printed(const struct running *r, struct ab_result **ret, struct err *err)
{
    const struct session *s = r->s;
    struct printed_run run[3] = {0};
    for (int i = 0; i < 3 && s->command[i]; i++)
        run[i] = (struct printed_run){.binary = s->command[i][0], .cwd = cwd_of(s, i), .env = s->env};
    const struct printed_settings settings = {.id = s->id};
    return printed_compare(&run[0], &run[1], s->command[2] ? &run[2] : NULL, &settings, &r->options, ret, err);
}

static int sample_command(const struct running *r, struct session_samples *ret, struct err *err)
{
    const struct session *s = r->s;
    const struct runner_call call = {
        .argv = s->command[0], .cwd = s->cwd, .env = s->env, .stdin_path = s->stdin_path, .alone = true};
    struct runner_result result;
    int rc = runner_run(&call, &result, err);
    if (rc < 0)
        return rc;
    if (result.exit_code != 0) {
        AUTO_FREE char *how = runner_describe(&result);
        return err_set(err, ERR_TOOL, "\"%s\" ended with %s; expected exit 0", s->command[0][0], how);
    }
    ret->value[ret->count++] = (double)result.cpu_ns;
    ret->max_rss_kb = result.max_rss_kb > ret->max_rss_kb ? result.max_rss_kb : ret->max_rss_kb;
    return 0;
}

static int sample_printed(const struct running *r, struct session_samples *ret, struct err *err)
{
    const struct session *s = r->s;
    const struct printed_run run = {.binary = s->command[0][0], .cwd = s->cwd, .env = s->env};
    const struct printed_settings settings = {.id = s->id};
    int rc = printed_sample(&run, &settings, &r->options, 0, &ret->value[ret->count], err);
    ret->count += rc >= 0;
    return rc;
}

static int take_samples(const struct running *r, struct session_samples *ret, struct err *err)
{
    const struct session *s = r->s;
    int64_t start = clock_mono_ns();
    if (s->kind == SESSION_CRITERION)
        return err_set(err, ERR_UNSUPPORTED, "criterion takes its own samples");
    int rc = 0;
    while (rc >= 0 && ret->count < s->samples &&
           (ret->count < s->samples_min || s->max_wall_ns <= 0 || clock_mono_ns() - start < s->max_wall_ns))
        rc = s->kind == SESSION_PRINTED ? sample_printed(r, ret, err) : sample_command(r, ret, err);
    return rc;
}

static json_t *samples_json_new(const struct session_samples *s)
{
    json_t *o = json_object(), *list = json_array();
    for (size_t i = 0; i < s->count; i++)
        json_array_append_new(list, json_real(s->value[i]));
    json_put(o, "samples", list);
    json_put_int(o, "max_rss_kb", s->max_rss_kb);
    return o;
}

static json_t *error_json_new(const struct err *err)
{
    json_t *o = json_object();
    json_put(o, "error", json_text_new(err->text, strlen(err->text)));
    json_put_int(o, "code", err->code);
    return o;
}

static json_t *run_samples_new(const struct running *r)
{
    AUTO_FREE struct session_samples *samples = mem_alloc(sizeof(*samples));
    struct err err = {0};
    *samples = (struct session_samples){0};
    int rc = take_samples(r, samples, &err);
    return rc < 0 ? error_json_new(&err) : samples_json_new(samples);
}

json_t *session_run_new(const struct session *s, void (*on_progress)(void *user, const struct ab_progress *p),
                        void *user)
{
    const struct running r = {.s = s,
                              .options = {.primary = s->metric,
                                          .max_wall_ns = s->max_wall_ns,
                                          .theta = s->theta,
                                          .seed = s->seed,
                                          .calibrate = s->command[2] != NULL,
                                          .alone = true,
                                          .on_progress = on_progress,
                                          .user = user}};
    if (!s->command[1])
        return run_samples_new(&r);
    struct ab_result *result = NULL;
    struct err err = {0};
    int rc = 0;
    switch (s->kind) {
    case SESSION_COMMAND:
        rc = compare_commands(&r, &result, &err);
        break;
    case SESSION_CRITERION:
        rc = compare_criterion(&r, &result, &err);
        break;
    case SESSION_PRINTED:
        rc = compare_printed(&r, &result, &err);
        break;
    }
    if (rc < 0)
        return error_json_new(&err);
    json_t *o = json_object();
    json_put(o, "comparison", ab_result_json_new(result, true));
    ab_result_free(result);
    return o;
}
