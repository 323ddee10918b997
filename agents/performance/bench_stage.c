#include "performance/bench.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "measure/host.h"
#include "performance/measured.h"
#include "performance/stages.h"

#include <unistd.h>

#define BUDGET_DEFAULT_MIN 5

static void bench_clear(struct bench *b)
{
    for (size_t i = 0; i < b->rows.len; i++) {
        mem_free(b->rows.items[i].subject);
        mem_free(b->rows.items[i].what);
        ab_result_free(b->rows.items[i].ab);
        json_decref(b->rows.items[i].witness);
    }
    vec_free(&b->rows);
    for (int i = 0; i < 2; i++) {
        mem_free(b->name[i]);
        mem_free(b->commit[i]);
    }
    json_decref(b->limits);
    json_decref(b->subjects);
}

static json_t *sides_new(const struct bench *b)
{
    json_t *sides = json_array();
    for (int i = 0; i < 2; i++) {
        json_t *side = json_object();
        json_put_str(side, "name", b->name[i]);
        json_put_str(side, "commit", b->commit[i]);
        json_put_str(side, "profile", b->profile[i]);
        json_array_append_new(sides, side);
    }
    return sides;
}

// Warnings about the machine are part of the answer: they say how far it can be trusted.
static void look_at_host(json_t *output)
{
    json_t *host = host_check_new("");
    char fingerprint[65];
    host_fingerprint(host, fingerprint);
    json_put_str(host, "fingerprint", fingerprint);
    json_put(output, "host", host);
}

static int measure(struct bench *b, char **ret_why, struct err *err)
{
    const json_t *commands = job_input(b->job, "commands"), *revisions = job_input(b->job, "revisions");
    if (json_array_size(commands) == 2 && b->metric >= AB_BUILD)
        return err_set(err, ERR_INVALID, "commands have no %s: compare revisions", ab_metric_words(b->metric));
    if (json_array_size(commands) == 2)
        return bench_commands(b, commands, err);
    if (json_array_size(revisions) == 2)
        return bench_revisions(b, revisions, json_string_value(job_input(b->job, "bench")), ret_why, err);
    return err_set(err, ERR_INVALID, "give two 'commands' (lists of words) or two 'revisions' to compare");
}

static int fill(struct bench *b, json_t *draft, struct err *err)
{
    AUTO_FREE char *why_not = NULL;
    json_t *output = json_obj(draft, "output");
    look_at_host(output);
    int lock = measured_lock(b->job, b->cache);
    int r = measure(b, &why_not, err);
    if (lock >= 0)
        close(lock);
    if (r < 0)
        return r;
    if (b->rows.len == 0 && !why_not)
        why_not =
            str_printf("no subject could be run: %s",
                       json_array_size(b->limits) ? json_string_value(json_array_get(b->limits, 0)) : "none was found");
    json_put_str(output, "kind", b->commit[0] ? "revisions" : "commands");
    json_put(output, "sides", sides_new(b));
    json_put(output, "limits", json_incref(b->limits));
    json_put(output, "subjects", b->subjects ? json_incref(b->subjects) : json_array());
    json_put_flag(output, "measurable", why_not == NULL);
    json_put_str(output, "why_not", why_not);
    if (why_not) {
        draft_summary(draft, "nothing measurable: %s", why_not);
        return 0;
    }
    return bench_tell(b, draft, err);
}

int64_t stage_budget_ns(const struct job *job, int default_minutes)
{
    const json_t *minutes = job_input(job, "budget_minutes");
    double n = json_is_number(minutes) ? json_number_value(minutes) : default_minutes;
    return (int64_t)(n * 60 * (double)NS_PER_SEC);
}

int stage_bench(struct job *job, json_t *draft, struct err *err)
{
    const json_t *theta = job_input(job, "theta_pct");
    const char *metric = json_string_value(job_input(job, "metric"));
    const json_t *profiles = job_input(job, "profiles");
    struct bench b = {.job = job,
                      .base = job_dir(job, "base"),
                      .work = job_dir(job, "work"),
                      .cache = job_dir(job, "cache"),
                      .spool = job_dir(job, "spool"),
                      .theta = json_is_number(theta) ? json_number_value(theta) / 100 : 0};
    for (size_t i = 0; i < 2; i++)
        b.profile[i] = json_string_value(json_array_get(profiles, i));
    if (metric && !ab_metric_find(metric, &b.metric))
        return err_set(err, ERR_INVALID, "'%s' is nothing to decide by; known are the measures of baton bench --help",
                       metric);
    if (!b.base || !b.work || !b.cache || !b.spool)
        return err_set(err, ERR_INVALID, "the assignment lacks one of dirs.base, work, cache or spool");
    b.ask_always = !str_eq(json_string_value(job_input(job, "witness")), "verdicts");
    b.metric_given = metric != NULL;
    b.wall_ns = stage_budget_ns(job, BUDGET_DEFAULT_MIN);
    b.limits = json_array();
    int r = fill(&b, draft, err);
    bench_clear(&b);
    return r;
}
