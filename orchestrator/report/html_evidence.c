// Baseline, hot paths with the flame graph, findings, build, tests.
#include "report/html_parts.h"

#include "base/mem.h"
#include "base/str.h"
#include "report/html.h"
#include "report/text.h"

#include <stdlib.h>
#include <string.h>

#define FLAME_HEIGHT_DEFAULT 600
#define FLAME_HEIGHT_MAX     4000
#define FLAME_HEAD           ((size_t)600) // where the size must stand
#define DUPLICATES_SHOWN     40

static void add_bar(struct buf *out, double part, const char *class)
{
    double share = part < 0 ? 0 : part > 100 ? 100 : part;
    html_put(out, "<span class=\"bar %s\"><i style=\"width:%.1f%%\"></i></span>", class, share);
}

// --- baseline ---

void html_baseline(const json_t *m, struct buf *out)
{
    size_t i;
    json_t *row;
    if (json_array_size(json_list(m, "metrics")) || !json_array_size(json_list(m, "baseline")))
        return;
    buf_str_add(out, "<section><h2>Baseline</h2><div class=\"scroll\"><table class=\"t\"><tr><th>subject</th><th "
                     "class=\"n\">median</th>"
                     "<th class=\"n\">fastest</th><th class=\"n\">runs</th></tr>");
    json_array_foreach (json_list(m, "baseline"), i, row) {
        char median[TEXT_NUMBER], fastest[TEXT_NUMBER];
        const char *error = json_str(row, "error", NULL);
        text_value(json_object_get(row, "median_ns"), NULL, median);
        text_value(json_object_get(row, "min_ns"), NULL, fastest);
        html_put(out,
                 "<tr><td><b>%s</b><br><small>%s</small></td><td class=\"n\">%s</td><td class=\"n\">%s</td><td "
                 "class=\"n\">%zu</td></tr>",
                 json_str(row, "subject", "?"), error ? error : text_metric(json_str(row, "metric", NULL)), median,
                 fastest, json_array_size(json_list(row, "samples")));
    }
    buf_str_add(out, "</table></div></section>\n");
}

// --- hot paths ---

static int flame_height(const char *svg)
{
    AUTO_FREE char *head = str_ndup(svg, strnlen(svg, FLAME_HEAD));
    const char *box = strstr(head, "viewBox=\"0 0 ");
    char *end = NULL;
    if (!box)
        return FLAME_HEIGHT_DEFAULT;
    (void)strtod(box + strlen("viewBox=\"0 0 "), &end);
    long height = strtol(end, NULL, 10);
    return height < 100 ? FLAME_HEIGHT_DEFAULT : height > FLAME_HEIGHT_MAX ? FLAME_HEIGHT_MAX : (int)height;
}

// Escaped for an attribute in single quotes and for nothing else: the text stays a readable SVG.
static void add_attribute(struct buf *out, const char *text)
{
    while (*text) {
        size_t n = strcspn(text, "'&");
        buf_add(out, text, n);
        text += n;
        if (*text)
            buf_str_add(out, *text++ == '&' ? "&amp;" : "&#39;");
    }
}

static void add_flame(const char *flame, struct buf *out)
{
    html_put(out,
             "<iframe class=\"flame\" title=\"Flame graph\" sandbox=\"allow-scripts\" style=\"height:%dpx\" srcdoc='",
             flame_height(flame) + 2);
    add_attribute(out, "<!doctype html><meta charset=\"utf-8\"><title>Flame graph</title>");
    add_attribute(out, flame);
    add_attribute(out, "<style>");
    for (size_t i = 0; html_flame_style[i]; i++)
        add_attribute(out, html_flame_style[i]);
    add_attribute(out, "</style>");
    buf_str_add(out, "'></iframe>");
}

static void add_hot_row(const json_t *row, struct buf *out)
{
    struct buf place = BUF_INIT;
    text_place(row, &place);
    const char *function = json_str(row, "function", "?");
    html_put(out, "<tr><td><code title=\"%s\">%s</code></td><td class=\"n\">%.1f</td><td class=\"wide\">", function,
             json_str(row, "short", function), json_num(row, "owned_pct", 0));
    add_bar(out, json_num(row, "owned_pct", 0), "");
    html_put(out, "</td><td class=\"n\">%.1f</td><td class=\"n\">%.1f</td>", json_num(row, "self_pct", 0),
             json_num(row, "total_pct", 0));
    html_put(out, "<td class=\"one\"><code>%s</code></td></tr>", buf_str(&place));
    buf_free(&place);
}

static void add_hot_table(const json_t *rows, size_t from, size_t to, struct buf *out)
{
    buf_str_add(out, "<div class=\"scroll\"><table class=\"t\"><tr><th>function</th><th class=\"n\">owned %</th><th "
                     "class=\"wide\"></th>"
                     "<th class=\"n\">self %</th><th class=\"n\">total %</th><th>where</th></tr>");
    for (size_t i = from; i < to; i++)
        add_hot_row(json_array_get(rows, i), out);
    buf_str_add(out, "</table></div>");
}

