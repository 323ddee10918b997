// The plot is narrow on purpose: drawn 440 units wide it can still be read when a phone shows it.
#include "report/html_plot.h"

#include "base/mem.h"
#include "base/str.h"
#include "report/html.h"
#include "report/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define WIDTH     440
#define LEFT      62
#define RIGHT     424
#define DOTS_MAX  ((size_t)300) // per side; longer series are thinned evenly
#define PAIRS_MAX ((size_t)20000)
#define LANE      46 // height of one side
#define TICKS_MAX 8

struct series {
    double *value, *sorted;
    size_t count;
    double median;
};

struct axis {
    double from, to;
};

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static bool usable(double v)
{
    return isfinite(v) && v > 0 && v < 1e18;
}

static struct series series_of(const json_t *pairs, size_t side)
{
    size_t n = json_array_size(pairs);
    n = n > PAIRS_MAX ? PAIRS_MAX : n;
    struct series s = {.value = mem_array(n + 1, sizeof(double))};
    for (size_t i = 0; i < n; i++) {
        const json_t *pair = json_array_get(pairs, i);
        if (usable(json_number_value(json_array_get(pair, 0))) && usable(json_number_value(json_array_get(pair, 1))))
            s.value[s.count++] = json_number_value(json_array_get(pair, side));
    }
    s.sorted = mem_copy(s.value, (s.count + 1) * sizeof(double));
    if (s.count) {
        qsort(s.sorted, s.count, sizeof(double), by_value);
        s.median = (s.sorted[(s.count - 1) / 2] + s.sorted[s.count / 2]) / 2;
    }
    return s;
}

static void series_free(struct series *s)
{
    mem_free(s->value);
    mem_free(s->sorted);
}

static double place(const struct axis *a, double v)
{
    double at = LEFT + (v - a->from) / (a->to - a->from) * (RIGHT - LEFT);
    return at < LEFT ? LEFT : at > RIGHT ? RIGHT : at;
}

// 1, 2 or 5 times a power of ten.
static double tick_step(const struct axis *a, int wanted)
{
    double raw = (a->to - a->from) / wanted, power = pow(10, floor(log10(raw))), part = raw / power;
    return power * (part < 1.5 ? 1 : part < 3.5 ? 2 : part < 7.5 ? 5 : 10);
}

// A few far outliers must not squeeze everything else: the axis ends where 99 of 100 dots end, dots beyond stand on its
// edge.
static struct axis axis_of(const struct series *a, const struct series *b)
{
    double low = fmin(a->sorted[0], b->sorted[0]);
    double high = fmax(a->sorted[(a->count - 1) * 99 / 100], b->sorted[(b->count - 1) * 99 / 100]);
    double room = (high - low) * 0.06;
    if (!(room > high * 1e-6))
        room = high * 0.01;
    return (struct axis){.from = fmax(low - room, 0), .to = high + room};
}

static void tick_label(double v, double step, const char *metric, char out[TEXT_NUMBER])
{
    double unit = v >= 1e9 ? 1e9 : v >= 1e6 ? 1e6 : v >= 1e3 ? 1e3 : 1;
    const char *name = unit >= 1e9 ? "s" : unit >= 1e6 ? "ms" : unit >= 1e3 ? "µs" : "ns";
    if (!text_is_time(metric)) {
        AUTO_JSON json_t *value = json_real(v);
        text_value(value, metric, out);
        return;
    }
    double digits = ceil(-log10(step / unit) - 1e-9);
    snprintf(out, TEXT_NUMBER, "%.*f %s", digits > 0 ? digits > 4 ? 4 : (int)digits : 0, v / unit, name);
}

static void add_axis(struct buf *out, const struct axis *a, const char *metric, int y)
{
    double step = tick_step(a, 4), first = ceil(a->from / step - 1e-9);
    html_put(out, "<path class=\"p-axis\" d=\"M%d %dH%d\"/>", LEFT, y, RIGHT);
    for (int i = 0; i < TICKS_MAX; i++) {
        double v = (first + i) * step;
        char label[TEXT_NUMBER];
        if (v > a->to + 1e-9 * step)
            break;
        tick_label(v, step, metric, label);
        html_put(out, "<path class=\"p-grid\" d=\"M%.1f 8V%d\"/><text class=\"p-tick\" x=\"%.1f\" y=\"%d\">%s</text>",
                 place(a, v), y, place(a, v), y + 16, label);
    }
}

