// Dry runs. Each one has its own answers: gates open, closed, or closed once; something measurable or not; changes or
// none; approved or not; or one stage that is blocked. What no dry run reaches is reported, not proved unreachable.
#include "script/check.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "budget/budget.h"
#include "script/dry.h"
#include "script/script.h"

#include <stdio.h>
#include <string.h>

struct check {
    const char *text, *name;
    size_t len;
    const struct script_check_host *host;
    json_t *diagnostics, *agents, *outcomes; // agents: name -> first line
    json_t *ends;                            // lines where runs ended, as keys
    int runs;
};

static void report(struct check *c, int line, const char *level, const char *fmt, ...) ATTR_PRINTF(4, 5);

static void report(struct check *c, int line, const char *level, const char *fmt, ...)
{
    char text[ERR_TEXT_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    size_t i;
    const json_t *d;
    json_array_foreach(c->diagnostics, i, d)
    {
        if (json_int(d, "line", -1) == line && str_eq(json_str(d, "text", ""), text))
            return;
    }
    json_t *one = json_object();
    json_put_int(one, "line", line);
    json_put_str(one, "level", level);
    json_put_str(one, "text", text);
    json_array_append_new(c->diagnostics, one);
}

// "relay.lua:12: message\n  at …" -> 12 and "message".
static void report_error(struct check *c, const struct err *err, const char *level, const char *prefix)
{
    const char *text = err->text;
    int line = 0, used = 0;
    size_t n = strlen(c->name);
    if (strncmp(text, c->name, n) == 0 && sscanf(text + n, ":%d: %n", &line, &used) == 1 && used > 0)
        text += n + (size_t)used;
    report(c, line, level, "%s%.*s", prefix, (int)strcspn(text, "\n"), text);
}

// --- the text: where finish stands ---

static bool word_char(char ch)
{
    return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') || ch == '_';
}

// Behind "[==[", the end of the long bracket; NULL when there is none here.
static const char *skip_long(const char *p, const char *end)
{
    const char *q = p + 1;
    while (q < end && *q == '=')
        q++;
    if (q >= end || *q != '[')
        return NULL;
    size_t level = (size_t)(q - p - 1);
    for (q++; q < end; q++) {
        if (*q != ']')
            continue;
        const char *r = q + 1;
        while (r < end && *r == '=')
            r++;
        if ((size_t)(r - q - 1) == level && r < end && *r == ']')
            return r + 1;
    }
    return end;
}

static const char *skip_quoted(const char *p, const char *end)
{
    char quote = *p++;
    while (p < end && *p != quote && *p != '\n')
        p += *p == '\\' && p + 1 < end ? 2 : 1;
    return p < end ? p + 1 : end;
}

// Start of the next word outside comments and strings; NULL at the end.
static const char *next_word(const char *p, const char *end, size_t *ret_len)
{
    while (p < end) {
        const char *to = NULL;
        if (*p == '-' && p + 1 < end && p[1] == '-') {
            to = p + 2 < end && p[2] == '[' ? skip_long(p + 2, end) : NULL;
            while (!to && p < end && *p != '\n')
                p++;
        } else if (*p == '[') {
            to = skip_long(p, end);
        } else if (*p == '"' || *p == '\'') {
            to = skip_quoted(p, end);
        } else if (word_char(*p)) {
            size_t n = 0;
            while (p + n < end && word_char(p[n]))
                n++;
            *ret_len = n;
            return p;
        }
        p = to ? to : p < end ? p + 1 : end;
    }
    return NULL;
}

static int line_at(const struct check *c, const char *at)
{
    int line = 1;
    for (const char *p = c->text; p < at; p++)
        line += *p == '\n';
    return line;
}

static void report_unreached(struct check *c)
{
    const char *end = c->text + c->len;
    size_t n = 0;
    for (const char *p = next_word(c->text, end, &n); p; p = next_word(p + n, end, &n)) {
        bool member = p > c->text && (p[-1] == '.' || p[-1] == ':');
        if (n != 6 || strncmp(p, "finish", 6) != 0 || member)
            continue;
        const char *q = p + n;
        while (q < end && (*q == ' ' || *q == '\t'))
            q++;
        char key[16];
        int line = line_at(c, p);
        snprintf(key, sizeof(key), "%d", line);
        if (q < end && strchr("(\"'[{", *q) && !json_object_get(c->ends, key))
            report(c, line, "warning", "this finish was not reached by any of %d dry runs", c->runs);
    }
}

static int line_of_text(const struct check *c, const char *needle)
{
    const char *at = memmem(c->text, c->len, needle, strlen(needle));
    return at ? line_at(c, at) : 0;
}

// --- runs ---

static void note_agent(void *ctx, const char *agent, int line)
{
    struct check *c = ctx;
    if (!json_object_get(c->agents, agent))
        json_put_int(c->agents, agent, line);
}

static void note_workflow(void *ctx, const char *workflow, int line)
{
    struct check *c = ctx;
    if (c->host && c->host->workflow_exists && !c->host->workflow_exists(c->host->ctx, workflow))
        report(c, line, "error", "workflow '%s' does not exist", workflow);
}

static void note_end(struct check *c, const struct script *s)
{
    const char *outcome = json_str(script_result(s), "outcome", "?");
    json_put_int(c->outcomes, outcome, json_int(c->outcomes, outcome, 0) + 1);
    char key[16];
    snprintf(key, sizeof(key), "%d", script_end_line(s));
    json_put_flag(c->ends, key, true);
}

// What a script does when it has failed: as if it had, at the end of this run.
static void run_handlers(struct check *c, struct script *s)
{
    AUTO_JSON json_t *why = json_object();
    struct err err = {0};
    size_t i;
    const json_t *text;
    json_put_str(why, "outcome", "failed");
    json_put_str(why, "reason", "made up");
    if (script_undo(s, why, &err) < 0)
        return;
    json_array_foreach(json_list(json_obj(script_result(s), "result"), "failed"), i, text)
    {
        err_set(&err, ERR_INVALID, "%s", json_string_value(text));
        report_error(c, &err, "warning", "in a handler of on_failure: ");
    }
}

static void run_once(struct check *c, const json_t *params, struct dry scenario)
{
    struct script *s = NULL;
    struct err err = {0};
    if (script_load(c->text, c->len, c->name, NULL, &s, &err) < 0)
        return; // reported by the first loading
    scenario.note_agent = note_agent;
    scenario.note_workflow = note_workflow;
    scenario.ctx = c;
    scenario.script = s;
    struct script_host host = {.ctx = &scenario, .call = dry_call};
    c->runs++;
    if (script_start(s, params, &host, &err) < 0) {
        report(c, 0, "error", "%s", err.text);
    } else if (script_state(s) == SCRIPT_DONE) {
        note_end(c, s);
    } else if (scenario.continued) {
        json_put_int(c->outcomes, "continued", json_int(c->outcomes, "continued", 0) + 1);
    } else if (script_error(s)) {
        // A value that a made-up result does not have is no proof of a mistake.
        bool made_up = scenario.stages > 0 && strstr(script_error(s)->text, "attempt to ");
        if (scenario.calls > DRY_CALLS_MAX)
            report(c, 0, "warning", "a dry run was ended after %d calls; is there a loop without a limit?",
                   DRY_CALLS_MAX);
        else
            report_error(c, script_error(s), made_up ? "warning" : "error", made_up ? "with a made-up result: " : "");
    }
    if (scenario.handlers)
        run_handlers(c, s);
    script_free(s);
}

static void run_all(struct check *c, const json_t *params)
{
    for (unsigned bits = 0; bits < 24; bits++)
        run_once(c, params,
                 (struct dry){.gate = bits % 3,
                              .measurable = (bits / 3) & 1,
                              .changes = (bits / 6) & 1,
                              .approved = (bits / 12) & 1});
    run_once(
        c, params,
        (struct dry){.gate = DRY_GATE_OPEN, .measurable = true, .changes = true, .approved = true, .unproven = true});
    for (int blocked = 1; blocked <= 10; blocked++) {
        struct dry d = {.gate = DRY_GATE_CLOSED_ONCE, .measurable = true, .changes = true, .approved = true};
        d.blocked_stage = blocked;
        run_once(c, params, d);
        d.discuss = true;
        run_once(c, params, d);
    }
}

static json_t *sample_new(const json_t *rule)
{
    const char *type = json_str(rule, "type", "string");
    if (json_list(rule, "one_of"))
        return json_incref(json_array_get(json_list(rule, "one_of"), 0));
    if (str_eq(type, "integer") || str_eq(type, "number"))
        return json_integer(1);
    if (str_eq(type, "boolean"))
        return json_true();
    if (str_eq(type, "list"))
        return json_array();
    return str_eq(type, "object") ? json_object() : json_string("text");
}

// Defaults, then each other choice of each param.
static void run_params(struct check *c, const json_t *declaration)
{
    json_t *rules = json_obj(declaration, "params"), *rule, *choice;
    AUTO_JSON json_t *base = json_object();
    const char *name;
    size_t i;
    json_object_foreach(rules, name, rule)
    {
        if (json_flag(rule, "required", false) && !json_object_get(rule, "default"))
            json_put(base, name, sample_new(rule));
    }
    run_all(c, base);
    struct dry good = {.gate = DRY_GATE_OPEN, .measurable = true, .changes = true, .approved = true};
    json_object_foreach(rules, name, rule)
    {
        AUTO_JSON json_t *given = json_copy(base);
        json_array_foreach(json_list(rule, "one_of"), i, choice)
        {
            json_put(given, name, json_incref(choice));
            run_once(c, given, good);
        }
        if (!json_list(rule, "one_of")) {
            json_t *def = json_object_get(rule, "default");
            json_put(given, name, json_is_boolean(def) ? json_boolean(!json_is_true(def)) : sample_new(rule));
            run_once(c, given, good);
        }
    }
}

static bool listed(const json_t *list, const char *name)
{
    size_t i;
    const json_t *item;
    json_array_foreach(list, i, item)
    {
        if (str_eq(json_string_value(item), name))
            return true;
    }
    return false;
}

static void check_agents(struct check *c, const json_t *declaration)
{
    const json_t *declared = json_list(declaration, "agents");
    const char *name;
    json_t *line;
    size_t i;
    json_t *item;
    json_array_foreach(declared, i, item)
    {
        name = json_string_value(item);
        if (!json_object_get(c->agents, name))
            report(c, line_of_text(c, name), "warning", "agent '%s' is declared but no dry run uses it", name);
        else if (json_int(c->agents, name, 0) == 0)
            json_put_int(c->agents, name, line_of_text(c, name));
        note_agent(c, name, line_of_text(c, name));
    }
    json_object_foreach(c->agents, name, line)
    {
        int at = (int)json_integer_value(line);
        if (!listed(declared, name))
            report(c, at, "warning", "agent '%s' is used but stands neither in chain nor in agents", name);
        if (c->host && c->host->agent_exists && !c->host->agent_exists(c->host->ctx, name))
            report(c, at, "error", "agent '%s' does not exist", name);
    }
}

static void check_limits(struct check *c, const json_t *declaration)
{
    struct err err;
    json_t *limits = budget_limits_new(json_obj(declaration, "limits"), &err);
    if (!limits)
        report(c, line_of_text(c, "limits"), "error", "limits: %s", err.text);
    json_decref(limits);
}

static void check_ends(struct check *c)
{
    report_unreached(c);
    if (json_object_get(c->ends, "0"))
        report(c, 0, "note", "run can end without finish(); that counts as accepted");
}

json_t *script_check_new(const char *text, size_t len, const char *name, const struct script_check_host *host)
{
    struct check c = {.text = text,
                      .name = name,
                      .len = len,
                      .host = host,
                      .diagnostics = json_array(),
                      .agents = json_object(),
                      .outcomes = json_object(),
                      .ends = json_object()};
    json_t *out = json_object();
    json_put_str(out, "file", name);
    struct script *s = NULL;
    struct err err = {0};
    if (script_load(text, len, name, NULL, &s, &err) < 0) {
        report_error(&c, &err, "error", "");
    } else {
        AUTO_JSON json_t *d = script_declaration_new(s);
        script_free(s);
        json_put(out, "name", json_incref(json_object_get(d, "name")));
        json_put(out, "about", json_incref(json_object_get(d, "about")));
        json_put(out, "params", json_incref(json_object_get(d, "params")));
        run_params(&c, d);
        check_agents(&c, d);
        check_limits(&c, d);
        check_ends(&c);
    }
    json_t *agents = json_array(), *line;
    const char *agent;
    json_object_foreach(c.agents, agent, line) json_add_str(agents, agent);
    bool ok = true;
    size_t i;
    const json_t *d;
    json_array_foreach(c.diagnostics, i, d) ok = ok && !str_eq(json_str(d, "level", ""), "error");
    json_put(out, "agents", agents);
    json_put_int(out, "runs", c.runs);
    json_put(out, "outcomes", c.outcomes);
    json_put_flag(out, "ok", ok);
    json_put(out, "diagnostics", c.diagnostics);
    json_decref(c.agents);
    json_decref(c.ends);
    return out;
}
