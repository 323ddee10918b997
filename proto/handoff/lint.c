// The reader's diagnostics plus what only strict readers and line-based recipes mind.
#include "handoff/handoff_read.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "handoff/handoff.h"
#include "handoff/handoff_md.h"
#include "handoff/read_parts.h"
#include "json/json.h"

#include <string.h>

static const char *const flat_keys[] = {"id", "parent", "agent", "status", "summary", "next_agent", "next_task"};

static void lint_values(const json_t *values, const json_t *lines, json_t *out)
{
    for (size_t i = 0; i < ARRAY_LEN(flat_keys); i++)
        if (!json_object_get(values, flat_keys[i]))
            diag_add(out, 0, "warning", "the frontmatter lacks '%s'", flat_keys[i]);
    for (void *it = json_object_iter((json_t *)(uintptr_t)values); it;
         it = json_object_iter_next((json_t *)(uintptr_t)values, it)) {
        const char *key = json_object_iter_key(it);
        const json_t *v = json_object_iter_value(it);
        AUTO_FREE char *pointer = str_printf("/%s", key);
        int line = (int)json_int(lines, pointer, 0);
        if ((json_is_object(v) || json_is_array(v)) && !str_eq(key, "parent"))
            diag_add(out, line, "warning", "'%s' is not a flat value; 'parent' is the only list a strict reader knows",
                     key);
        if (json_is_string(v) && strchr(json_string_value(v), '\n') && !str_eq(key, "next_task"))
            diag_add(out, line, "warning", "'%s' has several lines; expected one", key);
    }
    if (strlen(json_str(values, "summary", "")) > HANDOFF_SUMMARY_MAX)
        diag_add(out, (int)json_int(lines, "/summary", 0), "info", "the summary is longer than %d bytes",
                 HANDOFF_SUMMARY_MAX);
}

// grep '^parent:' must find the ids, so a list has to stand on that line.
static void lint_lines(const struct front *f, const json_t *values, json_t *out)
{
    const char *p = f->yaml, *end = f->yaml + f->yaml_len;
    bool found = false;
    for (int line = f->yaml_line; p < end; line++) {
        const char *q = memchr(p, '\n', (size_t)(end - p));
        size_t n = q ? (size_t)(q - p) : (size_t)(end - p);
        if (n >= 7 && memcmp(p, "parent:", 7) == 0) {
            found = true;
            AUTO_FREE char *rest = str_ndup(p + 7, n - 7);
            if (!*str_trim(rest) && json_array_size(json_object_get(values, "parent")) > 0)
                diag_add(out, line, "warning", "the parents stand on lines of their own; line-based readers lose them");
        }
        if (n > 0 && p[n - 1] == '\r' && line == f->yaml_line)
            diag_add(out, line, "info", "lines end in CR LF");
        p = q ? q + 1 : end;
    }
    if (!found && json_object_get(values, "parent"))
        diag_add(out, f->yaml_line, "warning", "'parent' does not begin its line; line-based readers lose it");
}

static bool has_heading(const json_t *headings, const char *title)
{
    for (size_t i = 0; i < json_array_size(headings); i++)
        if (str_eq_nocase(json_string_value(json_array_get(headings, i)), title))
            return true;
    return false;
}

static void lint_body(const struct front *f, const json_t *h, json_t *out)
{
    AUTO_JSON json_t *headings = json_array(), *parts = json_object();
    body_parse(f->body, f->body_len, false, parts, headings);
    static const char *const required[] = {"Context", "Output"};
    for (size_t i = 0; i < ARRAY_LEN(required); i++)
        if (!has_heading(headings, required[i]))
            diag_add(out, f->body_line, "warning", "the body lacks '## %s'", required[i]);
    bool blocked = str_eq(json_str(h, "status", NULL), "blocked");
    if (blocked && !has_heading(headings, "Blockers"))
        diag_add(out, f->body_line, "warning", "the status is blocked, but the body lacks '## Blockers'");
    if (!blocked && has_heading(headings, "Blockers"))
        diag_add(out, f->body_line, "warning", "'## Blockers' stands in a handoff that is not blocked");
    size_t lines = 0;
    for (size_t i = 0; i < f->body_len; i++)
        lines += f->body[i] == '\n';
    if (lines > HANDOFF_BODY_LINES)
        diag_add(out, f->body_line, "info", "the body has %zu lines; the target is %d", lines, HANDOFF_BODY_LINES);
}

json_t *handoff_lint_new(const char *text, size_t len, const char *file_name)
{
    struct err err = {0};
    AUTO_JSON json_t *h = handoff_read_new(text, len, file_name, &err);
    json_t *out = json_array();
    if (!h) {
        diag_add(out, 0, "error", "%s", err.text);
        return out;
    }
    json_array_extend(out, json_list(h, "diagnostics"));
    const char *era = json_str(h, "era", "");
    if (str_eq(era, "C") || str_eq(era, "D")) {
        struct front f;
        AUTO_JSON json_t *ignored = json_array(), *lines = json_object();
        front_split(text, len, &f, ignored);
        AUTO_JSON json_t *values = front_parse_new(f.yaml, f.yaml_len, f.yaml_line, lines, ignored);
        lint_values(values, lines, out);
        lint_lines(&f, values, out);
        lint_body(&f, h, out);
    }
    if (!*json_str(h, "summary", ""))
        diag_add(out, 0, "warning", "the handoff has no summary");
    return out;
}
