#include "report/markdown_parts.h"

#include "base/mem.h"
#include "base/str.h"
#include "report/children.h"
#include "report/html.h"
#include "report/md.h"
#include "report/text.h"

#include <string.h>

#define DUPLICATES_SHOWN 20

// What stands beside <summary> is HTML, not Markdown.
static void fold_open(struct buf *out, const char *summary)
{
    html_put(out, "<details><summary>%s</summary>\n\n", summary);
}

static void fold_close(struct buf *out)
{
    bool blank = out->len >= 2 && out->data[out->len - 2] == '\n';
    buf_str_add(out, blank ? "</details>\n\n" : "\n</details>\n\n");
}

// --- baseline ---

void markdown_baseline(const json_t *m, struct buf *out)
{
    static const char *const HEAD[] = {"subject", "median", "fastest", "runs"};
    struct md_table t = {.columns = 4, .right = 1u << 1 | 1u << 2 | 1u << 3};
    size_t i;
    json_t *row;
    if (json_array_size(json_list(m, "metrics")) || !json_array_size(json_list(m, "baseline")))
        return;
    buf_str_add(out, "## Baseline\n\n");
    for (i = 0; i < ARRAY_LEN(HEAD); i++)
        md_cell(&t, "%s", HEAD[i]);
    json_array_foreach (json_list(m, "baseline"), i, row) {
        char median[TEXT_NUMBER], fastest[TEXT_NUMBER];
        const char *error = json_str(row, "error", NULL);
        text_value(json_object_get(row, "median_ns"), NULL, median);
        text_value(json_object_get(row, "min_ns"), NULL, fastest);
        md_cell(&t, "%s, %s", json_str(row, "subject", "?"),
                error ? error : text_metric(json_str(row, "metric", NULL)));
        md_cell(&t, "%s", median);
        md_cell(&t, "%s", fastest);
        md_cell(&t, "%zu", json_array_size(json_list(row, "samples")));
    }
    md_table_write(&t, out);
}

// --- findings ---

static void add_finding(const json_t *f, struct buf *out)
{
    struct buf place = BUF_INIT;
    text_place(f, &place);
    buf_str_add(out, "- ");
    if (text_is_hot(f))
        md_put(out, "**%.1f %%** ", json_num(f, "share_pct", 0));
    if (place.len)
        md_code(out, buf_str(&place));
    if (json_str(f, "function", NULL)) {
        buf_str_add(out, " in ");
        md_code(out, json_str(f, "function", ""));
    }
    md_put(out, " %s: %s", json_str(f, "lint", json_str(f, "kind", "")), json_str(f, "message", ""));
    if (json_str(f, "why", NULL) && text_is_hot(f))
        md_put(out, ". Why: %s", json_str(f, "why", ""));
    if (json_str(f, "suggestion", NULL))
        md_put(out, ". Instead: %s", json_str(f, "suggestion", ""));
    if (str_eq(json_str(json_obj(f, "fix"), "applicability", ""), "machine"))
        buf_str_add(out, " (a machine can fix it)");
    buf_str_add(out, "\n");
    buf_free(&place);
}

static size_t add_findings(const json_t *rows, bool hot, struct buf *out)
{
    size_t i, n = 0;
    json_t *f;
    json_array_foreach (rows, i, f) {
        if (text_is_hot(f) != hot)
            continue;
        if (n++ < FINDINGS_SHOWN)
            add_finding(f, out);
    }
    if (n > FINDINGS_SHOWN)
        md_put(out, "- and %zu more, see report.json\n", n - FINDINGS_SHOWN);
    return n;
}

void markdown_findings(const json_t *m, struct buf *out)
{
    const json_t *rows = json_list(m, "findings");
    if (!json_array_size(rows))
        return;
    struct buf cold = BUF_INIT;
    buf_str_add(out, "## Findings\n\n");
    size_t hot = add_findings(rows, true, out), n = add_findings(rows, false, &cold);
    if (hot)
        buf_str_add(out, "\nThe share is that of the samples charged to the function the finding lies in.\n\n");
    if (n) {
        AUTO_FREE char *summary =
            str_printf("%zu finding%s %s", n, n == 1 ? "" : "s", hot ? "outside of the hot paths" : "of the review");
        fold_open(out, summary);
        buf_str_add(out, buf_str(&cold));
        fold_close(out);
    }
    buf_free(&cold);
}

// --- build ---

