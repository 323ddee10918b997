// The Markdown body. Structure is found at column 0 and outside code fences; in our own files the writer has marked
// every text line that looks like structure with one blank, so fences do not matter there and texts come back exactly.
#include "handoff/read_parts.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "handoff/text.h"
#include "json/json.h"

#include <string.h>

enum part { PART_START, PART_CONTEXT, PART_OUTPUT, PART_BLOCKERS, PART_ACCEPTANCE, PART_OTHER };

struct body {
    bool ours;
    enum part part;
    char *label;     // of the paragraph or of the other heading
    struct buf text; // of the paragraph so far
    json_t *out, *sections, *acceptance, *headings;
};

struct lines {
    const char *at, *end;
};

static bool take_line(struct lines *l, const char **ret, size_t *ret_len)
{
    if (l->at >= l->end)
        return false;
    const char *q = memchr(l->at, '\n', (size_t)(l->end - l->at));
    *ret = l->at;
    *ret_len = (size_t)((q ? q : l->end) - l->at);
    l->at = q ? q + 1 : l->end;
    while (*ret_len > 0 && (*ret)[*ret_len - 1] == '\r')
        --*ret_len;
    return true;
}

static bool starts(const char *s, size_t len, const char *prefix)
{
    return len >= strlen(prefix) && memcmp(s, prefix, strlen(prefix)) == 0;
}

// Fences count only when they are closed again.
static bool closes_later(struct lines rest, const char *fence)
{
    const char *s = NULL;
    size_t n = 0;
    while (take_line(&rest, &s, &n)) {
        while (n > 0 && *s == ' ') {
            s++;
            n--;
        }
        if (starts(s, n, fence))
            return true;
    }
    return false;
}

static bool toggle_fence(const char **open, const char *s, size_t n, struct lines rest)
{
    while (n > 0 && *s == ' ') {
        s++;
        n--;
    }
    if (*open) {
        if (starts(s, n, *open))
            *open = NULL;
        return true;
    }
    const char *fence = starts(s, n, "```") ? "```" : starts(s, n, "~~~") ? "~~~" : NULL;
    if (fence && closes_later(rest, fence))
        *open = fence;
    return *open != NULL;
}

static void finish_criterion(struct body *b);

static void finish(struct body *b)
{
    if (b->part == PART_ACCEPTANCE)
        finish_criterion(b);
    AUTO_FREE char *text = text_block_new(buf_str(&b->text));
    buf_clear(&b->text);
    switch (b->part) {
    case PART_CONTEXT:
        json_put_str(b->out, "context", text);
        break;
    case PART_BLOCKERS:
        json_put_str(b->out, "blockers", text);
        break;
    case PART_ACCEPTANCE:
        break;
    case PART_START:
    case PART_OUTPUT:
    case PART_OTHER:
        if (*text || (b->label && *b->label)) {
            json_t *section = json_object();
            json_put_str(section, "label", b->label ? b->label : "");
            json_put_str(section, "text", text);
            json_array_append_new(b->sections, section);
        }
        break;
    }
    str_set(&b->label, NULL);
}

static void finish_criterion(struct body *b)
{
    if (b->text.len > 0)
        json_array_append_new(b->acceptance, json_text_new(buf_str(&b->text), b->text.len));
    buf_clear(&b->text);
}

static void add_criterion(struct body *b, const char *s, size_t n)
{
    AUTO_FREE char *copy = str_ndup(s, n);
    char *item = str_trim(copy);
    bool bullet = (*item == '-' || *item == '*' || *item == '+') && item[1] == ' ';
    size_t digits = strspn(item, "0123456789");
    bool numbered = digits > 0 && (item[digits] == '.' || item[digits] == ')') && item[digits + 1] == ' ';
    if (bullet)
        item = str_trim(item + 2);
    else if (numbered)
        item = str_trim(item + digits + 2);
    if (*item == '[' && item[1] && item[2] == ']' && strchr(" xX", item[1]))
        item = str_trim(item + 3);
    if (!*item)
        return;
    if (bullet || numbered || b->ours)
        finish_criterion(b);
    if (b->text.len > 0) // a line that goes on
        buf_char(&b->text, ' ');
    buf_str_add(&b->text, item);
}

static void begin_heading(struct body *b, const char *s, size_t n)
{
    AUTO_FREE char *copy = str_ndup(s + 3, n - 3);
    char *title = str_trim(copy);
    finish(b);
    json_array_append_new(b->headings, json_text_new(title, strlen(title)));
    b->part = str_eq_nocase(title, "Context")               ? PART_CONTEXT
              : str_eq_nocase(title, "Output")              ? PART_OUTPUT
              : str_eq_nocase(title, "Blockers")            ? PART_BLOCKERS
              : str_eq_nocase(title, "Acceptance Criteria") ? PART_ACCEPTANCE
                                                            : PART_OTHER;
    if (b->part == PART_OTHER)
        str_set(&b->label, title);
}

