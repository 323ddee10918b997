#include "measure/plot.h"

#include "base/attr.h"
#include "base/mem.h"
#include "base/str.h"
#include "measure/stats.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct scale {
    double from;
    const char *unit;
};

static const struct scale TIMES[] = {{1e9, "s"}, {1e6, "ms"}, {1e3, "µs"}, {1, "ns"}},
                          SIZES[] = {{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}, {1, "B"}},
                          COUNTS[] = {{1e9, "G"}, {1e6, "M"}, {1e3, "k"}, {1, ""}};

void plot_value(enum ab_metric m, double v, char out[32])
{
    bool kib = str_eq(ab_metric_unit(m), "KiB"), bytes = kib || str_eq(ab_metric_unit(m), "B");
    const struct scale *s = ab_metric_is_time(m) ? TIMES : bytes ? SIZES : COUNTS;
    v *= kib ? 1024 : 1;
    for (size_t i = 0; i < ARRAY_LEN(TIMES); i++, s++) {
        bool last = i + 1 == ARRAY_LEN(TIMES);
        if (v < s->from && !(last && v >= 0))
            continue;
        double shown = v / s->from;
        int digits = shown >= 100 || (last && s->unit[0] != 'n') ? 0 : shown >= 10 ? 1 : 2;
        snprintf(out, 32, "%.*f%s%s", digits, shown, s->unit[0] ? " " : "", s->unit);
        return;
    }
    snprintf(out, 32, "?");
}

// Of what is no time, nothing is faster.
static const char *verdict_words(const struct ab_result *r)
{
    if (r->verdict == VERDICT_SAME)
        return "no difference";
    if (ab_metric_is_time(r->metric) || r->verdict == VERDICT_UNDECIDED)
        return verdict_name(r->verdict);
    return r->verdict == VERDICT_SLOWER ? "more" : "less";
}

// A signed percentage; in UTF-8 with a real minus sign.
static void add_percent(struct buf *out, double v, bool utf8)
{
    if (fabs(v) < 0.05)
        buf_str_add(out, "0.0");
    else
        buf_printf(out, "%s%.1f", v > 0 ? "+" : utf8 ? "−" : "-", fabs(v));
}

void plot_line(struct buf *out, const struct ab_result *r, bool utf8)
{
    buf_str_add(out, verdict_words(r));
    if (r->verdict == VERDICT_SAME && r->theta_asked <= 0 && r->theta > SEQUENCE_THETA)
        buf_printf(out, " of %.1f %% or more", 100 * r->theta); // the machine said so, not the person
    buf_str_add(out, ": ");
    add_percent(out, 100 * (r->ratio.ratio - 1), utf8);
    buf_str_add(out, " % [");
    add_percent(out, 100 * (r->ratio.low - 1), utf8);
    buf_str_add(out, ", ");
    add_percent(out, 100 * (r->ratio.high - 1), utf8);
    buf_printf(out, "] %s, %u pairs, p = %.2g", ab_metric_words(r->metric), r->pairs, r->p);
    if (r->verdict == VERDICT_UNDECIDED && r->pairs_needed)
        buf_printf(out, " (about %u pairs needed)", r->pairs_needed);
    if (r->outputs == AB_OUTPUTS_DIFFER)
        buf_str_add(out, "; the outputs differ");
}

struct marks {
    double low, quarter, median, three, high; // 5, 25, 50, 75, 95 %
};

static struct marks marks_of(const struct ab_result *r, bool b)
{
    AUTO_FREE double *v = mem_array(r->pairs ? r->pairs : 1, sizeof(*v));
    for (unsigned i = 0; i < r->pairs; i++)
        v[i] = b ? r->samples[i].b[r->metric] : r->samples[i].a[r->metric];
    stats_sort(v, r->pairs);
    return (struct marks){stats_sorted_quantile(v, r->pairs, 0.05), stats_sorted_quantile(v, r->pairs, 0.25),
                          stats_sorted_quantile(v, r->pairs, 0.5), stats_sorted_quantile(v, r->pairs, 0.75),
                          stats_sorted_quantile(v, r->pairs, 0.95)};
}

static size_t width_of(const char *s)
{
    size_t n = 0;
    for (; *s; s++)
        n += ((unsigned char)*s & 0xC0) != 0x80;
    return n;
}

static void add_padded(struct buf *out, const char *s, size_t width)
{
    size_t columns = width_of(s), cut = strlen(s);
    for (; columns > width; columns--) // cut whole characters from the end
        do
            cut--;
        while (((unsigned char)s[cut] & 0xC0) == 0x80);
    buf_add(out, s, cut);
    for (; columns < width; columns++)
        buf_char(out, ' ');
}

static void add_box(struct buf *out, const struct marks *m, double from, double to, unsigned width, bool utf8)
{
    static const char *const PLAIN[] = {" ", "-", "=", "|"}, *const DRAWN[] = {" ", "─", "█", "┃"};
    const char *const *glyph = utf8 ? DRAWN : PLAIN;
    double scale = to > from ? (width - 1) / (to - from) : 0;
    for (unsigned x = 0; x < width; x++) {
        int kind = 0;
        long low = lround((m->low - from) * scale), high = lround((m->high - from) * scale);
        long quarter = lround((m->quarter - from) * scale), three = lround((m->three - from) * scale);
        if ((long)x >= low && (long)x <= high)
            kind = 1;
        if ((long)x >= quarter && (long)x <= three)
            kind = 2;
        if ((long)x == lround((m->median - from) * scale))
            kind = 3;
        buf_str_add(out, glyph[kind]);
    }
}

void plot_box(struct buf *out, const struct ab_result *r, unsigned columns, bool utf8)
{
    if (columns < 40)
        columns = 40;
    if (r->samples && r->pairs) {
        size_t name = width_of(r->name_a) > width_of(r->name_b) ? width_of(r->name_a) : width_of(r->name_b);
        name = name < 16 ? name : 16;
        unsigned width = columns - (unsigned)name - 11;
        struct marks m[2] = {marks_of(r, false), marks_of(r, true)};
        double from = fmin(m[0].low, m[1].low), to = fmax(m[0].high, m[1].high);
        for (int side = 0; side < 2; side++) {
            char value[32];
            plot_value(r->metric, m[side].median, value);
            if (!utf8 && strstr(value, "µs"))
                snprintf(strstr(value, "µs"), 4, "us");
            add_padded(out, side ? r->name_b : r->name_a, name);
            buf_char(out, ' ');
            for (size_t i = width_of(value); i < 9; i++)
                buf_char(out, ' ');
            buf_printf(out, "%s ", value);
            add_box(out, &m[side], from, to, width, utf8);
            buf_char(out, '\n');
        }
    }
    plot_line(out, r, utf8);
    buf_char(out, '\n');
}
