// Rules that the code does not show:
// - Nothing from outside stands at the start of a line or outside of md_put, md_code, md_fenced and cells.
// - Long lists are folded (<details>), longer ones cut: report.json has everything.
#include "report/markdown.h"

#include "base/mem.h"
#include "base/str.h"
#include "report/markdown_parts.h"
#include "report/md.h"
#include "report/tables.h"
#include "report/text.h"

#include <string.h>

static void add_facts(const json_t *m, struct buf *out)
{
    char time[TEXT_NUMBER], when[TEXT_NUMBER];
    const json_t *git = json_obj(m, "git");
    text_ms(json_int(m, "duration_ms", 0), time);
    md_put(out, "%s on ", json_str(m, "workflow", "run"));
    md_code(out, json_str(m, "project", "?"));
    md_put(out, ", started %s, took %s.", text_when(json_str(m, "created", "?"), when), time);
    if (json_str(git, "branch", NULL) && json_array_size(json_list(m, "changes"))) {
        buf_str_add(out, " The changes are on branch ");
        md_code(out, json_str(git, "branch", ""));
        buf_str_add(out, ".");
    }
    if (json_str(m, "parent", NULL))
        md_put(out, " Started by run %s.", json_str(m, "parent", ""));
    buf_str_add(out, "\n\n");
    const char *reason = json_str(m, "reason", NULL), *headline = json_str(m, "headline", "");
    if (reason && *reason && !str_has_nocase(headline, reason))
        md_put(out, "%s\n\n", reason);
}

static void add_metrics(const json_t *m, struct buf *out)
{
    const json_t *metrics = json_list(m, "metrics");
    struct md_table t = {.columns = 7, .right = 1u << 1 | 1u << 2 | 1u << 3};
    double level = json_num(json_array_get(metrics, 0), "level", 0);
    if (!json_array_size(metrics))
        return;
    md_cell(&t, "metric");
    md_cell(&t, "before");
    md_cell(&t, "after");
    md_cell(&t, "change, %%");
    if (level > 0)
        md_cell(&t, "%.0f %% interval", 100 * level);
    else
        md_cell(&t, "interval");
    md_cell(&t, "verdict");
    md_cell(&t, "outputs");
    size_t i;
    json_t *row;
    json_array_foreach (metrics, i, row) {
        char before[TEXT_NUMBER], after[TEXT_NUMBER], low[TEXT_NUMBER], high[TEXT_NUMBER], change[TEXT_NUMBER];
        const char *metric = json_str(row, "metric", NULL);
        text_value(json_object_get(row, "before_ns"), metric, before);
        text_value(json_object_get(row, "after_ns"), metric, after);
        text_percent(json_num(row, "change_pct", 0), change);
        text_percent(json_num(row, "low_pct", 0), low);
        text_percent(json_num(row, "high_pct", 0), high);
        md_cell(&t, "%s, %s", json_str(row, "subject", "?"), text_metric(metric));
        md_cell(&t, "%s", before);
        md_cell(&t, "%s", after);
        md_cell(&t, "%s", change);
        if (json_is_number(json_object_get(row, "low_pct")) && json_is_number(json_object_get(row, "high_pct")))
            md_cell(&t, "%s to %s", low, high);
        else
            md_cell(&t, "–");
        md_cell(&t, "%s, %lld pairs", text_state(json_str(row, "verdict", "")), (long long)json_int(row, "pairs", 0));
        md_cell(&t, "%s", json_str(row, "outputs", "–"));
    }
    md_table_write(&t, out);
    buf_str_add(out, "Medians of interleaved runs of both sides. A change counts as faster when the whole interval "
                     "lies below zero.\n\n");
}

// What stopped the run: blockers of stages, requests of the reviewer.
static void add_blockers(const json_t *m, struct buf *out)
{
    size_t i, n = 0;
    json_t *row;
    json_array_foreach (json_list(m, "stages"), i, row) {
        const char *blockers = json_str(row, "blockers", NULL);
        if (!blockers || !*blockers)
            continue;
        buf_str_add(out, n++ ? "" : "## What is in the way\n\n");
        md_put(out, "- Stage %lld, %s: %s\n", (long long)json_int(row, "seq", 0), json_str(row, "agent", "?"),
               blockers);
    }
    buf_str_add(out, n ? "\n" : "");
    n = 0;
    json_array_foreach (json_list(m, "requests"), i, row) {
        struct buf place = BUF_INIT;
        text_place(row, &place);
        buf_str_add(out, n++ ? "" : "## What the reviewer asks for\n\n");
        md_put(out, "- %s (%s) ", json_str(row, "id", ""), json_str(row, "severity", "critical"));
        if (place.len)
            md_code(out, buf_str(&place));
        md_put(out, " %s: %s\n", json_str(row, "issue", ""), json_str(row, "fix", ""));
        buf_free(&place);
    }
    buf_str_add(out, n ? "\n" : "");
}