// `**Label**`, `**Label**: text`, `**Label:** text`, and `### Label` in older files.
static bool begin_label(struct body *b, const char *s, size_t n)
{
    AUTO_FREE char *line = str_ndup(s, n);
    char *rest = NULL;
    if (str_starts(line, "### ") && !b->ours) {
        finish(b);
        b->label = str_dup(str_trim(line + 4));
        return true;
    }
    char *close = str_starts(line, "**") ? strstr(line + 2, "**") : NULL;
    if (!close || close == line + 2 || memchr(line + 2, '*', (size_t)(close - line) - 2))
        return false;
    *close = '\0';
    rest = close + 2;
    rest += strspn(rest, " \t");
    char *label = str_trim(line + 2);
    size_t len = strlen(label);
    bool colon = len > 0 && label[len - 1] == ':';
    if (!*label || (!colon && *rest && *rest != ':'))
        return false;
    if (colon)
        label[len - 1] = '\0';
    else if (*rest == ':')
        rest += 1 + strspn(rest + 1, " \t");
    finish(b);
    b->label = str_dup(str_trim(label));
    if (*rest) {
        buf_str_add(&b->text, rest);
        buf_char(&b->text, '\n');
    }
    return true;
}

// Takes away the blank that the writer put before a line that looks like structure.
static void unmark(const char **s, size_t *n)
{
    size_t blanks = 0;
    while (blanks < *n && (*s)[blanks] == ' ')
        blanks++;
    const char *p = *s + blanks;
    size_t left = *n - blanks;
    if (blanks > 0 && (starts(p, left, "#") || starts(p, left, "**") || starts(p, left, "---") ||
                       starts(p, left, "```") || starts(p, left, "~~~"))) {
        ++*s;
        --*n;
    }
}

void body_parse(const char *body, size_t len, bool ours, json_t *out, json_t *headings)
{
    struct body b = {
        .ours = ours, .out = out, .sections = json_array(), .acceptance = json_array(), .headings = headings};
    struct lines l = {body, body + len};
    const char *s = NULL, *fence = NULL;
    size_t n = 0;
    json_put(out, "sections", b.sections);
    json_put(out, "acceptance", b.acceptance);
    while (take_line(&l, &s, &n)) {
        bool code = !ours && toggle_fence(&fence, s, n, l);
        if (!code && starts(s, n, "## ")) {
            begin_heading(&b, s, n);
        } else if (!code && b.part == PART_OUTPUT && begin_label(&b, s, n)) {
            continue;
        } else if (b.part == PART_ACCEPTANCE) {
            add_criterion(&b, s, n);
        } else {
            if (ours)
                unmark(&s, &n);
            buf_add(&b.text, s, n);
            buf_char(&b.text, '\n');
        }
    }
    finish(&b);
    buf_free(&b.text);
}

// Behind the words "Review Status" or "Verdict" in a bold or heading line, else NULL.
static const char *verdict_value(const char *line)
{
    const char *p = line + strspn(line, " \t-*#>+_");
    size_t marks = (size_t)(p - line);
    if (!memchr(line, '#', marks) && !memmem(line, marks, "**", 2) && !memmem(line, marks, "__", 2))
        return NULL;
    static const char *const words[] = {"Review Status", "Review Verdict", "Final Verdict", "Overall Verdict",
                                        "Verdict"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        size_t n = strlen(words[i]);
        if (strncasecmp(p, words[i], n) == 0 && !((p[n] | 0x20) >= 'a' && (p[n] | 0x20) <= 'z'))
            return p + n + strspn(p + n, " \t*:_-");
    }
    return NULL;
}

char *body_verdict_new(const char *body, size_t len)
{
    struct lines l = {body, body + len};
    const char *s = NULL, *fence = NULL;
    size_t n = 0;
    bool waiting = false; // the heading stood alone: the next line with text is the value
    while (take_line(&l, &s, &n)) {
        if (toggle_fence(&fence, s, n, l))
            continue;
        AUTO_FREE char *line = str_ndup(s, n);
        char *text = str_trim(line);
        const char *value = waiting ? (*text ? text : NULL) : verdict_value(text);
        if (!value)
            continue;
        if (*value)
            return str_dup(value);
        waiting = true;
    }
    return NULL;
}
