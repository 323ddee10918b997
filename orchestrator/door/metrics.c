#include "door/metrics.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

#include <inttypes.h>

static const char *const TYPES[] = {
    [METRIC_COUNTER] = "counter", [METRIC_GAUGE] = "gauge", [METRIC_HISTOGRAM] = "histogram"};

// Backslash, line end and (in labels) quotes are escaped.
static void add_escaped(struct buf *b, const char *text, bool quotes)
{
    for (; *text; text++) {
        if (*text == '\n')
            buf_str_add(b, "\\n");
        else if (*text == '\\' || (quotes && *text == '"'))
            buf_printf(b, "\\%c", *text);
        else
            buf_char(b, *text);
    }
}

static void add_number(struct buf *b, double value)
{
    if (value == (double)(int64_t)value && value < 1e15 && value > -1e15)
        buf_printf(b, "%" PRId64, (int64_t)value);
    else
        buf_printf(b, "%.17g", value);
}

// {role="review",le="0.5"}; le NULL: none.
static void add_labels(struct buf *b, const struct metric_facts *facts, const struct metric_series *s, const char *le)
{
    if (facts->label_count == 0 && !le)
        return;
    for (size_t i = 0; i < facts->label_count; i++) {
        buf_printf(b, "%s%s=\"", i ? "," : "{", facts->labels[i]);
        add_escaped(b, s->labels[i], true);
        buf_char(b, '"');
    }
    if (le)
        buf_printf(b, "%sle=\"%s\"", facts->label_count ? "," : "{", le);
    buf_char(b, '}');
}

static void bound_text(const struct metric_facts *facts, size_t i, char out[32])
{
    if (i < facts->bound_count)
        snprintf(out, 32, "%g", facts->bounds[i]);
    else
        snprintf(out, 32, "+Inf");
}

static void add_histogram(struct buf *b, const struct metric_facts *facts, const struct metric_series *s)
{
    uint64_t below = 0;
    for (size_t i = 0; i <= facts->bound_count; i++) {
        char le[32];
        below += s->buckets[i];
        bound_text(facts, i, le);
        buf_printf(b, "%s_bucket", facts->name);
        add_labels(b, facts, s, le);
        buf_printf(b, " %" PRIu64 "\n", below);
    }
    buf_printf(b, "%s_sum", facts->name);
    add_labels(b, facts, s, NULL);
    buf_char(b, ' ');
    add_number(b, s->value);
    buf_printf(b, "\n%s_count", facts->name);
    add_labels(b, facts, s, NULL);
    buf_printf(b, " %" PRIu64 "\n", s->count);
}

char *metrics_text(const struct metrics *m)
{
    struct buf b = BUF_INIT;
    for (int k = 0; k < METRIC_COUNT_; k++) {
        struct metric_facts facts;
        metrics_facts((enum metric)k, &facts);
        buf_printf(&b, "# HELP %s ", facts.name);
        add_escaped(&b, facts.help, false);
        buf_printf(&b, "\n# TYPE %s %s\n", facts.name, TYPES[facts.type]);
        for (size_t i = 0; i < metrics_series_count(m, (enum metric)k); i++) {
            const struct metric_series *s = metrics_series(m, (enum metric)k, i);
            if (facts.type == METRIC_HISTOGRAM) {
                add_histogram(&b, &facts, s);
                continue;
            }
            buf_str_add(&b, facts.name);
            add_labels(&b, &facts, s, NULL);
            buf_char(&b, ' ');
            add_number(&b, s->value);
            buf_char(&b, '\n');
        }
    }
    return buf_steal(&b);
}

static json_t *series_new(const struct metric_facts *facts, const struct metric_series *s)
{
    json_t *series = json_object(), *labels = json_object();
    for (size_t i = 0; i < facts->label_count; i++)
        json_put_str(labels, facts->labels[i], s->labels[i]);
    json_put(series, "labels", labels);
    if (facts->type != METRIC_HISTOGRAM) {
        json_put_num(series, "value", s->value);
        return series;
    }
    json_t *buckets = json_array();
    uint64_t below = 0;
    for (size_t i = 0; i <= facts->bound_count; i++) {
        char le[32];
        json_t *bucket = json_object();
        below += s->buckets[i];
        bound_text(facts, i, le);
        json_put_str(bucket, "le", le);
        json_put_int(bucket, "count", (int64_t)below);
        json_array_append_new(buckets, bucket);
    }
    json_put_int(series, "count", (int64_t)s->count);
    json_put_num(series, "sum", s->value);
    json_put(series, "buckets", buckets);
    return series;
}

json_t *metrics_json_new(const struct metrics *m)
{
    json_t *list = json_array();
    for (int k = 0; k < METRIC_COUNT_; k++) {
        struct metric_facts facts;
        metrics_facts((enum metric)k, &facts);
        json_t *row = json_object(), *all = json_array();
        json_put_str(row, "name", facts.name);
        json_put_str(row, "type", TYPES[facts.type]);
        json_put_str(row, "unit", facts.unit);
        json_put_str(row, "help", facts.help);
        for (size_t i = 0; i < metrics_series_count(m, (enum metric)k); i++)
            json_array_append_new(all, series_new(&facts, metrics_series(m, (enum metric)k, i)));
        json_put(row, "series", all);
        json_array_append_new(list, row);
    }
    return list;
}
