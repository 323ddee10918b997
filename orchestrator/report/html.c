// The page from the top to what was tried; the other sections are in html_evidence.c and html_record.c.
//
// Rules that the code does not show:
// - Whatever is not a literal of ours goes through html_put. The flame graph is the one text that is not ours: it gets
// a frame of its
//   own (sandbox, another origin), so nothing in it can reach the page, and the page's policy keeps both off the
//   network.
#include "report/html.h"

#include "base/mem.h"
#include "base/str.h"
#include "report/html_parts.h"
#include "report/tables.h"
#include "report/html_plot.h"
#include "report/text.h"

#include <math.h>
#include <string.h>

// --- top ---

static const char *tone_of(const char *verdict)
{
    static const char *const TONES[][2] = {{"improved", "good"},         {"done", "good"},
                                           {"optimal", "calm"},          {"queued", "calm"},
                                           {"running", "calm"},          {"waiting", "calm"},
                                           {"unproven", "warn"},         {"undecided", "warn"},
                                           {"needs_discussion", "warn"}, {"nothing_measurable", "warn"},
                                           {"cancelled", "warn"}};
    for (size_t i = 0; i < ARRAY_LEN(TONES); i++)
        if (str_eq(verdict, TONES[i][0]))
            return TONES[i][1];
    return "bad";
}

static void add_number(struct buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '-')
            buf_str_add(out, "−");
        else
            buf_char(out, *text); // only our own numbers come here
    }
}

static void add_big(const json_t *m, struct buf *out)
{
    const json_t *best = json_obj(m, "best");
    char change[TEXT_NUMBER], low[TEXT_NUMBER], high[TEXT_NUMBER], interval[3 * TEXT_NUMBER];
    if (!best)
        return;
    text_percent(json_num(best, "change_pct", 0), change);
    html_put(out, "<div class=\"big\"><strong class=\"%s\">",
             str_eq(json_str(m, "verdict", ""), "improved") ? "good" : "warn");
    add_number(out, change);
    html_put(out, "&#8202;%%</strong><span>%s of %s", text_metric(json_str(best, "metric", NULL)),
             json_str(best, "subject", "?"));
    if (json_is_number(json_object_get(best, "low_pct")) && json_is_number(json_object_get(best, "high_pct"))) {
        text_percent(json_num(best, "low_pct", 0), low);
        text_percent(json_num(best, "high_pct", 0), high);
        snprintf(interval, sizeof(interval), "%s to %s", low, high);
        buf_str_add(out, "<br>");
        add_number(out, interval);
        double level = json_num(best, "level", 0);
        if (level > 0)
            html_put(out, " %% with %.0f %% confidence", 100 * level);
        else
            buf_str_add(out, " %");
    }
    buf_str_add(out, "</span></div>");
}

static void stat(struct buf *out, const char *name, const char *value)
{
    html_put(out, "<div><dt>%s</dt><dd>%s</dd></div>", name, value);
}

static void add_test_stat(const json_t *m, struct buf *out)
{
    const json_t *before = json_obj(json_obj(m, "tests"), "before"), *after = json_obj(json_obj(m, "tests"), "after");
    if (!before)
        return;
    AUTO_FREE char *text = after ? str_printf("%lld → %lld", (long long)json_int(before, "passed", 0),
                                              (long long)json_int(after, "passed", 0))
                                 : str_printf("%lld", (long long)json_int(before, "passed", 0));
    stat(out, "tests passing", text);
}