static void add_units(const json_t *rows, const char *title, struct buf *out)
{
    struct md_table t = {.columns = 3, .right = 1u << 1 | 1u << 2};
    md_cell(&t, "%s", title);
    md_cell(&t, "starts");
    md_cell(&t, "takes");
    size_t i;
    json_t *row;
    json_array_foreach (rows, i, row) {
        char start[TEXT_NUMBER], takes[TEXT_NUMBER];
        text_seconds(json_num(row, "start_s", -1), start);
        text_seconds(json_num(row, "duration_s", -1), takes);
        md_cell_code(&t, json_str(row, "unit", "?"));
        md_cell(&t, "%s", start);
        md_cell(&t, "%s", takes);
    }
    md_table_write(&t, out);
}

static void add_duplicates(const json_t *rows, struct buf *out)
{
    size_t i, k, n = json_array_size(rows);
    json_t *row, *version;
    json_array_foreach (rows, i, row) {
        if (i == DUPLICATES_SHOWN)
            break;
        buf_str_add(out, i ? "; " : "- built more than once: ");
        md_put(out, "%s", json_str(row, "name", "?"));
        json_array_foreach (json_list(row, "versions"), k, version)
            md_put(out, "%s%s", k ? ", " : " ", json_string_value(version));
    }
    if (n > DUPLICATES_SHOWN)
        md_put(out, "; and %zu more", n - DUPLICATES_SHOWN);
    buf_str_add(out, n ? "\n" : "");
}

static void add_tools(const json_t *build, struct buf *out)
{
    const json_t *cache = json_obj(build, "sccache"), *linker = json_obj(build, "linker"),
                 *profile = json_obj(build, "release_profile");
    if (cache)
        md_put(out, "- sccache: %s, %s\n", json_flag(cache, "available", false) ? "installed" : "not installed",
               json_flag(cache, "configured", false) ? "configured as rustc-wrapper" : "not configured");
    if (linker)
        md_put(out, "- linker: %s%s%s\n",
               json_flag(linker, "configured", false) ? "configured by the project" : json_str(linker, "default", "?"),
               json_str(linker, "mold", NULL) ? "; mold is installed" : "",
               json_str(linker, "lld", NULL) ? "; lld is installed" : "");
    if (profile) {
        AUTO_FREE char *text = json_compact(profile);
        buf_str_add(out, "- release profile as written: ");
        md_code(out, json_object_size(profile) ? text : "nothing set");
        buf_str_add(out, "\n");
    }
    add_duplicates(json_list(build, "duplicates"), out);
    buf_str_add(out, "\n");
}

void markdown_build(const json_t *m, struct buf *out)
{
    const json_t *build = json_obj(m, "build"), *timings = json_obj(build, "timings");
    if (!json_object_size(build))
        return;
    buf_str_add(out, "## Build\n\n");
    if (timings) {
        char total[TEXT_NUMBER], work[TEXT_NUMBER], scripts[TEXT_NUMBER];
        text_seconds(json_num(timings, "total_s", -1), total);
        text_seconds(json_num(timings, "work_s", -1), work);
        text_seconds(json_num(timings, "build_script_s", -1), scripts);
        md_put(out, "%lld units in %s; work of all processors %s, of it build scripts %s.\n\n",
               (long long)json_int(timings, "units", 0), total, work, scripts);
    }
    add_tools(build, out);
    if (json_array_size(json_list(timings, "slowest"))) {
        fold_open(out, "Slowest units and critical path");
        add_units(json_list(timings, "slowest"), "slowest units", out);
        add_units(json_list(timings, "critical_path"), "critical path", out);
        fold_close(out);
    }
}

// --- tests, limits, stages ---

static void add_counts(struct md_table *t, const char *side, const json_t *counts)
{
    if (!counts)
        return;
    md_cell(t, "%s", side);
    md_cell(t, "%lld", (long long)json_int(counts, "passed", 0));
    md_cell(t, "%lld", (long long)json_int(counts, "failed", 0));
    md_cell(t, "%lld", (long long)json_int(counts, "ignored", 0));
}

void markdown_tests(const json_t *m, struct buf *out)
{
    const json_t *tests = json_obj(m, "tests"), *before = json_obj(tests, "before");
    if (!before)
        return;
    struct md_table t = {.columns = 4, .right = 1u << 1 | 1u << 2 | 1u << 3};
    buf_str_add(out, "## Tests of the project\n\n");
    static const char *const HEAD[] = {"side", "passed", "failed", "ignored"};
    for (size_t i = 0; i < ARRAY_LEN(HEAD); i++)
        md_cell(&t, "%s", HEAD[i]);
    add_counts(&t, "before", before);
    add_counts(&t, "after", json_obj(tests, "after"));
    md_table_write(&t, out);
    if (json_str(before, "limit", NULL))
        md_put(out, "They were no gate: %s\n\n", json_str(before, "limit", ""));
}

