// What happened and how to do it again: limits, stages, commands, host, reproduction.
#include "report/html_parts.h"

#include "base/mem.h"
#include "base/str.h"
#include "report/children.h"
#include "report/html.h"
#include "report/text.h"

void html_limits(const json_t *m, struct buf *out)
{
    size_t i;
    json_t *text;
    json_array_foreach (json_list(m, "limits"), i, text) {
        buf_str_add(out, i ? "" : "<section><h2>What could not be done</h2><ul class=\"list\">");
        html_put(out, "<li>%s</li>", json_string_value(text));
    }
    if (i > 0)
        buf_str_add(out, "</ul></section>\n");
}

static const char *state_tone(const char *state)
{
    return str_eq(state, "completed")          ? "good"
           : str_eq(state, "reserved")         ? "mute"
           : str_eq(state, "needs_discussion") ? "warn"
                                               : "bad";
}

static const char *run_tone(const char *state)
{
    enum run_state known = RUN_FAILED;
    run_state_from_name(state, &known);
    return !run_state_final(known)                                                                     ? "mute"
           : known == RUN_ACCEPTED || known == RUN_CONTINUED                                           ? "good"
           : known == RUN_NEEDS_DISCUSSION || known == RUN_NOTHING_MEASURABLE || known == RUN_REJECTED ? "warn"
                                                                                                       : "bad";
}

void html_budget(const json_t *m, struct buf *out)
{
    const char *name;
    json_t *row;
    if (!json_object_size(json_obj(m, "budget")))
        return;
    buf_str_add(out,
                "<section><h2>Limits</h2><div class=\"scroll\"><table><tr><th>limit of</th><th class=\"n\">used</th>"
                "<th class=\"n\">set aside</th><th class=\"n\">limit</th></tr>");
    json_object_foreach (json_obj(m, "budget"), name, row) {
        AUTO_FREE char *used = text_budget_new(name, json_object_get(row, "used")),
                       *set_aside = text_budget_new(name, json_object_get(row, "reserved"));
        AUTO_FREE char *limit = text_budget_new(name, json_object_get(row, "limit"));
        html_put(out, "<tr><td>%s</td><td class=\"n\">%s</td><td class=\"n\">%s</td><td class=\"n\">%s</td></tr>", name,
                 used, set_aside, limit);
    }
    buf_str_add(out, "</table></div></section>\n");
}

void html_stages(const json_t *m, struct buf *out)
{
    size_t i;
    json_t *row;
    if (!json_array_size(json_list(m, "stages")))
        return;
    buf_str_add(out, "<section><h2>Stages</h2><div "
                     "class=\"scroll\"><table><tr><th>#</th><th>agent</th><th>state</th><th class=\"n\">time</th>"
                     "<th>summary</th></tr>");
    json_array_foreach (json_list(m, "stages"), i, row) {
        char time[TEXT_NUMBER];
        const char *state = json_str(row, "state", "?"), *mode = json_str(row, "mode", NULL),
                   *verdict = json_str(row, "verdict", NULL);
        text_ms(json_int(row, "elapsed_ms", 0), time);
        html_put(out, "<tr><td>%lld</td><td>%s", (long long)json_int(row, "seq", 0), json_str(row, "agent", "?"));
        if (mode)
            html_put(out, "<br><small>%s</small>", mode);
        html_put(out, "</td><td class=\"%s\">%s", state_tone(state), text_state(state));
        if (json_int(row, "attempt", 1) > 1)
            html_put(out, "<br><small>attempt %lld</small>", (long long)json_int(row, "attempt", 1));
        if (json_str(row, "reused_from", NULL))
            html_put(out, "<br><small>from %s</small>", json_str(row, "reused_from", ""));
        html_put(out, "</td><td class=\"n\">%s</td><td>%s", time, json_str(row, "summary", ""));
        if (verdict)
            html_put(out, "<br><small>verdict: %s</small>", text_state(verdict));
        buf_str_add(out, "</td></tr>");
    }
    buf_str_add(out, "</table></div></section>\n");
}

void html_children(const json_t *m, struct buf *out)
{
    AUTO_JSON json_t *rows = children_rows_new(json_list(m, "children"));
    size_t i;
    json_t *row;
    json_array_foreach (rows, i, row) {
        AUTO_FREE char *waits = text_waits_new(NULL, json_list(row, "waits"));
        buf_str_add(out, i ? ""
                           : "<section><h2>Runs below it</h2><div class=\"scroll\"><table><tr><th>workflow</th>"
                             "<th>run</th><th>state</th></tr>");
        buf_str_add(out, "<tr><td>");
        for (int64_t depth = json_int(row, "depth", 0); depth > 0; depth--)
            buf_str_add(out, "– ");
        html_put(out, "%s</td><td>%s</td><td class=\"%s\">%s%s</td></tr>", json_str(row, "workflow", "?"),
                 json_str(row, "run", "?"), run_tone(json_str(row, "state", "")),
                 waits ? "waits " : text_state(json_str(row, "state", "?")), waits ? waits : "");
    }
    if (i > 0)
        buf_str_add(out, "</table></div></section>\n");
}

// --- commands ---

static bool is_refused(const json_t *command)
{
    return str_eq(json_str(command, "decision", ""), "deny");
}