static void add_stats(const json_t *m, struct buf *out)
{
    char time[TEXT_NUMBER];
    size_t kept = json_array_size(json_list(m, "changes")), dropped = json_array_size(json_list(m, "dropped"));
    const json_t *hottest = json_array_get(json_list(m, "hot_paths"), 0), *best = json_obj(m, "best");
    buf_str_add(out, "<dl class=\"stats\">");
    if (best) {
        char before[TEXT_NUMBER], after[TEXT_NUMBER];
        text_value(json_object_get(best, "before_ns"), json_str(best, "metric", NULL), before);
        text_value(json_object_get(best, "after_ns"), json_str(best, "metric", NULL), after);
        AUTO_FREE char *text = str_printf("%s → %s", before, after);
        stat(out, "before and after", text);
    }
    if (kept + dropped) {
        AUTO_FREE char *text = str_printf("%zu kept, %zu dropped", kept, dropped);
        stat(out, "changes measured", text);
    }
    add_test_stat(m, out);
    if (hottest) {
        AUTO_FREE char *text = str_printf("%s, %.0f %%", json_str(hottest, "short", json_str(hottest, "function", "?")),
                                          json_num(hottest, "owned_pct", 0));
        stat(out, "hottest path", text);
    } else if (json_array_size(json_list(m, "findings"))) {
        AUTO_FREE char *text = str_printf("%zu", json_array_size(json_list(m, "findings")));
        stat(out, "findings", text);
    }
    AUTO_FREE char *stages = str_printf("%zu", json_array_size(json_list(m, "stages")));
    stat(out, "stages", stages);
    text_ms(json_int(m, "duration_ms", 0), time);
    stat(out, "took", time);
    buf_str_add(out, "</dl>");
}

// The pill says the label already.
static const char *behind_label(const char *headline, const char *label)
{
    size_t n = strlen(label);
    AUTO_FREE char *start = str_ndup(headline, n);
    return str_eq_nocase(start, label) && headline[n] == ':' && headline[n + 1] == ' ' && headline[n + 2]
               ? headline + n + 2
               : headline;
}

static void add_hero(const json_t *m, struct buf *out)
{
    char when[TEXT_NUMBER];
    const char *verdict = json_str(m, "verdict", "?"), *reason = json_str(m, "reason", NULL),
               *headline = json_str(m, "headline", "");
    html_put(out,
             "<header class=\"top\"><b>baton</b><span>%s</span><span>%s</span><span>%s</span><span>%s</span></header>",
             json_str(m, "run", ""), json_str(m, "workflow", ""), json_str(m, "project", ""),
             text_when(json_str(m, "created", ""), when));
    AUTO_FREE char *pill = str_dup(text_state(verdict));
    if (pill[0] >= 'a' && pill[0] <= 'z')
        pill[0] = (char)(pill[0] - 'a' + 'A');
    html_put(out, "<div class=\"hero\"><div><span class=\"pill %s\">%s</span><h1>%s</h1>", tone_of(verdict), pill,
             behind_label(headline, pill));
    if (reason && *reason && !str_has_nocase(headline, reason))
        html_put(out, "<p class=\"mute\">%s</p>", reason);
    buf_str_add(out, "</div>");
    add_big(m, out);
    add_stats(m, out);
    buf_str_add(out, "</div>\n");
}

// --- what is in the way ---

static void add_blockers(const json_t *m, struct buf *out)
{
    struct buf b = BUF_INIT;
    size_t i;
    json_t *row;
    json_array_foreach (json_list(m, "stages"), i, row) {
        const char *blockers = json_str(row, "blockers", NULL);
        if (blockers && *blockers)
            html_put(&b, "<p class=\"note stop\">Stage %lld, %s: %s</p>", (long long)json_int(row, "seq", 0),
                     json_str(row, "agent", "?"), blockers);
    }
    json_array_foreach (json_list(m, "requests"), i, row) {
        struct buf place = BUF_INIT;
        text_place(row, &place);
        html_put(&b, "<p class=\"note\"><b>%s</b> <code>%s</code> %s: %s</p>", json_str(row, "id", ""), buf_str(&place),
                 json_str(row, "issue", ""), json_str(row, "fix", ""));
        buf_free(&place);
    }
    if (b.len) {
        buf_str_add(out, "<section><h2>What is in the way</h2>");
        buf_str_add(out, buf_str(&b));
        buf_str_add(out, "</section>\n");
    }
    buf_free(&b);
}

// --- before and after ---

