// Layout of the SVG, from top to bottom: title, two strips of dots (one per side) with box and median over a time
// axis, a strip with the change and its interval over an axis in per cent.
#include "measure/plot.h"

#include "base/mem.h"
#include "measure/stats.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define WIDTH       760
#define LEFT        120
#define RIGHT       730
#define STRIP_A     82
#define STRIP_B     136
#define STRIP_HALF  20
#define TIME_AXIS   166
#define CHANGE_Y    226
#define CHANGE_AXIS 248
#define HEIGHT      282
#define TITLE_MAX   90 // characters that fit on the line
#define NAME_MAX    15

struct axis {
    double from, to; // values at LEFT and RIGHT
};

static double place(const struct axis *x, double v)
{
    double part = x->to > x->from ? (v - x->from) / (x->to - x->from) : 0.5;
    return LEFT + fmin(fmax(part, 0), 1) * (RIGHT - LEFT);
}

// At most `max` characters of the text, "…" behind when cut.
static void add_escaped(struct buf *out, const char *s, size_t max)
{
    for (; *s; s++) {
        bool starts = ((unsigned char)*s & 0xC0) != 0x80;
        if (starts && max-- == 0) {
            buf_str_add(out, "…");
            return;
        }
        if (*s == '<')
            buf_str_add(out, "&lt;");
        else if (*s == '>')
            buf_str_add(out, "&gt;");
        else if (*s == '&')
            buf_str_add(out, "&amp;");
        else if (*s == '"')
            buf_str_add(out, "&quot;");
        else if ((unsigned char)*s >= 0x20)
            buf_char(out, *s);
    }
}

// A round step (1, 2 or 5 times a power of ten) that makes about `wanted` ticks.
static double tick_step(const struct axis *x, int wanted)
{
    double raw = (x->to - x->from) / wanted;
    if (!(raw > 0))
        return 1;
    double power = pow(10, floor(log10(raw))), part = raw / power;
    return power * (part < 1.5 ? 1 : part < 3.5 ? 2 : part < 7.5 ? 5 : 10);
}

static void add_axis(struct buf *out, const struct axis *x, double y, enum ab_metric metric, bool percent)
{
    double step = tick_step(x, 5);
    buf_printf(out, "<path class='bm-axis' d='M%d %.1fH%d'/>", LEFT, y, RIGHT);
    double first = ceil(x->from / step - 1e-9);
    for (int i = 0; i < 20; i++) {
        double v = (first + i) * step;
        if (v > x->to + 1e-9 * step)
            break;
        char label[40];
        if (percent)
            snprintf(label, sizeof(label), "%s%.*f %%",
                     v > 1e-9    ? "+"
                     : v < -1e-9 ? "−"
                                 : "",
                     step < 1 ? 1 : 0, fabs(v));
        else
            plot_value(metric, v, label);
        double at = place(x, v);
        buf_printf(out,
                   "<path class='bm-axis' d='M%.1f %.1fv5'/><text class='bm-small' x='%.1f' y='%.1f' "
                   "text-anchor='middle'>%s</text>",
                   at, y, at, y + 18, label);
    }
}

struct side {
    double *v, *sorted;
    unsigned n;
    double quarter, median, three;
};

static struct side side_of(const struct ab_result *r, bool b)
{
    struct side s = {.n = r->samples ? r->pairs : 0};
    s.v = mem_array(s.n ? s.n : 1, sizeof(double));
    for (unsigned i = 0; i < s.n; i++)
        s.v[i] = b ? r->samples[i].b[r->metric] : r->samples[i].a[r->metric];
    s.sorted = mem_copy(s.v, (s.n ? s.n : 1) * sizeof(double));
    stats_sort(s.sorted, s.n);
    s.quarter = stats_sorted_quantile(s.sorted, s.n, 0.25);
    s.median = stats_sorted_quantile(s.sorted, s.n, 0.5);
    s.three = stats_sorted_quantile(s.sorted, s.n, 0.75);
    return s;
}