void markdown_limits(const json_t *m, struct buf *out)
{
    size_t i, n = json_array_size(json_list(m, "limits"));
    json_t *text;
    json_array_foreach (json_list(m, "limits"), i, text) {
        buf_str_add(out, i ? "" : "## What could not be done\n\n");
        md_put(out, "- %s\n", json_is_string(text) ? json_string_value(text) : "");
    }
    buf_str_add(out, n ? "\n" : "");
}

void markdown_budget(const json_t *m, struct buf *out)
{
    struct md_table t = {.columns = 4, .right = 1u << 1 | 1u << 2 | 1u << 3};
    static const char *const HEAD[] = {"limit of", "used", "set aside", "limit"};
    const char *name;
    json_t *row;
    if (!json_object_size(json_obj(m, "budget")))
        return;
    buf_str_add(out, "## Limits\n\n");
    for (size_t i = 0; i < ARRAY_LEN(HEAD); i++)
        md_cell(&t, "%s", HEAD[i]);
    json_object_foreach (json_obj(m, "budget"), name, row) {
        AUTO_FREE char *used = text_budget_new(name, json_object_get(row, "used")),
                       *set_aside = text_budget_new(name, json_object_get(row, "reserved"));
        AUTO_FREE char *limit = text_budget_new(name, json_object_get(row, "limit"));
        md_cell(&t, "%s", name);
        md_cell(&t, "%s", used);
        md_cell(&t, "%s", set_aside);
        md_cell(&t, "%s", limit);
    }
    md_table_write(&t, out);
}

void markdown_stages(const json_t *m, struct buf *out)
{
    struct md_table t = {.columns = 6, .right = 1u << 0 | 1u << 4};
    static const char *const HEAD[] = {"stage", "agent", "mode", "state", "time", "summary"};
    size_t i;
    json_t *row;
    if (!json_array_size(json_list(m, "stages")))
        return;
    buf_str_add(out, "## Stages\n\n");
    for (i = 0; i < ARRAY_LEN(HEAD); i++)
        md_cell(&t, "%s", HEAD[i]);
    json_array_foreach (json_list(m, "stages"), i, row) {
        char time[TEXT_NUMBER];
        int64_t attempt = json_int(row, "attempt", 1);
        text_ms(json_int(row, "elapsed_ms", 0), time);
        md_cell(&t, "%lld", (long long)json_int(row, "seq", 0));
        md_cell(&t, "%s", json_str(row, "agent", "?"));
        md_cell(&t, "%s", json_str(row, "mode", "–"));
        if (json_str(row, "reused_from", NULL))
            md_cell(&t, "%s, from %s", text_state(json_str(row, "state", "?")), json_str(row, "reused_from", ""));
        else if (attempt > 1)
            md_cell(&t, "%s, attempt %lld", text_state(json_str(row, "state", "?")), (long long)attempt);
        else
            md_cell(&t, "%s", text_state(json_str(row, "state", "?")));
        md_cell(&t, "%s", time);
        md_cell(&t, "%s", json_str(row, "summary", "–"));
    }
    md_table_write(&t, out);
}

// --- commands ---

static bool is_refused(const json_t *command)
{
    return str_eq(json_str(command, "decision", ""), "deny");
}

void markdown_children(const json_t *m, struct buf *out)
{
    AUTO_JSON json_t *rows = children_rows_new(json_list(m, "children"));
    struct md_table t = {.columns = 3};
    if (!json_array_size(rows))
        return;
    buf_str_add(out, "## Runs below it\n\n");
    md_cell(&t, "workflow");
    md_cell(&t, "run");
    md_cell(&t, "state");
    size_t i;
    json_t *row;
    json_array_foreach (rows, i, row) {
        AUTO_FREE char *waits = text_waits_new(NULL, json_list(row, "waits"));
        char indent[2 * 3 * 16 + 1] = "";
        for (int64_t depth = json_int(row, "depth", 0); depth > 0 && strlen(indent) + 5 < sizeof(indent); depth--)
            strcat(indent, "– ");
        md_cell(&t, "%s%s", indent, json_str(row, "workflow", "?"));
        md_cell(&t, "%s", json_str(row, "run", "?"));
        md_cell(&t, "%s%s", waits ? "waits " : text_state(json_str(row, "state", "?")), waits ? waits : "");
    }
    md_table_write(&t, out);
}

static void add_refusals(const json_t *commands, struct buf *out)
{
    size_t i, n = 0;
    json_t *c;
    json_array_foreach (commands, i, c) {
        if (!is_refused(c) || n > COMMANDS_SHOWN)
            continue;
        struct buf line = BUF_INIT;
        text_command(&line, c);
        buf_str_add(out, n++ ? "" : "The policy refused:\n\n");
        buf_str_add(out, "- ");
        md_code(out, buf_str(&line));
        md_put(out, " to %s: %s", json_str(c, "agent", "?"),
               json_str(c, "reason", json_str(c, "rule", "no rule allows it")));
        if (json_str(c, "where", NULL))
            md_put(out, " (%s)", json_str(c, "where", ""));
        buf_str_add(out, "\n");
        buf_free(&line);
    }
    buf_str_add(out, n ? "\n" : "");
}