static void add_metric_row(const json_t *row, struct buf *out)
{
    char before[TEXT_NUMBER], after[TEXT_NUMBER];
    const char *metric = json_str(row, "metric", NULL), *verdict = json_str(row, "verdict", "");
    struct buf change = BUF_INIT;
    text_value(json_object_get(row, "before_ns"), metric, before);
    text_value(json_object_get(row, "after_ns"), metric, after);
    text_change(row, &change);
    html_put(out,
             "<tr><td><b>%s</b><br><small class=\"one\">%s</small></td><td class=\"n\">%s</td><td "
             "class=\"n\">%s</td><td class=\"n\">",
             json_str(row, "subject", "?"), text_metric(metric), before, after);
    const char *interval = strchr(buf_str(&change), '[');
    AUTO_FREE char *number =
        str_ndup(buf_str(&change), interval ? (size_t)(interval - buf_str(&change)) - 1 : change.len);
    buf_str_add(out, "<b>");
    add_number(out, number);
    buf_str_add(out, "</b><br><small>");
    add_number(out, interval ? interval : "");
    html_put(out, "</small></td><td class=\"one %s\">%s<br><small>%lld pairs, outputs %s</small></td></tr>",
             str_eq(verdict, "faster")   ? "good"
             : str_eq(verdict, "slower") ? "bad"
                                         : "mute",
             text_state(verdict), (long long)json_int(row, "pairs", 0), json_str(row, "outputs", "not compared"));
    buf_free(&change);
}

static void add_plot(const json_t *m, const json_t *row, struct buf *out)
{
    const json_t *pairs =
        json_list(json_obj(json_obj(m, "measurements"), json_str(row, "part", "")), json_str(row, "subject", ""));
    struct buf plot = BUF_INIT, change = BUF_INIT;
    html_plot_pairs(&plot, row, pairs);
    if (plot.len) {
        text_change(row, &change);
        html_put(out, "<figure><figcaption><b>%s</b><span>", json_str(row, "subject", "?"));
        add_number(out, buf_str(&change));
        buf_str_add(out, "</span></figcaption>");
        buf_str_add(out, buf_str(&plot));
        buf_str_add(out, "</figure>");
    }
    buf_free(&plot);
    buf_free(&change);
}

static void add_metrics(const json_t *m, struct buf *out)
{
    const json_t *metrics = json_list(m, "metrics");
    size_t i;
    json_t *row;
    if (!json_array_size(metrics))
        return;
    double level = json_num(json_array_get(metrics, 0), "level", 0);
    buf_str_add(out, "<section><h2>Before and after</h2><div class=\"scroll\"><table "
                     "class=\"t\"><tr><th>metric</th><th class=\"n\">before</th>"
                     "<th class=\"n\">after</th><th class=\"n\">");
    if (level > 0)
        html_put(out, "change<br>%.0f %% interval", 100 * level);
    else
        buf_str_add(out, "change<br>interval");
    buf_str_add(out, "</th><th>verdict</th></tr>");
    json_array_foreach (metrics, i, row)
        add_metric_row(row, out);
    buf_str_add(out, "</table></div><div class=\"plots\">");
    json_array_foreach (metrics, i, row)
        add_plot(m, row, out);
    buf_str_add(out, "</div><p class=\"mute\" style=\"margin-top:14px\">Each dot is one run, runs of both sides "
                     "interleaved; the upright line is the "
                     "median. A change counts as faster when its whole interval lies below zero.</p></section>\n");
}

// --- what was changed and tried ---

// End of the axis that all small pictures share: the widest interval, at least 5 and at most 100 per cent.
static double widest(const json_t *m)
{
    static const char *const LISTS[] = {"changes", "dropped"};
    double max = 5;
    size_t i, k;
    json_t *row, *c;
    for (size_t l = 0; l < ARRAY_LEN(LISTS); l++)
        json_array_foreach (json_list(m, LISTS[l]), i, row)
            json_array_foreach (json_list(row, "comparisons"), k, c)
                for (size_t end = 0; end < 2; end++)
                    max = fmax(max, fabs(json_number_value(json_array_get(json_list(c, "interval"), end))));
    return isfinite(max) && max < 100 ? max : 100;
}

static void add_comparisons(struct buf *out, const json_t *comparisons, double max_pct)
{
    size_t i;
    json_t *c;
    json_array_foreach (comparisons, i, c) {
        struct buf change = BUF_INIT;
        const json_t *interval = json_list(c, "interval");
        text_change(c, &change);
        html_put(out, "<div class=\"cmp\"><span class=\"who\">%s</span><span class=\"num\">",
                 json_str(c, "subject", "?"));
        add_number(out, buf_str(&change));
        buf_str_add(out, "</span>");
        if (json_array_size(interval) == 2)
            html_plot_interval(out, json_number_value(json_array_get(interval, 0)), json_num(c, "change_pct", 0),
                               json_number_value(json_array_get(interval, 1)), max_pct);
        html_put(out, "<span class=\"mute\">%s, %lld pairs%s</span></div>", text_state(json_str(c, "verdict", "")),
                 (long long)json_int(c, "pairs", 0),
                 str_eq(json_str(c, "outputs", ""), "differ") ? ", outputs differ" : "");
        buf_free(&change);
    }
}

