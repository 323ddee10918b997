// What a service measures, by the table tbl/metrics.def: numbers with labels, no format. A door shows them
// (door/metrics.h).
//
// One thread. Label values come from tables of this project (states, roles, codes), so the number of series is bounded;
// behind METRIC_SERIES_MAX of one metric, further ones are dropped.
#pragma once

#include "store/states.h"
#include "json/json.h"

#include <stddef.h>
#include <stdint.h>

#define METRIC_BUCKETS_MAX 16
#define METRIC_LABELS_MAX  2
#define METRIC_SERIES_MAX  64

enum metric {
#define X(code, name, type, labels, unit, bounds, help) METRIC_##code,
#include "tbl/metrics.def"
    METRIC_COUNT_
};

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metric_facts {
    const char *name, *unit, *help;
    enum metric_type type;
    size_t label_count, bound_count;
    char labels[METRIC_LABELS_MAX][24];
    double bounds[METRIC_BUCKETS_MAX]; // upper ones; behind the last comes +Inf
};

struct metric_series {
    char *labels[METRIC_LABELS_MAX];
    double value;                             // sum of a histogram
    uint64_t count;                           // of a histogram
    uint64_t buckets[METRIC_BUCKETS_MAX + 1]; // not cumulated
};

struct metrics;

struct metrics *metrics_new(void);
struct metrics *metrics_free(struct metrics *m); // NULL allowed; returns NULL

// Labels in the order of the table; NULL for those a metric does not have. A NULL m is allowed: nobody measures.
void metrics_add(struct metrics *m, enum metric metric, const char *label, const char *second, double by);
void metrics_set(struct metrics *m, enum metric metric, const char *label, const char *second, double value);
void metrics_observe(struct metrics *m, enum metric metric, const char *label, const char *second, double value);
void metrics_clear(struct metrics *m, enum metric metric); // before a gauge with labels is set anew
// What an event of a run says.
void metrics_event(struct metrics *m, enum event_kind kind, const json_t *body);

void metrics_facts(enum metric metric, struct metric_facts *ret);
size_t metrics_series_count(const struct metrics *m, enum metric metric);
const struct metric_series *metrics_series(const struct metrics *m, enum metric metric, size_t i);