static void add_comparisons(const json_t *result, struct buf *out)
{
    size_t i;
    json_t *c;
    json_array_foreach (json_list(result, "comparisons"), i, c) {
        struct buf change = BUF_INIT;
        text_change(c, &change);
        md_put(out, "  - %s: %s, %s, %lld pairs", json_str(c, "subject", "?"), buf_str(&change),
               text_state(json_str(c, "verdict", "")), (long long)json_int(c, "pairs", 0));
        if (str_eq(json_str(c, "outputs", ""), "differ"))
            buf_str_add(out, ", outputs differ");
        buf_str_add(out, "\n");
        buf_free(&change);
    }
}

static void add_kept(const json_t *m, struct buf *out)
{
    size_t i, k;
    json_t *row, *file;
    json_array_foreach (json_list(m, "changes"), i, row) {
        char commit[TEXT_NUMBER];
        buf_str_add(out, i ? "" : "## What was changed\n\n");
        md_put(out, "- **%s** %s", json_str(row, "id", "?"), json_str(row, "title", ""));
        if (json_str(row, "commit", NULL))
            md_put(out, " (commit %s)", text_commit(json_str(row, "commit", ""), commit));
        json_array_foreach (json_list(row, "files"), k, file) {
            buf_str_add(out, k ? ", " : ": ");
            md_code(out, json_string_value(file));
        }
        buf_str_add(out, "\n");
        add_comparisons(row, out);
    }
    buf_str_add(out, json_array_size(json_list(m, "changes")) ? "\n" : "");
}

static void add_tried(const json_t *rows, const char *heading, struct buf *out)
{
    size_t i;
    json_t *row;
    json_array_foreach (rows, i, row) {
        buf_str_add(out, i ? "" : heading);
        const char *reason = json_str(row, "reason", NULL);
        md_put(out, "- **%s** %s: %s\n", json_str(row, "id", "?"), json_str(row, "title", ""),
               reason ? reason : "does not measure better");
        add_comparisons(row, out);
    }
    buf_str_add(out, json_array_size(rows) ? "\n" : "");
}

static void add_hot_paths(const json_t *m, const char *flame, struct buf *out)
{
    const json_t *rows = json_list(m, "hot_paths"), *profile = json_obj(m, "profile");
    struct md_table t = {.columns = 5, .right = 1u << 1 | 1u << 2 | 1u << 3};
    if (!json_array_size(rows) && !flame)
        return;
    buf_str_add(out, "## Where the time goes\n\n");
    static const char *const HEAD[] = {"function", "self %", "total %", "owned %", "where"};
    for (size_t i = 0; i < ARRAY_LEN(HEAD); i++)
        md_cell(&t, "%s", HEAD[i]);
    size_t i;
    json_t *row;
    json_array_foreach (rows, i, row) {
        struct buf place = BUF_INIT;
        text_place(row, &place);
        md_cell_code(&t, json_str(row, "short", json_str(row, "function", "?")));
        md_cell(&t, "%.1f", json_num(row, "self_pct", 0));
        md_cell(&t, "%.1f", json_num(row, "total_pct", 0));
        md_cell(&t, "%.1f", json_num(row, "owned_pct", 0));
        md_cell_code(&t, buf_str(&place));
        buf_free(&place);
    }
    md_table_write(&t, out);
    if (json_array_size(rows))
        buf_str_add(
            out, "Owned: samples for which the function is the innermost one of the project, whatever it calls.\n\n");
    if (profile)
        md_put(out, "%lld samples of %s, %lld threads.\n\n", (long long)json_int(profile, "samples", 0),
               json_str(profile, "event", "the CPU"), (long long)json_int(profile, "threads", 1));
    if (flame)
        md_put(out, "Flame graph: [%s](%s)\n\n", flame, flame);
}

void report_markdown(const json_t *m, const char *flame, struct buf *out)
{
    md_put(out, "# Baton report: %s\n\n**%s**\n\n", json_str(m, "run", "?"), json_str(m, "headline", ""));
    add_metrics(m, out);
    add_facts(m, out);
    add_blockers(m, out);
    add_kept(m, out);
    add_tried(json_list(m, "dropped"), "## What was tried and dropped\n\n", out);
    add_tried(json_list(m, "skipped"), "## What was not applied\n\n", out);
    markdown_baseline(m, out);
    add_hot_paths(m, flame, out);
    markdown_findings(m, out);
    AUTO_JSON json_t *tables = tables_new(m);
    tables_markdown(tables, out);
    markdown_build(m, out);
    markdown_tests(m, out);
    markdown_limits(m, out);
    markdown_stages(m, out);
    markdown_children(m, out);
    markdown_budget(m, out);
    markdown_commands(m, out);
    markdown_host(m, out);
    markdown_reproduce(m, out);
}