static void add_changes(const json_t *m, struct buf *out)
{
    size_t i, k;
    json_t *row, *file;
    json_array_foreach (json_list(m, "changes"), i, row) {
        buf_str_add(out, i ? "" : "<section><h2>What was changed</h2><ul class=\"tried\">");
        char commit[TEXT_NUMBER];
        html_put(out, "<li><span class=\"id\">%s</span><b>%s</b><p class=\"mute\">", json_str(row, "id", ""),
                 json_str(row, "title", ""));
        if (json_str(row, "commit", NULL))
            html_put(out, "commit <code title=\"%s\">%s</code> ", json_str(row, "commit", ""),
                     text_commit(json_str(row, "commit", ""), commit));
        json_array_foreach (json_list(row, "files"), k, file)
            html_put(out, "%s<code>%s</code>", k ? ", " : "in ", json_string_value(file));
        buf_str_add(out, "</p>");
        add_comparisons(out, json_list(row, "comparisons"), widest(m));
        buf_str_add(out, "</li>");
    }
    if (i > 0)
        buf_str_add(out, "</ul></section>\n");
}

static void add_tried(const json_t *m, struct buf *out)
{
    const json_t *dropped = json_list(m, "dropped"), *skipped = json_list(m, "skipped");
    size_t i;
    json_t *row;
    if (json_array_size(dropped) + json_array_size(skipped) == 0)
        return;
    buf_str_add(out, "<section><h2>What was tried and dropped</h2>");
    json_array_foreach (dropped, i, row) {
        buf_str_add(out, i ? "" : "<ul class=\"tried\">");
        html_put(out, "<li><span class=\"id\">%s</span><b>%s</b><p>%s</p>", json_str(row, "id", ""),
                 json_str(row, "title", ""), json_str(row, "reason", "does not measure better"));
        add_comparisons(out, json_list(row, "comparisons"), widest(m));
        buf_str_add(out, "</li>");
    }
    buf_str_add(out, json_array_size(dropped) ? "</ul>" : "");
    json_array_foreach (skipped, i, row) {
        if (i == 0)
            html_put(out, "<details%s><summary>Not applied <small>%zu</small></summary><ul class=\"list\">",
                     json_array_size(dropped) ? "" : " open", json_array_size(skipped));
        html_put(out, "<li><span class=\"id\">%s</span><b>%s</b><p class=\"mute\">%s</p></li>", json_str(row, "id", ""),
                 json_str(row, "title", ""), json_str(row, "reason", ""));
    }
    buf_str_add(out, json_array_size(skipped) ? "</ul></details>" : "");
    buf_str_add(out, "</section>\n");
}

void report_html(const json_t *m, const char *flame, struct buf *out)
{
    char when[TEXT_NUMBER];
    html_put(out, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>%s: %s</title>\n",
             json_str(m, "run", "run"), json_str(m, "headline", ""));
    buf_str_add(
        out, "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
             "script-src "
             "'unsafe-inline'\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<style>\n");
    for (size_t i = 0; html_page_style[i]; i++) {
        buf_str_add(out, html_page_style[i]);
        buf_char(out, '\n');
    }
    buf_str_add(out, "</style></head><body><main>\n");
    add_hero(m, out);
    add_blockers(m, out);
    add_metrics(m, out);
    add_changes(m, out);
    add_tried(m, out);
    html_baseline(m, out);
    html_hot_paths(m, flame, out);
    html_findings(m, out);
    AUTO_JSON json_t *tables = tables_new(m);
    tables_html(tables, out);
    html_build(m, out);
    html_tests(m, out);
    html_limits(m, out);
    html_stages(m, out);
    html_children(m, out);
    html_budget(m, out);
    html_commands(m, out);
    html_host(m, out);
    html_reproduce(m, out);
    html_put(out,
             "<footer>Run %s, finished %s. The same facts as data: report.json; as text: "
             "report.md.</footer>\n</main></body></html>\n",
             json_str(m, "run", ""), text_when(json_str(m, "finished", "not yet"), when));
}