static void side_free(struct side *s)
{
    mem_free(s->v);
    mem_free(s->sorted);
}

// The axis shows the bulk of both sides; far outliers stick to its ends and are counted in words.
static struct axis time_axis(const struct side *a, const struct side *b)
{
    double from = HUGE_VAL, to = -HUGE_VAL;
    const struct side *both[] = {a, b};
    for (int i = 0; i < 2; i++) {
        const struct side *s = both[i];
        if (s->n == 0)
            continue;
        double reach = fmax(3 * (s->three - s->quarter), 0.01 * s->median);
        from = fmin(from, fmax(s->sorted[0], s->quarter - reach));
        to = fmax(to, fmin(s->sorted[s->n - 1], s->three + reach));
    }
    if (!(to >= from))
        return (struct axis){0, 1};
    double margin = fmax(0.04 * (to - from), 1e-6 * to);
    return (struct axis){fmax(0, from - margin), to + margin};
}

static void add_strip(struct buf *out, const struct axis *x, const struct side *s, const char *name,
                      enum ab_metric metric, int y, const char *kind)
{
    buf_printf(out, "<text class='bm-text' x='%d' y='%d' text-anchor='end'>", LEFT - 14, y - 1);
    add_escaped(out, name, NAME_MAX);
    char median[32];
    plot_value(metric, s->median, median);
    buf_printf(out, "</text><text class='bm-small' x='%d' y='%d' text-anchor='end'>%s</text>", LEFT - 14, y + 14,
               median);
    if (s->n == 0)
        return;
    double q1 = place(x, s->quarter), q3 = place(x, s->three), middle = place(x, s->median);
    buf_printf(out, "<rect class='bm-box %s' x='%.1f' y='%d' width='%.1f' height='%d' rx='3'/>", kind, q1,
               y - STRIP_HALF, fmax(q3 - q1, 1), 2 * STRIP_HALF);
    unsigned step = s->n > PLOT_DOTS_MAX ? (s->n + PLOT_DOTS_MAX - 1) / PLOT_DOTS_MAX : 1, beyond = 0;
    struct rng jitter;
    rng_seed(&jitter, 1, 7);
    buf_printf(out, "<g class='bm-dot %s'>", kind);
    for (unsigned i = 0; i < s->n; i++) {
        double dy = (rng_unit(&jitter) - 0.5) * 1.7 * (STRIP_HALF - 3);
        beyond += s->v[i] > x->to || s->v[i] < x->from;
        if (i % step == 0)
            buf_printf(out, "<circle cx='%.1f' cy='%.1f' r='2.4'/>", place(x, s->v[i]), y + dy);
    }
    buf_str_add(out, "</g>");
    buf_printf(out, "<path class='bm-median %s' d='M%.1f %dv%d'/>", kind, middle, y - STRIP_HALF - 3,
               2 * STRIP_HALF + 6);
    if (beyond)
        buf_printf(out, "<text class='bm-small' x='%d' y='%d' text-anchor='end'>%u outside the axis</text>", RIGHT,
                   y - STRIP_HALF - 4, beyond);
}

