// Frontmatter. YAML first; when that fails, a reader that goes line by line and understands what handoffs are made of:
// keys at column 0, indented maps and lists below them. It never fails.
#include "handoff/read_parts.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "handoff/text.h"
#include "json/json.h"
#include "json/yaml.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LINE_DEPTH_MAX  12
#define DIAGNOSTICS_MAX 100

void diag_add(json_t *diagnostics, int line, const char *level, const char *fmt, ...)
{
    if (json_array_size(diagnostics) >= DIAGNOSTICS_MAX)
        return;
    char text[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    AUTO_JSON json_t *clean = json_text_new(text, strlen(text));
    AUTO_FREE char *one = text_line_new(json_string_value(clean), 600);
    json_t *d = json_object();
    json_put_int(d, "line", line);
    json_put_str(d, "level", level);
    json_put_str(d, "text", one);
    json_array_append_new(diagnostics, d);
}

struct line {
    const char *text; // behind the indentation
    size_t len, indent;
    int number;
};

struct line_reader {
    struct line *lines;
    size_t count, next;
    json_t *numbers; // "/key" -> line
};

static const char *next_line(const char *p, const char *end)
{
    const char *q = memchr(p, '\n', (size_t)(end - p));
    return q ? q + 1 : end;
}

void front_split(const char *text, size_t len, struct front *ret, json_t *diagnostics)
{
    const char *p = text, *end = text + len;
    int line = 1;
    *ret = (struct front){.body = text, .body_len = len, .body_line = 1};
    if (len >= 3 && memcmp(p, "\xEF\xBB\xBF", 3) == 0) {
        diag_add(diagnostics, 1, "warning",
                 "a byte order mark stands before the first '---'; line-based readers miss the frontmatter");
        p += 3;
    }
    while (p < end && (*p == '\n' || *p == '\r')) {
        line += *p == '\n';
        p++;
    }
    if (end - p < 3 || memcmp(p, "---", 3) != 0)
        return;
    if (line > 1)
        diag_add(diagnostics, 1, "warning", "blank lines stand before the first '---'");
    p = next_line(p, end);
    ret->fenced = true;
    ret->yaml = p;
    ret->yaml_line = ++line;
    for (; p < end; p = next_line(p, end), line++) {
        bool closing = end - p >= 3 && memcmp(p, "---", 3) == 0;
        if (!closing && *p != '#')
            continue;
        if (!closing)
            diag_add(diagnostics, line, "error",
                     "the frontmatter is not closed; expected a line '---' before the first heading");
        ret->yaml_len = (size_t)(p - ret->yaml);
        ret->body = closing ? next_line(p, end) : p;
        ret->body_line = line + (closing ? 1 : 0);
        ret->body_len = (size_t)(end - ret->body);
        return;
    }
    diag_add(diagnostics, ret->yaml_line, "error", "the frontmatter is not closed; expected a second line '---'");
    ret->yaml_len = (size_t)(end - ret->yaml);
    ret->body = end;
    ret->body_line = line;
    ret->body_len = 0;
}

// --- line by line ---

static json_t *unquote_new(const char *s, size_t len)
{
    AUTO_BUF struct buf b = BUF_INIT;
    char quote = s[0];
    for (size_t i = 1; i + 1 < len; i++) {
        if (quote == '"' && s[i] == '\\' && i + 2 < len) {
            i++;
            buf_char(&b, s[i] == 'n' ? '\n' : s[i] == 't' ? '\t' : s[i]);
        } else {
            buf_char(&b, s[i]);
            i += quote == '\'' && s[i] == '\'' && s[i + 1] == '\'';
        }
    }
    return json_text_new(buf_str(&b), b.len);
}

static json_t *scalar_new(const char *s, size_t len);

static json_t *flow_list_new(const char *s, size_t len)
{
    json_t *list = json_array();
    size_t start = 1;
    for (size_t i = 1; i < len; i++) {
        if (s[i] != ',' && i + 1 != len)
            continue;
        json_t *item = scalar_new(s + start, i - start);
        if (json_is_null(item))
            json_decref(item);
        else
            json_array_append_new(list, item);
        start = i + 1;
    }
    return list;
}

static json_t *scalar_new(const char *s, size_t len)
{
    while (len > 0 && strchr(" \t\r", *s)) {
        s++;
        len--;
    }
    while (len > 0 && strchr(" \t\r", s[len - 1]))
        len--;
    bool quoted = len >= 2 && (*s == '"' || *s == '\'');
    for (size_t i = 1; !quoted && i < len; i++)
        if (s[i] == '#' && (s[i - 1] == ' ' || s[i - 1] == '\t'))
            return scalar_new(s, i);
    if (len == 0 || *s == '#' || (len == 1 && *s == '~') || (len == 4 && memcmp(s, "null", 4) == 0))
        return json_null();
    if (quoted) {
        const char *close = memrchr(s + 1, *s, len - 1);
        const char *rest = close ? close + 1 + strspn(close + 1, " \t") : NULL;
        if (close && (rest >= s + len || *rest == '#'))
            return unquote_new(s, (size_t)(close - s) + 1);
    }
    if (*s == '[' && s[len - 1] == ']')
        return flow_list_new(s, len);
    char number[24];
    int64_t i = 0;
    if (len < sizeof(number)) {
        memcpy(number, s, len);
        number[len] = '\0';
        if (*s != '+' && str_to_i64(number, &i))
            return json_integer(i);
    }
    return json_text_new(s, len);
}

// Length of the key when the line is `key: …`, else 0.
static size_t key_length(const struct line *l)
{
    for (size_t i = 0; i < l->len; i++) {
        char c = l->text[i];
        if (c == ':')
            return i > 0 && (i + 1 == l->len || l->text[i + 1] == ' ' || l->text[i + 1] == '\t' ||
                             l->text[i + 1] == '\r')
                       ? i
                       : 0;
        if (strchr(" \t\"'{}[],#&*!|>%@`", c) || i > 64)
            return 0;
    }
    return 0;
}

static bool is_item(const struct line *l)
{
    return l->len > 0 && l->text[0] == '-' && (l->len == 1 || l->text[1] == ' ');
}

static json_t *block_new(struct line_reader *r, size_t indent, int depth);

// Lines that are deeper than `indent`, as text.
static json_t *text_of_lines_new(struct line_reader *r, size_t indent)
{
    AUTO_BUF struct buf b = BUF_INIT;
    for (; r->next < r->count && r->lines[r->next].indent >= indent; r->next++) {
        const struct line *l = &r->lines[r->next];
        buf_printf(&b, "%s%*s%.*s", b.len ? "\n" : "", (int)(l->indent - indent), "", (int)l->len, l->text);
    }
    return json_text_new(buf_str(&b), b.len);
}

// What follows "key:" or "-": a scalar on the line, or the deeper lines below.
static json_t *value_new(struct line_reader *r, const char *rest, size_t len, size_t indent, int depth)
{
    json_t *v = scalar_new(rest, len);
    const char *s = json_string_value(v);
    bool literal = s && (*s == '|' || *s == '>') && strlen(s) <= 3;
    bool deeper = r->next < r->count && r->lines[r->next].indent > indent;
    // A list may stand at the same indentation as its key.
    bool level_list =
        json_is_null(v) && r->next < r->count && r->lines[r->next].indent == indent && is_item(&r->lines[r->next]);
    if (!deeper && !(level_list && rest[-1] == ':'))
        return v;
    if (json_is_null(v) || literal) {
        json_decref(v);
        size_t below = r->lines[r->next].indent;
        return literal || depth > LINE_DEPTH_MAX ? text_of_lines_new(r, below) : block_new(r, below, depth + 1);
    }
    // A plain scalar that goes on: one blank for each line end.
    AUTO_BUF struct buf b = BUF_INIT;
    AUTO_FREE char *first = json_is_string(v) ? str_dup(s) : json_dumps(v, JSON_ENCODE_ANY);
    buf_str_add(&b, first);
    for (; r->next < r->count && r->lines[r->next].indent > indent; r->next++)
        buf_printf(&b, " %.*s", (int)r->lines[r->next].len, r->lines[r->next].text);
    json_decref(v);
    return json_text_new(buf_str(&b), b.len);
}

static json_t *list_new(struct line_reader *r, size_t indent, int depth)
{
    json_t *list = json_array();
    while (r->next < r->count && r->lines[r->next].indent == indent && is_item(&r->lines[r->next])) {
        struct line *l = &r->lines[r->next];
        size_t skip = l->len > 1 ? 2 : 1;
        struct line inner = {
            .text = l->text + skip, .len = l->len - skip, .indent = l->indent + skip, .number = l->number};
        if (key_length(&inner) > 0 && depth <= LINE_DEPTH_MAX) { // "- key: value" begins a map
            *l = inner;
            json_array_append_new(list, block_new(r, inner.indent, depth + 1));
            continue;
        }
        r->next++;
        json_array_append_new(list, value_new(r, inner.text, inner.len, indent, depth));
    }
    return list;
}

static json_t *map_new(struct line_reader *r, size_t indent, int depth)
{
    json_t *map = json_object();
    while (r->next < r->count && r->lines[r->next].indent >= indent) {
        const struct line *l = &r->lines[r->next];
        size_t n = l->indent == indent ? key_length(l) : 0;
        r->next++;
        if (n == 0)
            continue; // not understood: skipped
        AUTO_FREE char *key = str_ndup(l->text, n);
        if (depth == 0) {
            AUTO_FREE char *pointer = str_printf("/%s", key);
            json_put_int(r->numbers, pointer, l->number);
        }
        json_put(map, key, value_new(r, l->text + n + 1, l->len - n - 1, indent, depth));
    }
    return map;
}

static json_t *block_new(struct line_reader *r, size_t indent, int depth)
{
    const struct line *l = &r->lines[r->next];
    if (is_item(l))
        return list_new(r, indent, depth);
    return key_length(l) > 0 ? map_new(r, indent, depth) : text_of_lines_new(r, indent);
}

static json_t *lines_parse_new(const char *yaml, size_t len, int first_line, json_t *numbers)
{
    VEC(struct line) lines = {0};
    AUTO_FREE char *copy = str_ndup(yaml, len); // scalar_new() looks for the end of blanks
    const char *end = copy + len;
    for (const char *p = copy; p < end; p = next_line(p, end), first_line++) {
        struct line l = {.text = p, .len = (size_t)(next_line(p, end) - p), .number = first_line};
        while (l.len > 0 && (l.text[l.len - 1] == '\n' || l.text[l.len - 1] == '\r'))
            l.len--;
        while (l.len > 0 && (*l.text == ' ' || *l.text == '\t')) {
            l.indent += *l.text == '\t' ? 8 : 1;
            l.text++;
            l.len--;
        }
        if (l.len > 0 && *l.text != '#' && !(l.indent == 0 && l.len >= 3 && memcmp(l.text, "---", 3) == 0))
            vec_push(&lines, l);
    }
    struct line_reader r = {.lines = lines.items, .count = lines.len, .numbers = numbers};
    json_t *map = map_new(&r, 0, 0);
    vec_free(&lines);
    return map;
}

json_t *front_parse_new(const char *yaml, size_t len, int first_line, json_t *lines, json_t *diagnostics)
{
    struct err err = {0};
    AUTO_JSON json_t *places = json_object();
    struct yaml_options options = {.first_line = first_line, .lines = places};
    json_t *v = yaml_parse_new(yaml, len, "frontmatter", &options, &err);
    if (json_is_object(v)) {
        json_object_update(lines, places);
        return v;
    }
    if (v)
        diag_add(diagnostics, first_line, "error", "the frontmatter is not a map of keys and values");
    else
        diag_add(diagnostics, first_line, "warning", "not valid YAML, read line by line: %s", err.text);
    json_decref(v);
    return lines_parse_new(yaml, len, first_line, lines);
}