// One fenced block for the commands of one stage. Folder and outcome stand behind '#', so that lines can be pasted.
static void add_stage_commands(const json_t *commands, int64_t stage, struct buf *out)
{
    struct buf text = BUF_INIT;
    const char *cwd = NULL, *agent = "";
    size_t i, n = 0;
    json_t *c;
    json_array_foreach (commands, i, c) {
        if (json_int(c, "stage", 0) != stage || is_refused(c) || ++n > COMMANDS_SHOWN)
            continue;
        agent = json_str(c, "agent", "?");
        const char *here = json_str(c, "cwd", NULL);
        if (here && !str_eq(here, cwd)) {
            buf_str_add(&text, "cd ");
            text_shell_word(&text, here);
            buf_char(&text, '\n');
            cwd = here;
        }
        text_command(&text, c);
        buf_str_add(&text, "  # ");
        text_outcome(&text, c);
        buf_char(&text, '\n');
    }
    if (n) {
        AUTO_FREE char *summary =
            str_printf("Stage %lld, %s: %zu command%s", (long long)stage, agent, n, n == 1 ? "" : "s");
        fold_open(out, summary);
        md_fenced(out, "sh", buf_str(&text));
        if (n > COMMANDS_SHOWN)
            md_put(out, "and %zu more, see report.json\n", n - COMMANDS_SHOWN);
        fold_close(out);
    }
    buf_free(&text);
}

void markdown_commands(const json_t *m, struct buf *out)
{
    const json_t *commands = json_list(m, "commands");
    size_t i;
    json_t *stage;
    if (!json_array_size(commands))
        return;
    buf_str_add(out, "## Exact commands\n\n");
    add_refusals(commands, out);
    json_array_foreach (json_list(m, "stages"), i, stage)
        add_stage_commands(commands, json_int(stage, "seq", 0), out);
}

// --- host, reproduce ---

void markdown_host(const json_t *m, struct buf *out)
{
    const json_t *host = json_obj(m, "host"), *toolchain = json_obj(m, "toolchain");
    static const char *const TOOLS[][2] = {
        {"rustc", "rustc"}, {"cargo", "cargo"}, {"target", "target"}, {"llvm", "LLVM"}};
    static const char *const FACTS[][2] = {{"cpu", "CPU"},
                                           {"kernel", "kernel"},
                                           {"arch", "architecture"},
                                           {"virt", "virtualisation"},
                                           {"container", "container"},
                                           {"governor", "frequency governor"}};
    if (!host && !toolchain)
        return;
    buf_str_add(out, "## Toolchain and host\n\n");
    for (size_t i = 0; i < ARRAY_LEN(TOOLS); i++)
        if (json_str(toolchain, TOOLS[i][0], NULL))
            md_put(out, "- %s: %s\n", TOOLS[i][1], json_str(toolchain, TOOLS[i][0], ""));
    for (size_t i = 0; i < ARRAY_LEN(FACTS); i++)
        if (json_str(host, FACTS[i][0], NULL))
            md_put(out, "- %s: %s\n", FACTS[i][1], json_str(host, FACTS[i][0], ""));
    if (json_is_integer(json_object_get(host, "cores")))
        md_put(out, "- processors: %lld\n", (long long)json_int(host, "cores", 0));
    if (json_is_integer(json_object_get(host, "memory_kb"))) {
        char memory[TEXT_NUMBER];
        text_bytes((double)json_int(host, "memory_kb", 0) * 1024, memory);
        md_put(out, "- memory: %s\n", memory);
    }
    if (json_is_number(json_object_get(host, "load1")))
        md_put(out, "- load at the start: %.1f\n", json_num(host, "load1", 0));
    size_t i;
    json_t *text;
    json_array_foreach (json_list(host, "warnings"), i, text)
        md_put(out, "- **note**: %s\n", json_is_string(text) ? json_string_value(text) : "");
    buf_str_add(out, "\n");
}

void markdown_reproduce(const json_t *m, struct buf *out)
{
    struct buf text = BUF_INIT;
    size_t i;
    json_t *line;
    json_array_foreach (json_list(m, "reproduce"), i, line)
        buf_printf(&text, "%s\n", json_is_string(line) ? json_string_value(line) : "");
    buf_str_add(out, "## How to reproduce\n\n");
    md_fenced(out, "sh", buf_str(&text));
    buf_free(&text);
}
