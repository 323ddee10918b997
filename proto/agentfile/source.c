// Fences as people write them: blank lines before, the whole file indented, more than three dashes.
#include "source.h"

#include <string.h>

static bool is_blank_char(char c)
{
    return c == ' ' || c == '\t';
}

bool line_blank(const struct source_line *line)
{
    for (size_t i = 0; i < line->len; i++)
        if (!is_blank_char(line->text[i]))
            return false;
    return true;
}

static bool run_then_blanks(const struct source_line *line, char c, size_t at_least)
{
    size_t i = 0;
    while (i < line->len && line->text[i] == c)
        i++;
    if (i < at_least)
        return false;
    while (i < line->len && is_blank_char(line->text[i]))
        i++;
    return i == line->len;
}

bool line_fence(const struct source_line *line)
{
    return run_then_blanks(line, '-', 3);
}

size_t line_heading(const struct source_line *line)
{
    size_t n = 0;
    while (n < line->len && line->text[n] == '#')
        n++;
    return n >= 1 && n <= 6 && n < line->len && is_blank_char(line->text[n]) ? n : 0;
}

static void split_lines(struct source *s, const char *text, size_t len, size_t at)
{
    while (at < len) {
        size_t end = at;
        while (end < len && text[end] != '\n' && text[end] != '\r')
            end++;
        vec_push(&s->lines, ((struct source_line){.text = text + at, .len = end - at, .start = at}));
        if (end + 1 < len && text[end] == '\r' && text[end + 1] == '\n')
            end++;
        at = end + 1;
    }
}

// Takes up to `indent` blanks off the front of each line.
static void take_indent(struct source *s)
{
    for (size_t i = s->open; i < s->lines.len; i++) {
        struct source_line *line = &s->lines.items[i];
        size_t n = 0;
        while (n < s->indent && n < line->len && is_blank_char(line->text[n]))
            n++;
        line->text += n;
        line->len -= n;
    }
}

void source_scan(struct source *s, const char *text, size_t len)
{
    *s = (struct source){.len = len};
    s->bom = len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0;
    split_lines(s, text, len, s->bom ? 3 : 0);
    while (s->open < s->lines.len && line_blank(&s->lines.items[s->open]))
        s->open++;
    s->close = s->lines.len;
    s->dots = s->lines.len;
    if (s->open == s->lines.len)
        return;
    const struct source_line *first = &s->lines.items[s->open];
    while (s->indent < first->len && is_blank_char(first->text[s->indent]))
        s->indent++;
    struct source_line bare = {.text = first->text + s->indent, .len = first->len - s->indent};
    s->has_front = line_fence(&bare);
    if (!s->has_front) {
        s->indent = 0;
        return;
    }
    take_indent(s);
    for (size_t i = s->open + 1; i < s->lines.len; i++) {
        const struct source_line *line = &s->lines.items[i];
        if (s->dots == s->lines.len && run_then_blanks(line, '.', 3) && !run_then_blanks(line, '.', 4))
            s->dots = i;
        if (line_fence(line)) {
            s->close = i;
            return;
        }
    }
}

void source_free(struct source *s)
{
    vec_free(&s->lines);
}

void source_join(const struct source *s, size_t from, size_t to, struct buf *out)
{
    for (size_t i = from; i < to; i++) {
        buf_add(out, s->lines.items[i].text, s->lines.items[i].len);
        buf_char(out, '\n');
    }
}