static void add_refusals(const json_t *commands, struct buf *out)
{
    size_t i;
    json_t *c;
    json_array_foreach (commands, i, c) {
        if (!is_refused(c))
            continue;
        struct buf line = BUF_INIT;
        text_command(&line, c);
        html_put(out, "<p class=\"note stop\">The policy refused <code>%s</code> to %s: %s", buf_str(&line),
                 json_str(c, "agent", "?"), json_str(c, "reason", json_str(c, "rule", "no rule allows it")));
        if (json_str(c, "where", NULL))
            html_put(out, " <small>(%s)</small>", json_str(c, "where", ""));
        buf_str_add(out, "</p>");
        buf_free(&line);
    }
}

static void add_command(const json_t *c, struct buf *out)
{
    struct buf line = BUF_INIT, outcome = BUF_INIT;
    bool failed = json_int(c, "exit", 1) != 0;
    text_command(&line, c);
    text_outcome(&outcome, c);
    html_put(out, "%s  <i%s># %s</i>\n", buf_str(&line), failed ? " class=\"bad\"" : "", buf_str(&outcome));
    buf_free(&line);
    buf_free(&outcome);
}

static void add_folder(const char *cwd, struct buf *out)
{
    struct buf word = BUF_INIT;
    text_shell_word(&word, cwd);
    html_put(out, "cd %s\n", buf_str(&word));
    buf_free(&word);
}

static void add_stage_commands(const json_t *commands, const json_t *stage, struct buf *out)
{
    struct buf text = BUF_INIT;
    const char *cwd = NULL;
    size_t i, n = 0;
    json_t *c;
    json_array_foreach (commands, i, c) {
        if (json_int(c, "stage", 0) != json_int(stage, "seq", 0) || is_refused(c) || ++n > HTML_COMMANDS_SHOWN)
            continue;
        const char *here = json_str(c, "cwd", NULL);
        if (here && !str_eq(here, cwd))
            add_folder(here, &text);
        cwd = here ? here : cwd;
        add_command(c, &text);
    }
    if (n) {
        html_put(out, "<details><summary>Stage %lld, %s <small>%zu command%s</small></summary><pre>",
                 (long long)json_int(stage, "seq", 0), json_str(stage, "agent", "?"), n, n == 1 ? "" : "s");
        buf_str_add(out, buf_str(&text));
        buf_str_add(out, "</pre>");
        if (n > HTML_COMMANDS_SHOWN)
            html_put(out, "<p class=\"mute\">and %zu more, see report.json</p>", n - HTML_COMMANDS_SHOWN);
        buf_str_add(out, "</details>");
    }
    buf_free(&text);
}

void html_commands(const json_t *m, struct buf *out)
{
    const json_t *commands = json_list(m, "commands");
    size_t i;
    json_t *stage;
    if (!json_array_size(commands))
        return;
    buf_str_add(out, "<section><h2>Exact commands</h2>");
    add_refusals(commands, out);
    json_array_foreach (json_list(m, "stages"), i, stage)
        add_stage_commands(commands, stage, out);
    buf_str_add(out, "</section>\n");
}

// --- host, reproduction ---

static void fact(struct buf *out, const json_t *from, const char *key, const char *name)
{
    if (json_str(from, key, NULL))
        html_put(out, "<dt>%s</dt><dd>%s</dd>", name, json_str(from, key, ""));
}

void html_host(const json_t *m, struct buf *out)
{
    const json_t *host = json_obj(m, "host"), *toolchain = json_obj(m, "toolchain");
    if (!host && !toolchain)
        return;
    buf_str_add(out, "<section><h2>Toolchain and host</h2><dl class=\"kv\">");
    fact(out, toolchain, "rustc", "rustc");
    fact(out, toolchain, "cargo", "cargo");
    fact(out, toolchain, "target", "target");
    fact(out, toolchain, "llvm", "LLVM");
    fact(out, host, "cpu", "CPU");
    if (json_is_integer(json_object_get(host, "cores")))
        html_put(out, "<dt>processors</dt><dd>%lld</dd>", (long long)json_int(host, "cores", 0));
    if (json_is_integer(json_object_get(host, "memory_kb"))) {
        char memory[TEXT_NUMBER];
        text_bytes((double)json_int(host, "memory_kb", 0) * 1024, memory);
        html_put(out, "<dt>memory</dt><dd>%s</dd>", memory);
    }
    fact(out, host, "kernel", "kernel");
    fact(out, host, "arch", "architecture");
    fact(out, host, "virt", "virtualisation");
    fact(out, host, "container", "container");
    fact(out, host, "governor", "frequency governor");
    if (json_is_number(json_object_get(host, "load1")))
        html_put(out, "<dt>load at the start</dt><dd>%.1f</dd>", json_num(host, "load1", 0));
    buf_str_add(out, "</dl>");
    size_t i;
    json_t *text;
    json_array_foreach (json_list(host, "warnings"), i, text)
        html_put(out, "<p class=\"note\">%s</p>", json_string_value(text));
    buf_str_add(out, "</section>\n");
}

void html_reproduce(const json_t *m, struct buf *out)
{
    size_t i;
    json_t *line;
    buf_str_add(out, "<section><h2>How to reproduce</h2><pre>");
    json_array_foreach (json_list(m, "reproduce"), i, line)
        html_put(out, "%s\n", json_string_value(line));
    buf_str_add(out, "</pre></section>\n");
}
