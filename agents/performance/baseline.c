#include "performance/baseline.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "measure/criterion.h"
#include "measure/stats.h"
#include "performance/compare.h"
#include "performance/measured.h"
#include "performance/subject.h"

#include <string.h>

#define SAMPLES      20
#define SAMPLES_MIN  3
#define WALL_NS      (10 * NS_PER_SEC) // per subject, once SAMPLES_MIN are taken

struct samples {
    double value[SAMPLES];
    size_t count;
    int64_t max_rss_kb;
};

static json_t *row_new(const json_t *subject, const char *metric, const struct samples *s)
{
    json_t *row = json_object(), *raw = json_array();
    json_put_str(row, "subject", json_str(subject, "name", "?"));
    json_put_str(row, "metric", metric);
    json_put_str(row, "unit", "ns");
    double low = s->count ? s->value[0] : 0;
    for (size_t i = 0; i < s->count; i++) {
        low = s->value[i] < low ? s->value[i] : low;
        json_array_append_new(raw, json_real(s->value[i]));
    }
    double median = stats_median(s->value, s->count);
    json_put_num(row, "median_ns", median);
    json_put_num(row, "mad_ns", stats_mad(s->value, s->count, median));
    json_put_num(row, "min_ns", low);
    json_put(row, "samples", raw);
    if (s->max_rss_kb)
        json_put_int(row, "max_rss_kb", s->max_rss_kb);
    return row;
}

static int sample_session(struct job *job, const json_t *subject, char *const *argv, const char *cwd, const char *input,
                          char *const *env, const char *scratch, struct samples *s, struct err *err)
{
    AUTO_FREE struct session_samples *taken = mem_alloc(sizeof(*taken));
    const char **reach = subject_reach(subject);
    const struct session session = {.kind = measured_kind(subject),
                                    .id = json_str(subject, "id", NULL),
                                    .command = {(const char *const *)argv},
                                    .cwd = cwd,
                                    .stdin_path = input,
                                    .env = (const char *const *)env,
                                    .samples = SAMPLES,
                                    .samples_min = SAMPLES_MIN,
                                    .max_wall_ns = WALL_NS};
    int r = measured_samples(&(struct measured){.job = job, .session = &session, .scratch = scratch, .reach = reach},
                             taken, err);
    for (size_t i = 0; r == 0 && i < taken->count && i < SAMPLES; i++)
        s->value[s->count++] = taken->value[i];
    if (r == 0)
        s->max_rss_kb = taken->max_rss_kb;
    mem_free((void *)(uintptr_t)reach);
    return r < 0 ? err_wrap(err, "subject '%s'", json_str(subject, "name", "?")) : 0;
}

static int sample_criterion(struct job *job, const json_t *subject, char *const *argv, const char *cwd, const char *scratch,
                            struct samples *s, struct err *err)
{
    AUTO_FREE char *home = path_join(scratch, "criterion-baseline");
    AUTO_FREE char *entry = str_printf("CRITERION_HOME=%s", home);
    file_remove_tree(home, NULL);
    file_make_dirs(home, NULL);
    struct criterion_settings settings = {.id = json_str(subject, "id", "")};
    char **args = criterion_args(&settings, true);
    const char *call_argv[64] = {argv[0]};
    size_t n = 1;
    for (char **a = args; *a && n + 1 < ARRAY_LEN(call_argv); a++)
        call_argv[n++] = *a;
    const char *const env[] = {entry, NULL};
    struct exec_result result = {0};
    int r = exec_check(job_exec(job), &(struct exec_call){.argv = call_argv, .cwd = cwd, .env = env}, &result, err);
    exec_result_free(&result);
    str_list_free(args);
    struct criterion_list list = {0};
    if (r == 0)
        r = criterion_list_read(home, NULL, &list, err);
    const struct criterion_bench *bench = r == 0 ? criterion_list_find(&list, json_str(subject, "id", "")) : NULL;
    for (size_t i = 0; bench && i < bench->samples && s->count < SAMPLES; i++)
        if (bench->iters[i] > 0)
            s->value[s->count++] = bench->times[i] / bench->iters[i];
    criterion_list_free(&list);
    return r < 0 || s->count ? r : err_set(err, ERR_NOT_FOUND, "bench '%s' left no samples", json_str(subject, "id", ""));
}

static int take_one(struct job *job, const char *root, const char *scratch, const json_t *subject, const json_t *programs,
                    json_t *rows, struct err *err)
{
    char **argv = NULL;
    const char *input_name = json_str(subject, "stdin", NULL);
    AUTO_FREE char *cwd = path_join(root, json_str(subject, "cwd", ""));
    AUTO_FREE char *input = input_name ? path_join(root, input_name) : NULL;
    bool criterion = str_eq(json_str(subject, "kind", ""), "criterion");
    bool printed = str_eq(json_str(subject, "kind", ""), "printed");
    struct samples s = {0};
    struct err why;
    int r = subject_argv(subject, programs, &argv, &why);
    char **env = compare_environment(scratch, cwd);
    if (r == 0 && criterion)
        r = sample_criterion(job, subject, argv, cwd, scratch, &s, &why);
    else if (r == 0)
        r = sample_session(job, subject, argv, cwd, input, env, scratch, &s, &why);
    str_list_free(argv);
    str_list_free(env);
    if (r == -ERR_CANCELLED)
        return err_set(err, why.code, "%s", why.text);
    json_t *row = r == 0 ? row_new(subject, criterion || printed ? "wall per iteration" : "cpu", &s) : json_object();
    if (r < 0) {
        json_put_str(row, "subject", json_str(subject, "name", "?"));
        json_put_str(row, "error", why.text);
    }
    json_array_append_new(rows, row);
    return 0;
}

int baseline_take(struct job *job, const char *root, const char *scratch, const json_t *subjects, const json_t *programs,
                  json_t **ret, struct err *err)
{
    json_t *rows = json_array();
    size_t i;
    json_t *subject;
    int r = file_make_dirs(scratch, err);
    json_array_foreach (subjects, i, subject) {
        if (r < 0)
            break;
        job_progress(job, -1, "baseline of '%s'", json_str(subject, "name", "?"));
        r = take_one(job, root, scratch, subject, programs, rows, err);
    }
    if (r < 0) {
        json_decref(rows);
        return r;
    }
    *ret = rows;
    return 0;
}