static void add_change(struct buf *out, const struct ab_result *r)
{
    double low = 100 * (r->ratio.low - 1), high = 100 * (r->ratio.high - 1), middle = 100 * (r->ratio.ratio - 1);
    double theta = 100 * r->theta, reach = fmax(fmax(fabs(low), fabs(high)), 1.5 * theta) * 1.15;
    reach = isfinite(reach) && reach > 0 ? reach : 1;
    struct axis x = {low < 0 || high <= 0 ? -reach : -0.25 * reach, high > 0 || low >= 0 ? reach : 0.25 * reach};
    if (high < -theta)
        x.to = 0.2 * reach;
    else if (low > theta)
        x.from = -0.2 * reach;
    const char *kind = r->verdict == VERDICT_FASTER ? "bm-good" : r->verdict == VERDICT_SLOWER ? "bm-bad" : "bm-none";
    double t0 = place(&x, -theta), t1 = place(&x, theta), zero = place(&x, 0);
    buf_printf(out,
               "<rect class='bm-theta' x='%.1f' y='%d' width='%.1f' height='%d'><title>changes below %.1f %% do not "
               "count</title></rect>",
               t0, CHANGE_Y - 18, t1 - t0, CHANGE_AXIS - CHANGE_Y + 18, theta);
    buf_printf(out, "<path class='bm-axis' d='M%.1f %dV%d'/>", zero, CHANGE_Y - 18, CHANGE_AXIS);
    buf_printf(out, "<text class='bm-text' x='%d' y='%d' text-anchor='end'>change</text>", LEFT - 14, CHANGE_Y - 1);
    buf_printf(out, "<text class='bm-small' x='%d' y='%d' text-anchor='end'>%.0f %% interval</text>", LEFT - 14,
               CHANGE_Y + 14, 100 * r->level);
    double from = place(&x, low), to = place(&x, high);
    buf_printf(out,
               "<path class='bm-range %s' d='M%.1f %dH%.1fM%.1f %dv14M%.1f %dv14'/><circle class='%s' cx='%.1f' "
               "cy='%d' r='5'/>",
               kind, from, CHANGE_Y, to, from, CHANGE_Y - 7, to, CHANGE_Y - 7, kind, place(&x, middle), CHANGE_Y);
    add_axis(out, &x, CHANGE_AXIS, r->metric, true);
}

static const char STYLE[] =
    "<style>.bm{font-family:system-ui,'DejaVu Sans',sans-serif}.bm-title{font-size:15px;font-weight:600;fill:#757575}"
    ".bm-text{font-size:13px;fill:#757575}.bm-small{font-size:11px;fill:#757575}"
    ".bm-axis{stroke:#8a8a8a;stroke-width:1;fill:none}.bm-theta{fill:#8a8a8a;fill-opacity:.18}"
    ".bm-a{fill:#6f7f95;stroke:#6f7f95}.bm-b{fill:#c2701c;stroke:#c2701c}"
    ".bm-box{fill-opacity:.16;stroke:none}.bm-dot{fill-opacity:.6;stroke:none}.bm-median{stroke-width:2.5}"
    ".bm-good{fill:#2e8b57;stroke:#2e8b57}.bm-bad{fill:#c9403a;stroke:#c9403a}.bm-none{fill:#757575;stroke:#757575}"
    ".bm-range{stroke-width:2.5;fill:none}</style>";

void plot_svg(struct buf *out, const struct ab_result *r, const char *title)
{
    AUTO(side_free) struct side a = side_of(r, false);
    AUTO(side_free) struct side b = side_of(r, true);
    struct axis x = time_axis(&a, &b);
    if (a.n == 0)
        a.median = r->a.median;
    if (b.n == 0)
        b.median = r->b.median;
    struct buf line = BUF_INIT;
    plot_line(&line, r, true);
    buf_printf(out,
               "<svg xmlns='http://www.w3.org/2000/svg' class='bm' viewBox='0 0 %d %d' width='%d' height='%d' "
               "role='img'><title>",
               WIDTH, HEIGHT, WIDTH, HEIGHT);
    add_escaped(out, title ? title : buf_str(&line), TITLE_MAX);
    buf_printf(out, "</title>%s<text class='bm-title' x='14' y='%d'>", STYLE, title ? 22 : 32);
    add_escaped(out, title ? title : buf_str(&line), TITLE_MAX);
    buf_str_add(out, "</text>");
    if (title) {
        buf_str_add(out, "<text class='bm-text' x='14' y='42'>");
        add_escaped(out, buf_str(&line), TITLE_MAX + 20);
        buf_str_add(out, "</text>");
    }
    buf_free(&line);
    add_strip(out, &x, &a, r->name_a, r->metric, STRIP_A, "bm-a");
    add_strip(out, &x, &b, r->name_b, r->metric, STRIP_B, "bm-b");
    add_axis(out, &x, TIME_AXIS, r->metric, false);
    add_change(out, r);
    buf_str_add(out, "</svg>\n");
}
