#include "report/history.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "handoff/handoff.h"
#include "report/text.h"

#include <math.h>
#include <string.h>

#define OUTPUT_MAX   ((size_t)16 << 20)
#define BARS_MAX     60
#define ROWS_MAX     8 // of a series in a terminal
#define CHART_WIDTH  640
#define CHART_HEIGHT 120
#define CHART_LEFT   90

// --- from the journal ---

static int get_artifact(void *context, const char *hash, char **ret, size_t *ret_len, struct err *err)
{
    return store_artifact_get(context, hash, OUTPUT_MAX, ret, ret_len, err);
}

static json_t *find_series(json_t *all, json_t *index, const json_t *comparison, const json_t *side, const json_t *host)
{
    const char *subject = json_str(comparison, "subject", "?"), *what = json_str(comparison, "what", subject);
    const char *metric = json_str(comparison, "metric", "?"), *profile = json_str(side, "profile", NULL);
    AUTO_FREE char *key = str_printf("%s\n%s\n%s\n%s\n%s", json_str(host, "fingerprint", "?"), subject, what, metric,
                                     profile ? profile : "");
    json_t *series = json_object_get(index, key);
    if (series)
        return series;
    series = json_object();
    json_put_str(series, "subject", subject);
    json_put_str(series, "what", what);
    json_put_str(series, "metric", metric);
    json_put_str(series, "unit", json_str(comparison, "unit", NULL));
    json_put_str(series, "profile", profile);
    json_put_str(series, "host", json_str(host, "fingerprint", NULL));
    json_put_str(series, "cpu", json_str(host, "cpu", NULL));
    json_put(series, "points", json_array());
    json_array_append(all, series);
    json_put(index, key, json_incref(series));
    json_decref(series);
    return series;
}

// Runs come newest first, so points go to the front.
static void add_point(json_t *series, const json_t *run, const json_t *comparison, const json_t *side, bool b)
{
    json_t *point = json_object(), *points = json_list(series, "points");
    const json_t *values = json_obj(comparison, b ? "b" : "a");
    if (json_array_size(points) >= HISTORY_POINTS_MAX || !json_str(side, "commit", NULL)) {
        json_decref(point);
        return;
    }
    json_put_int(point, "at_ns", json_int(run, "created_ns", 0));
    json_put_str(point, "commit", json_str(side, "commit", NULL));
    json_put_str(point, "name", json_str(side, "name", NULL));
    json_put_num(point, "value", json_num(values, "median", json_num(values, "median_ns", 0)));
    if (b) {
        json_put_num(point, "change_pct", json_num(comparison, "change_pct", 0));
        json_put_str(point, "verdict", json_str(comparison, "verdict", NULL));
    }
    json_put_str(point, "run", json_str(run, "id", NULL));
    json_array_insert_new(points, 0, point);
}

static void take_output(const json_t *output, const json_t *run, json_t *all, json_t *index)
{
    const json_t *sides = json_list(output, "sides"), *host = json_obj(output, "host");
    size_t i;
    json_t *comparison;
    if (!str_eq(json_str(output, "kind", ""), "revisions") || json_array_size(sides) != 2)
        return;
    json_array_foreach (json_list(output, "overall"), i, comparison)
        for (int side = 1; side >= 0; side--) {
            const json_t *which = json_array_get(sides, (size_t)side);
            add_point(find_series(all, index, comparison, which, host), run, comparison, which, side == 1);
        }
}

static int take_run(struct store *store, const json_t *run, json_t *all, json_t *index, struct err *err)
{
    const char *id = json_str(run, "id", "");
    AUTO_JSON json_t *stages = store_stage_list_new(store, id, false, err);
    if (!stages)
        return -(int)err->code;
    const struct handoff_load load = {.get = get_artifact, .context = store};
    for (size_t i = json_array_size(stages); i-- > 0;) {
        const json_t *stage = json_array_get(stages, i);
        json_t *output = NULL;
        if (!str_eq(json_str(stage, "mode", ""), "bench") || !str_eq(json_str(stage, "state", ""), "completed"))
            continue;
        AUTO_JSON json_t *answer = store_stage_answer_new(store, id, (int)json_int(stage, "seq", 0), NULL);
        if (handoff_resolve_new(json_obj(json_obj(answer, "handoff"), "output"), &load, &output, NULL) == 0)
            take_output(output, run, all, index);
        json_decref(output);
    }
    return 0;
}

json_t *history_new(struct store *store, const char *project, struct err *err)
{
    const struct store_run_filter filter = {.project = project, .limit = HISTORY_RUNS_MAX};
    AUTO_JSON json_t *runs = store_run_list_new(store, &filter, err);
    AUTO_JSON json_t *all = json_array();
    AUTO_JSON json_t *index = json_object();
    size_t i;
    json_t *run;
    int r = runs ? 0 : -1;
    json_array_foreach (runs, i, run)
        if (r == 0)
            r = take_run(store, run, all, index, err);
    return r == 0 ? json_incref(all) : NULL;
}

// --- shown ---

struct range {
    double low, high;
};

static double value_of(const json_t *points, size_t i)
{
    return json_num(json_array_get(points, i), "value", 0);
}

static struct range range_of(const json_t *points)
{
    struct range r = {HUGE_VAL, -HUGE_VAL};
    for (size_t i = 0; i < json_array_size(points); i++) {
        r.low = fmin(r.low, value_of(points, i));
        r.high = fmax(r.high, value_of(points, i));
    }
    return r;
}