void html_hot_paths(const json_t *m, const char *flame, struct buf *out)
{
    const json_t *rows = json_list(m, "hot_paths"), *profile = json_obj(m, "profile");
    size_t n = json_array_size(rows), first = n < 10 ? n : 10;
    if (!n && !flame)
        return;
    buf_str_add(out, "<section><h2>Where the time goes</h2>");
    if (profile)
        html_put(out,
                 "<p class=\"mute\">%lld samples of %s. Owned: samples for which the function is the innermost one of "
                 "the project, whatever it "
                 "calls.</p>",
                 (long long)json_int(profile, "samples", 0), json_str(profile, "event", "the CPU"));
    if (n)
        add_hot_table(rows, 0, first, out);
    if (n > first) {
        html_put(out, "<details><summary>Further functions <small>%zu</small></summary>", n - first);
        add_hot_table(rows, first, n, out);
        buf_str_add(out, "</details>");
    }
    if (flame)
        add_flame(flame, out);
    buf_str_add(out, "</section>\n");
}

// --- findings ---

static void add_line(struct buf *out, const char *label, const char *text, const char *behind)
{
    if (!text)
        return;
    html_put(out, "<p class=\"mute\">%s", label);
    html_prose(out, text);
    html_put(out, "%s</p>", behind);
}

static void add_finding(const json_t *f, struct buf *out)
{
    struct buf place = BUF_INIT;
    text_place(f, &place);
    buf_str_add(out, "<li>");
    if (text_is_hot(f))
        html_put(out, "<span class=\"share\">%.1f %%</span>", json_num(f, "share_pct", 0));
    html_put(out, "<code>%s</code>", buf_str(&place));
    if (json_str(f, "function", NULL))
        html_put(out, " <span class=\"mute\">in</span> <code>%s</code>", json_str(f, "function", ""));
    html_put(out, " <span class=\"mute\">%s</span><p>", json_str(f, "lint", json_str(f, "kind", "")));
    html_prose(out, json_str(f, "message", ""));
    buf_str_add(out, "</p>");
    add_line(out, "Why: ", text_is_hot(f) ? json_str(f, "why", NULL) : NULL, "");
    add_line(out, "Instead: ", json_str(f, "suggestion", NULL),
             str_eq(json_str(json_obj(f, "fix"), "applicability", ""), "machine") ? " (a machine can fix it)" : "");
    buf_str_add(out, "</li>");
    buf_free(&place);
}

static size_t add_findings(const json_t *rows, bool hot, struct buf *out)
{
    size_t i, n = 0;
    json_t *f;
    json_array_foreach (rows, i, f)
        if (text_is_hot(f) == hot && n++ < HTML_FINDINGS_SHOWN)
            add_finding(f, out);
    if (n > HTML_FINDINGS_SHOWN)
        html_put(out, "<li>and %zu more, see report.json</li>", n - HTML_FINDINGS_SHOWN);
    return n;
}

void html_findings(const json_t *m, struct buf *out)
{
    const json_t *rows = json_list(m, "findings");
    struct buf hot = BUF_INIT, cold = BUF_INIT;
    if (!json_array_size(rows))
        return;
    size_t n_hot = add_findings(rows, true, &hot), n_cold = add_findings(rows, false, &cold);
    buf_str_add(out, "<section><h2>Findings</h2>");
    if (n_hot) {
        buf_str_add(out, "<p class=\"mute\">With the share of the samples that lie in the function of the "
                         "finding.</p><ul class=\"list\">");
        buf_str_add(out, buf_str(&hot));
        buf_str_add(out, "</ul>");
    }
    if (n_cold) {
        html_put(out, "<details><summary>%s <small>%zu</small></summary><ul class=\"list\">",
                 n_hot ? "Outside of the hot paths" : "Of the review", n_cold);
        buf_str_add(out, buf_str(&cold));
        buf_str_add(out, "</ul></details>");
    }
    buf_str_add(out, "</section>\n");
    buf_free(&hot);
    buf_free(&cold);
}

// --- build ---

static void add_units(const json_t *rows, const char *title, bool from_start, struct buf *out)
{
    size_t i;
    json_t *row;
    double most = 0;
    json_array_foreach (rows, i, row)
        most = json_num(row, "duration_s", 0) > most ? json_num(row, "duration_s", 0) : most;
    if (!json_array_size(rows))
        return;
    html_put(out,
             "<details><summary>%s</summary><div class=\"scroll\"><table class=\"t\"><tr><th>unit</th><th "
             "class=\"n\">takes</th><th></th></tr>",
             title);
    json_array_foreach (rows, i, row) {
        char takes[TEXT_NUMBER], start[TEXT_NUMBER];
        text_seconds(json_num(row, "duration_s", -1), takes);
        text_seconds(json_num(row, "start_s", -1), start);
        html_put(out, "<tr><td><code>%s</code>", json_str(row, "unit", "?"));
        if (from_start)
            html_put(out, " <small>from %s</small>", start);
        html_put(out, "</td><td class=\"n\">%s</td><td>", takes);
        add_bar(out, most > 0 ? 100 * json_num(row, "duration_s", 0) / most : 0, "calm");
        buf_str_add(out, "</td></tr>");
    }
    buf_str_add(out, "</table></div></details>");
}

