#include "engine/metrics.h"

#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "roles/roles.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct metrics {
    struct metric_facts facts[METRIC_COUNT_];
    VEC(struct metric_series) series[METRIC_COUNT_];
};

static const struct {
    const char *name, *labels, *unit, *bounds, *help;
    enum metric_type type;
} ROWS[] = {
#define X(code, name, type, labels, unit, bounds, help) {name, labels, unit, bounds, help, METRIC_##type},
#include "tbl/metrics.def"
};

void metrics_facts(enum metric metric, struct metric_facts *ret)
{
    *ret = (struct metric_facts){
        .name = ROWS[metric].name, .unit = ROWS[metric].unit, .help = ROWS[metric].help, .type = ROWS[metric].type};
    char **labels = str_split(ROWS[metric].labels, ",", true, &ret->label_count);
    must(ret->label_count <= METRIC_LABELS_MAX);
    for (size_t i = 0; i < ret->label_count; i++)
        snprintf(ret->labels[i], sizeof(ret->labels[i]), "%s", labels[i]);
    str_list_free(labels);
    char **bounds = str_split(ROWS[metric].bounds, " ", true, &ret->bound_count);
    must(ret->bound_count <= METRIC_BUCKETS_MAX);
    for (size_t i = 0; i < ret->bound_count; i++)
        must(str_to_double(bounds[i], &ret->bounds[i]));
    str_list_free(bounds);
}

// A metric without labels is there from the beginning: a rate needs its zero.
struct metrics *metrics_new(void)
{
    struct metrics *m = mem_alloc(sizeof(*m));
    for (int i = 0; i < METRIC_COUNT_; i++) {
        metrics_facts((enum metric)i, &m->facts[i]);
        if (m->facts[i].label_count == 0)
            vec_push(&m->series[i], (struct metric_series){0});
    }
    return m;
}

void metrics_clear(struct metrics *m, enum metric metric)
{
    for (size_t i = 0; i < m->series[metric].len; i++)
        for (size_t k = 0; k < METRIC_LABELS_MAX; k++)
            mem_free(m->series[metric].items[i].labels[k]);
    m->series[metric].len = 0;
}

struct metrics *metrics_free(struct metrics *m)
{
    if (!m)
        return NULL;
    for (int i = 0; i < METRIC_COUNT_; i++) {
        metrics_clear(m, (enum metric)i);
        vec_free(&m->series[i]);
    }
    mem_free(m);
    return NULL;
}

static struct metric_series *series_of(struct metrics *m, enum metric metric, const char *label, const char *second)
{
    const char *labels[METRIC_LABELS_MAX] = {label, second};
    size_t n = m->facts[metric].label_count;
    for (size_t i = 0; i < m->series[metric].len; i++) {
        struct metric_series *s = &m->series[metric].items[i];
        size_t same = 0;
        while (same < n && str_eq(s->labels[same], labels[same]))
            same++;
        if (same == n)
            return s;
    }
    if (m->series[metric].len >= METRIC_SERIES_MAX)
        return NULL;
    struct metric_series fresh = {0};
    for (size_t i = 0; i < n; i++)
        fresh.labels[i] = str_dup(labels[i] ? labels[i] : "");
    vec_push(&m->series[metric], fresh);
    return &m->series[metric].items[m->series[metric].len - 1];
}

void metrics_add(struct metrics *m, enum metric metric, const char *label, const char *second, double by)
{
    struct metric_series *s = m ? series_of(m, metric, label, second) : NULL;
    if (s)
        s->value += by;
}

void metrics_set(struct metrics *m, enum metric metric, const char *label, const char *second, double value)
{
    struct metric_series *s = m ? series_of(m, metric, label, second) : NULL;
    if (s)
        s->value = value;
}

void metrics_observe(struct metrics *m, enum metric metric, const char *label, const char *second, double value)
{
    struct metric_series *s = m ? series_of(m, metric, label, second) : NULL;
    if (!s)
        return;
    const struct metric_facts *facts = &m->facts[metric];
    size_t bucket = 0;
    while (bucket < facts->bound_count && value > facts->bounds[bucket])
        bucket++;
    s->buckets[bucket]++;
    s->count++;
    s->value += value;
}

static const char *role_in(const json_t *body)
{
    const char *role = role_of_agent(json_str(body, "agent", ""));
    return role ? role : "other";
}

void metrics_event(struct metrics *m, enum event_kind kind, const json_t *body)
{
    if (!m)
        return;
    if (kind == EVENT_STAGE_FINISHED) {
        metrics_add(m, METRIC_STAGES_FINISHED, role_in(body), json_str(body, "state", ""), 1);
        metrics_observe(m, METRIC_STAGE_SECONDS, role_in(body), NULL, (double)json_int(body, "elapsed_ms", 0) / 1000);
    } else if (kind == EVENT_STAGE_REUSED) {
        metrics_add(m, METRIC_STAGES_REUSED, json_str(body, "from", NULL) ? "other_run" : "journal", NULL, 1);
    } else if (kind == EVENT_STAGE_RETRIED) {
        metrics_add(m, METRIC_STAGES_RETRIED, NULL, NULL, 1);
    } else if (kind == EVENT_STAGE_LOST) {
        metrics_add(m, METRIC_LEASES_LOST, NULL, NULL, 1);
    } else if (kind == EVENT_STAGE_REFUSED) {
        metrics_add(m, METRIC_ANSWERS_REFUSED, NULL, NULL, 1);
    } else if (kind == EVENT_RUN_FINISHED) {
        metrics_add(m, METRIC_RUNS_FINISHED, json_str(body, "state", ""), NULL, 1);
    } else if (kind == EVENT_RUN_QUEUED) {
        metrics_add(m, METRIC_RUNS_QUEUED, NULL, NULL, 1);
    } else if (kind == EVENT_RUN_STARTED) {
        metrics_add(m, METRIC_RUNS_STARTED, NULL, NULL, 1);
    } else if (kind == EVENT_SCHEDULE_FIRED) {
        metrics_add(m, METRIC_SCHEDULE_TIMES, "fired", NULL, 1);
    } else if (kind == EVENT_SCHEDULE_SKIPPED) {
        metrics_add(m, METRIC_SCHEDULE_TIMES, "skipped", NULL, (double)json_int(body, "times", 1));
    } else if (kind == EVENT_SCHEDULE_FAILED) {
        metrics_add(m, METRIC_SCHEDULE_TIMES, "failed", NULL, 1);
    } else if (kind == EVENT_RUN_RESUMED) {
        metrics_add(m, METRIC_RUNS_RESUMED, NULL, NULL, 1);
    }
}

size_t metrics_series_count(const struct metrics *m, enum metric metric)
{
    return m->series[metric].len;
}

const struct metric_series *metrics_series(const struct metrics *m, enum metric metric, size_t i)
{
    return &m->series[metric].items[i];
}