static void add_lane(struct buf *out, const struct series *s, const struct axis *a, const char *name, const char *class,
                     int top)
{
    size_t step = s->count > DOTS_MAX ? (s->count + DOTS_MAX - 1) / DOTS_MAX : 1;
    html_put(out, "<g class=\"%s\"><text class=\"p-side\" x=\"0\" y=\"%d\">%s</text>", class, top + LANE / 2 + 4, name);
    for (size_t i = 0; i < s->count; i += step) {
        // The order of the runs spreads the dots, golden section of the lane: the same picture every time.
        double spread = fmod((double)i * 0.6180339887, 1.0);
        html_put(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.6\"/>", place(a, s->value[i]),
                 top + 8 + spread * (LANE - 16));
    }
    double at = place(a, s->median);
    html_put(out, "<path class=\"p-median\" d=\"M%.1f %dV%d\"/></g>", at, top + 3, top + LANE - 3);
}

// The interval of the change under the runs, on an axis of its own that holds zero.
static void add_change(struct buf *out, const json_t *metric, int top)
{
    const json_t *low = json_object_get(metric, "low_pct"), *high = json_object_get(metric, "high_pct");
    double from = json_number_value(low), to = json_number_value(high),
           change = json_num(metric, "change_pct", (double)NAN);
    if (!json_is_number(low) || !json_is_number(high) || !isfinite(change) || !isfinite(from) || !isfinite(to) ||
        from > to)
        return;
    struct axis a = {.from = fmin(from, 0), .to = fmax(to, 0)};
    double room = fmax((a.to - a.from) * 0.05, 0.1);
    a.from -= room;
    a.to += room;
    double zero = place(&a, 0), at = place(&a, change), y = top + 8;
    html_put(out,
             "<g class=\"%s\"><text class=\"p-side\" x=\"0\" y=\"%.1f\">change</text><path class=\"p-scale\" d=\"M%d "
             "%.1fH%d\"/>",
             to < 0     ? "p-good"
             : from > 0 ? "p-bad"
                        : "p-open",
             y + 4, LEFT, y, RIGHT);
    html_put(out, "<path class=\"p-bar\" d=\"M%.1f %.1fH%.1fV%.1fH%.1fZ\"/><path class=\"p-zero\" d=\"M%.1f %dV%d\"/>",
             zero, y - 5, at, y + 5, zero, zero, top - 1, top + 17);
    html_put(
        out,
        "<path class=\"p-range\" d=\"M%.1f %.1fH%.1f\"/><text class=\"p-tick\" x=\"%.1f\" y=\"%d\">0 %%</text></g>",
        place(&a, from), y, fmax(place(&a, to), place(&a, from) + 0.5), zero, top + 29);
}

void html_plot_pairs(struct buf *out, const json_t *metric, const json_t *pairs)
{
    struct series a = series_of(pairs, 0), b = series_of(pairs, 1);
    const char *name = json_str(metric, "metric", NULL);
    if (a.count >= 2) {
        struct axis x = axis_of(&a, &b);
        int height = 12 + 2 * LANE + 28 + 36;
        html_put(out,
                 "<svg class=\"plot\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%zu runs of each side of %s\">",
                 WIDTH, height, a.count, json_str(metric, "subject", "?"));
        add_axis(out, &x, name, 10 + 2 * LANE);
        add_lane(out, &a, &x, "before", "p-before", 8);
        add_lane(out, &b, &x, "after", "p-after", 8 + LANE);
        add_change(out, metric, 12 + 2 * LANE + 32);
        buf_str_add(out, "</svg>");
    }
    series_free(&a);
    series_free(&b);
}

void html_plot_interval(struct buf *out, double low, double change, double high, double max_pct)
{
    if (!(isfinite(low) && isfinite(change) && isfinite(high) && max_pct > 0))
        return;
    double scale = 74 / max_pct, ends[3] = {low, change, high};
    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        ends[i] = 80 + fmax(-78, fmin(78, ends[i] * scale));
    const char *class = high < 0 ? "p-good" : low > 0 ? "p-bad" : "p-open";
    html_put(out,
             "<svg class=\"interval %s\" viewBox=\"0 0 160 18\" aria-hidden=\"true\"><path class=\"p-scale\" d=\"M2 "
             "9H158\"/>",
             class);
    html_put(out, "<path class=\"p-bar\" d=\"M80 5H%.1fV13H80Z\"/><path class=\"p-zero\" d=\"M80 1V17\"/>", ends[1]);
    html_put(out, "<path class=\"p-range\" d=\"M%.1f 9H%.1f\"/></svg>", ends[0], fmax(ends[2], ends[0] + 0.5));
}
