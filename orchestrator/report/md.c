#include "report/md.h"

#include "base/err.h"
#include "base/str.h"
#include "report/mark.h"
#include "report/text.h"

#include <ctype.h>
#include <string.h>

#define PAD_MAX 64 // wider cells do not push the others out

static const char UNSHOWN[] = "\xef\xbf\xbd"; // U+FFFD

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || (unsigned char)c >= 0x80;
}

// As little as keeps the meaning: underscores inside of words, brackets that make no link and lone ampersands mean
// nothing in Markdown, and names stay readable in a terminal.
static bool needs_escape(const char *text, size_t i, bool in_cell)
{
    char next = text[i + 1];
    switch (text[i]) {
    case '_':
        return i == 0 || !is_word(text[i - 1]) || !is_word(next);
    case ']':
        return next == '(' || next == '[' || next == ':';
    case '&':
        return next == '#' || is_word(next);
    case '#':
        return i == 0;
    case '-':
    case '+':
        return i == 0 && next == ' ' && !in_cell;
    case '|':
        return in_cell;
    default:
        return strchr("\\`*<$~", text[i]) != NULL;
    }
}

static size_t longest_run(const char *text, char c)
{
    size_t longest = 0;
    for (const char *p = text; *p;) {
        size_t n = 0;
        while (p[n] == c)
            n++;
        longest = n > longest ? n : longest;
        p += n ? n : 1;
    }
    return longest;
}

static void repeat(struct buf *out, char c, size_t n)
{
    while (n--)
        buf_char(out, c);
}

static void add_code(struct buf *out, const char *text, bool in_table)
{
    if (!text || !*text) {
        buf_str_add(out, "–");
        return;
    }
    size_t fence = longest_run(text, '`') + 1, len = strlen(text), slashes = 0;
    bool spaced = fence > 1 || text[0] == ' ' || text[len - 1] == ' ';
    repeat(out, '`', fence);
    if (spaced)
        buf_char(out, ' ');
    for (size_t i = 0, n; i < len; i += n ? n : 1) {
        n = str_utf8_shown(text + i, len - i);
        if (n == 0)
            buf_str_add(out, strchr("\n\r\t", text[i]) ? " " : UNSHOWN);
        else if (text[i] == '|' &&
                 in_table) // a table takes a pipe for the end of a cell, in code too; \\| would not hold it back
            buf_str_add(out, slashes % 2 ? "\\\\|" : "\\|");
        else
            buf_add(out, text + i, n);
        slashes = text[i] == '\\' ? slashes + 1 : 0;
    }
    if (spaced)
        buf_char(out, ' ');
    repeat(out, '`', fence);
}

// What stands between two backticks is meant as code and stays code.
static size_t add_quoted(struct buf *out, const char *text, bool in_cell)
{
    const char *end = text[0] == '`' && text[1] != '`' ? strchr(text + 1, '`') : NULL;
    if (!end || end == text + 1 || end[1] == '`')
        return 0;
    AUTO_FREE char *inside = str_ndup(text + 1, (size_t)(end - text) - 1);
    add_code(out, inside, in_cell);
    return (size_t)(end - text) + 1;
}

static void add_prose(struct buf *out, const char *text, bool in_cell)
{
    for (size_t i = 0, len = strlen(text), n; i < len; i += n ? n : 1) {
        n = str_utf8_shown(text + i, len - i);
        size_t quoted = text[i] == '`' ? add_quoted(out, text + i, in_cell) : 0;
        if (quoted)
            n = quoted;
        else if (n == 0)
            buf_str_add(out, strchr("\n\r\t", text[i]) ? " " : UNSHOWN);
        else if (n == 1 && needs_escape(text, i, in_cell))
            buf_printf(out, "\\%c", text[i]);
        else
            buf_add(out, text + i, n);
    }
}

static void escape(struct buf *out, const char *text)
{
    add_prose(out, text, false);
}

static void escape_cell(struct buf *out, const char *text)
{
    add_prose(out, text, true);
}

void md_put(struct buf *out, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    mark_vput(out, escape, fmt, args);
    va_end(args);
}

void md_code(struct buf *out, const char *text)
{
    add_code(out, text, false);
}

void md_fenced(struct buf *out, const char *language, const char *text)
{
    size_t fence = longest_run(text, '`') + 1, len = strlen(text);
    fence = fence < 3 ? 3 : fence;
    repeat(out, '`', fence);
    buf_printf(out, "%s\n", language);
    for (size_t i = 0, n; i < len; i += n ? n : 1) {
        n = str_utf8_shown(text + i, len - i);
        if (n == 0)
            buf_str_add(out, text[i] == '\n' ? "\n" : text[i] == '\t' ? "    " : UNSHOWN);
        else
            buf_add(out, text + i, n);
    }
    if (len && text[len - 1] != '\n')
        buf_char(out, '\n');
    repeat(out, '`', fence);
    buf_str_add(out, "\n\n");
}

// --- tables ---

void md_cell(struct md_table *t, const char *fmt, ...)
{
    struct buf b = BUF_INIT;
    va_list args;
    va_start(args, fmt);
    mark_vput(&b, escape_cell, fmt, args);
    va_end(args);
    vec_push(&t->cells, buf_steal(&b));
}

void md_cell_code(struct md_table *t, const char *text)
{
    struct buf b = BUF_INIT;
    add_code(&b, text, true);
    vec_push(&t->cells, buf_steal(&b));
}

static size_t letters(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static size_t column_width(const struct md_table *t, size_t column)
{
    size_t width = 3;
    for (size_t i = column; i < t->cells.len; i += t->columns) {
        size_t n = letters(t->cells.items[i]);
        width = n > width && n <= PAD_MAX ? n : width;
    }
    return width;
}

static void write_rule(const struct md_table *t, const size_t *widths, struct buf *out)
{
    for (size_t c = 0; c < t->columns; c++) {
        bool right = t->right >> c & 1;
        buf_str_add(out, "| ");
        repeat(out, '-', widths[c] - right);
        buf_str_add(out, right ? ": " : " ");
    }
    buf_str_add(out, "|\n");
}

void md_table_write(struct md_table *t, struct buf *out)
{
    must(t->columns > 0 && t->cells.len % t->columns == 0);
    size_t *widths = mem_array(t->columns, sizeof(*widths));
    for (size_t c = 0; c < t->columns; c++)
        widths[c] = column_width(t, c);
    for (size_t i = 0; i < t->cells.len && t->cells.len > t->columns; i++) {
        size_t c = i % t->columns, n = letters(t->cells.items[i]), pad = n < widths[c] ? widths[c] - n : 0;
        bool right = t->right >> c & 1;
        buf_str_add(out, "| ");
        repeat(out, ' ', right ? pad : 0);
        buf_str_add(out, t->cells.items[i]);
        repeat(out, ' ', right ? 1 : pad + 1);
        if (c + 1 == t->columns)
            buf_str_add(out, "|\n");
        if (i + 1 == t->columns)
            write_rule(t, widths, out);
    }
    if (t->cells.len > t->columns)
        buf_char(out, '\n');
    for (size_t i = 0; i < t->cells.len; i++)
        mem_free(t->cells.items[i]);
    vec_free(&t->cells);
    mem_free(widths);
}