static void add_bars(struct buf *out, const json_t *points)
{
    static const char *const BARS[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    size_t n = json_array_size(points);
    struct range r = range_of(points);
    for (size_t i = n > BARS_MAX ? n - BARS_MAX : 0; i < n; i++) {
        double part = r.high > r.low ? (value_of(points, i) - r.low) / (r.high - r.low) : 0;
        buf_str_add(out, BARS[lround(part * (double)(ARRAY_LEN(BARS) - 1))]);
    }
}

static void add_row(struct buf *out, const json_t *point, const char *metric)
{
    char when[CLOCK_TEXT_MAX], value[TEXT_NUMBER], commit[TEXT_NUMBER], change[TEXT_NUMBER] = "";
    clock_iso(json_int(point, "at_ns", 0), when);
    text_value(json_object_get(point, "value"), metric, value);
    if (json_str(point, "verdict", NULL))
        text_percent(json_num(point, "change_pct", 0), change);
    buf_printf(out, "  %.16s  %s  %10s  %8s%s  %-13s  %s\n", when, text_commit(json_str(point, "commit", ""), commit),
               value, change, *change ? " %" : "  ", text_state(json_str(point, "verdict", NULL)),
               json_str(point, "run", ""));
}

static void add_title(struct buf *out, const json_t *series)
{
    const char *profile = json_str(series, "profile", NULL);
    buf_printf(out, "%s: %s%s%s, %s, on %s (%.8s)", json_str(series, "subject", "?"), json_str(series, "what", "?"),
               profile ? ", profile " : "", profile ? profile : "", text_metric(json_str(series, "metric", NULL)),
               json_str(series, "cpu", "an unknown processor"), json_str(series, "host", "?"));
}

void history_text(struct buf *out, const json_t *all)
{
    size_t i;
    json_t *series;
    json_array_foreach (all, i, series) {
        const json_t *points = json_list(series, "points");
        size_t n = json_array_size(points);
        buf_str_add(out, i ? "\n" : "");
        add_title(out, series);
        buf_str_add(out, "\n  ");
        add_bars(out, points);
        buf_str_add(out, "\n");
        for (size_t k = n > ROWS_MAX ? n - ROWS_MAX : 0; k < n; k++)
            add_row(out, json_array_get(points, k), json_str(series, "metric", NULL));
    }
}

static void add_escaped(struct buf *out, const char *s)
{
    for (; *s; s++) {
        if (*s == '<' || *s == '>' || *s == '&')
            buf_str_add(out, *s == '<' ? "&lt;" : *s == '>' ? "&gt;" : "&amp;");
        else if ((unsigned char)*s >= 0x20)
            buf_char(out, *s);
    }
}

// From 0, so that a height is an amount.
static void add_chart(struct buf *out, const json_t *series, int top)
{
    const json_t *points = json_list(series, "points");
    size_t n = json_array_size(points);
    struct range r = range_of(points);
    double most = r.high > 0 ? r.high : 1, step = n > 1 ? (double)(CHART_WIDTH - CHART_LEFT - 20) / (double)(n - 1) : 0;
    char highest[TEXT_NUMBER];
    AUTO_JSON json_t *top_value = json_real(most);
    AUTO_BUF struct buf title = BUF_INIT;
    text_value(top_value, json_str(series, "metric", NULL), highest);
    add_title(&title, series);
    buf_printf(out, "<text x='8' y='%d' font-weight='bold'>", top + 14);
    add_escaped(out, buf_str(&title));
    buf_printf(out,
               "</text><text x='%d' y='%d' text-anchor='end'>%s</text><text x='%d' y='%d' text-anchor='end'>0</text>",
               CHART_LEFT - 8, top + 34, highest, CHART_LEFT - 8, top + CHART_HEIGHT);
    buf_printf(out, "<path d='M%d %dV%dH%d' fill='none' stroke='#888'/><polyline fill='none' stroke='#4a7fb5' points='",
               CHART_LEFT, top + 24, top + CHART_HEIGHT, CHART_WIDTH - 10);
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "%.1f,%.1f ", CHART_LEFT + 5 + step * (double)i,
                   top + CHART_HEIGHT - value_of(points, i) / most * (CHART_HEIGHT - 30));
    buf_str_add(out, "'/>");
    for (size_t i = 0; i < n; i++) {
        const json_t *p = json_array_get(points, i);
        char commit[TEXT_NUMBER], value[TEXT_NUMBER];
        text_value(json_object_get(p, "value"), json_str(series, "metric", NULL), value);
        buf_printf(out, "<circle cx='%.1f' cy='%.1f' r='3' fill='%s'><title>", CHART_LEFT + 5 + step * (double)i,
                   top + CHART_HEIGHT - value_of(points, i) / most * (CHART_HEIGHT - 30),
                   str_eq(json_str(p, "verdict", ""), "slower") ? "#c0504d" : "#4a7fb5");
        add_escaped(out, text_commit(json_str(p, "commit", ""), commit));
        buf_printf(out, " %s</title></circle>", value);
    }
}

void history_svg(struct buf *out, const json_t *all)
{
    size_t i, n = json_array_size(all);
    json_t *series;
    int height = (int)n * (CHART_HEIGHT + 20) + 10;
    buf_printf(out, "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %d %d' width='%d' font-family='sans-serif' ",
               CHART_WIDTH, height, CHART_WIDTH);
    buf_str_add(out, "font-size='12' fill='#777'>");
    json_array_foreach (all, i, series)
        add_chart(out, series, (int)i * (CHART_HEIGHT + 20) + 5);
    buf_str_add(out, "</svg>\n");
}