static void add_build_facts(const json_t *build, struct buf *out)
{
    const json_t *timings = json_obj(build, "timings"), *cache = json_obj(build, "sccache"),
                 *linker = json_obj(build, "linker");
    const json_t *profile = json_obj(build, "release_profile");
    buf_str_add(out, "<dl class=\"kv\">");
    if (timings) {
        char total[TEXT_NUMBER], work[TEXT_NUMBER], scripts[TEXT_NUMBER];
        text_seconds(json_num(timings, "total_s", -1), total);
        text_seconds(json_num(timings, "work_s", -1), work);
        text_seconds(json_num(timings, "build_script_s", -1), scripts);
        html_put(out, "<dt>build with symbols</dt><dd>%lld units in %s; %s of work, %s of it for build scripts</dd>",
                 (long long)json_int(timings, "units", 0), total, work, scripts);
    }
    if (profile) {
        AUTO_FREE char *text = json_compact(profile);
        html_put(out, "<dt>release profile</dt><dd><code>%s</code></dd>",
                 json_object_size(profile) ? text : "nothing set");
    }
    if (linker)
        html_put(out, "<dt>linker</dt><dd>%s%s%s</dd>",
                 json_flag(linker, "configured", false) ? "configured by the project"
                                                        : json_str(linker, "default", "?"),
                 json_str(linker, "mold", NULL) ? "; mold is installed" : "",
                 json_str(linker, "lld", NULL) ? "; lld is installed" : "");
    if (cache)
        html_put(out, "<dt>sccache</dt><dd>%s, %s</dd>",
                 json_flag(cache, "available", false) ? "installed" : "not installed",
                 json_flag(cache, "configured", false) ? "configured as rustc-wrapper" : "not configured");
    buf_str_add(out, "</dl>");
}

static void add_duplicates(const json_t *rows, struct buf *out)
{
    size_t i, k;
    json_t *row, *version;
    if (!json_array_size(rows))
        return;
    html_put(out, "<details><summary>Crates built more than once <small>%zu</small></summary><ul class=\"list\">",
             json_array_size(rows));
    json_array_foreach (rows, i, row) {
        if (i == DUPLICATES_SHOWN) {
            html_put(out, "<li>and %zu more, see report.json</li>", json_array_size(rows) - i);
            break;
        }
        html_put(out, "<li><code>%s</code> <span class=\"mute\">", json_str(row, "name", "?"));
        json_array_foreach (json_list(row, "versions"), k, version)
            html_put(out, "%s%s", k ? ", " : "", json_string_value(version));
        buf_str_add(out, "</span></li>");
    }
    buf_str_add(out, "</ul></details>");
}

void html_build(const json_t *m, struct buf *out)
{
    const json_t *build = json_obj(m, "build"), *timings = json_obj(build, "timings");
    if (!json_object_size(build))
        return;
    buf_str_add(out, "<section><h2>Build</h2>");
    add_build_facts(build, out);
    add_units(json_list(timings, "slowest"), "Slowest units", false, out);
    add_units(json_list(timings, "critical_path"), "Critical path", true, out);
    add_duplicates(json_list(build, "duplicates"), out);
    buf_str_add(out, "</section>\n");
}

// --- tests ---

static void add_counts(struct buf *out, const char *side, const json_t *counts)
{
    if (counts)
        html_put(out, "<tr><td>%s</td><td class=\"n\">%lld</td><td class=\"n\">%lld</td><td class=\"n\">%lld</td></tr>",
                 side, (long long)json_int(counts, "passed", 0), (long long)json_int(counts, "failed", 0),
                 (long long)json_int(counts, "ignored", 0));
}

void html_tests(const json_t *m, struct buf *out)
{
    const json_t *tests = json_obj(m, "tests"), *before = json_obj(tests, "before");
    if (!before)
        return;
    buf_str_add(out, "<section><h2>Tests of the project</h2><div class=\"scroll\"><table><tr><th>side</th><th "
                     "class=\"n\">passed</th>"
                     "<th class=\"n\">failed</th><th class=\"n\">ignored</th></tr>");
    add_counts(out, "before", before);
    add_counts(out, "after", json_obj(tests, "after"));
    buf_str_add(out, "</table></div>");
    if (json_str(before, "limit", NULL))
        html_put(out, "<p class=\"note\">They were no gate: %s</p>", json_str(before, "limit", ""));
    buf_str_add(out, "</section>\n");
}
