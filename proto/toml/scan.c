// Strings carry the awkward rules: a multi-line string may end in up to two quotes of its own, a newline directly
// behind the opening delimiter is dropped, and a backslash at a line's end swallows all white space that follows.
#include "toml/scan.h"

#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int scan_fail(struct scan *s, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    int column = 1;
    for (size_t i = s->line_start; i < s->pos && i < s->len; i++)
        column += ((unsigned char)s->text[i] & 0xC0) != 0x80;
    return err_set(s->err, ERR_PARSE, "%s: line %d, column %d: %s", s->what, s->line, column, text);
}

int scan_peek(const struct scan *s)
{
    return s->pos < s->len ? (unsigned char)s->text[s->pos] : -1;
}

bool scan_take(struct scan *s, char c)
{
    if (s->pos >= s->len || s->text[s->pos] != c)
        return false;
    s->pos++;
    return true;
}

void scan_blanks(struct scan *s)
{
    while (s->pos < s->len && (s->text[s->pos] == ' ' || s->text[s->pos] == '\t'))
        s->pos++;
}

bool scan_newline(struct scan *s)
{
    if (s->pos < s->len && s->text[s->pos] == '\n')
        s->pos++;
    else if (s->pos + 1 < s->len && s->text[s->pos] == '\r' && s->text[s->pos + 1] == '\n')
        s->pos += 2;
    else
        return false;
    s->line++;
    s->line_start = s->pos;
    return true;
}

static bool at_newline(const struct scan *s)
{
    return s->text[s->pos] == '\n' || (s->text[s->pos] == '\r' && s->pos + 1 < s->len && s->text[s->pos + 1] == '\n');
}

static bool is_control(int c)
{
    return (c >= 0 && c < 0x20 && c != '\t') || c == 0x7F;
}

int scan_comment(struct scan *s)
{
    if (scan_peek(s) != '#')
        return 0;
    while (s->pos < s->len && !at_newline(s)) {
        if (is_control(scan_peek(s)))
            return scan_fail(s, "control character 0x%02X in a comment", (unsigned)scan_peek(s));
        s->pos++;
    }
    return 0;
}

int scan_line_end(struct scan *s)
{
    scan_blanks(s);
    int r = scan_comment(s);
    if (r < 0)
        return r;
    if (s->pos < s->len && !scan_newline(s))
        return scan_fail(s, "expected the end of the line");
    return 0;
}

int scan_gaps(struct scan *s)
{
    for (;;) {
        scan_blanks(s);
        int r = scan_comment(s);
        if (r < 0)
            return r;
        if (!scan_newline(s))
            return 0;
    }
}

static bool is_bare(int c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

int scan_key(struct scan *s, struct buf *ret)
{
    if (scan_peek(s) == '"' || scan_peek(s) == '\'')
        return scan_string(s, false, ret);
    size_t start = s->pos;
    while (is_bare(scan_peek(s)))
        s->pos++;
    if (s->pos == start)
        return scan_fail(s, "expected a key: letters, digits, '_', '-', or a quoted string");
    buf_add(ret, s->text + start, s->pos - start);
    return 0;
}

static void add_utf8(struct buf *b, unsigned long c)
{
    if (c < 0x80) {
        buf_char(b, (char)c);
    } else if (c < 0x800) {
        buf_char(b, (char)(0xC0 | (c >> 6)));
        buf_char(b, (char)(0x80 | (c & 0x3F)));
    } else if (c < 0x10000) {
        buf_char(b, (char)(0xE0 | (c >> 12)));
        buf_char(b, (char)(0x80 | ((c >> 6) & 0x3F)));
        buf_char(b, (char)(0x80 | (c & 0x3F)));
    } else {
        buf_char(b, (char)(0xF0 | (c >> 18)));
        buf_char(b, (char)(0x80 | ((c >> 12) & 0x3F)));
        buf_char(b, (char)(0x80 | ((c >> 6) & 0x3F)));
        buf_char(b, (char)(0x80 | (c & 0x3F)));
    }
}

static int hex_digit(int c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static int escape_unicode(struct scan *s, int digits, struct buf *ret)
{
    unsigned long c = 0;
    for (int i = 0; i < digits; i++) {
        int d = hex_digit(scan_peek(s));
        if (d < 0)
            return scan_fail(s, "expected %d hexadecimal digits behind \\%c", digits, digits == 4 ? 'u' : 'U');
        c = c * 16 + (unsigned long)d;
        s->pos++;
    }
    if (c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
        return scan_fail(s, "escape names no Unicode character");
    add_utf8(ret, c);
    return 0;
}

// Behind the backslash of a basic string.
static int escape(struct scan *s, bool multi, struct buf *ret)
{
    static const char from[] = "btnfr\"\\", to[] = "\b\t\n\f\r\"\\";
    int c = scan_peek(s);
    const char *p = c > 0 ? strchr(from, c) : NULL;
    if (p) {
        buf_char(ret, to[p - from]);
        s->pos++;
        return 0;
    }
    if (c == 'u' || c == 'U') {
        s->pos++;
        return escape_unicode(s, c == 'u' ? 4 : 8, ret);
    }
    if (multi) {
        size_t start = s->pos;
        scan_blanks(s);
        if (scan_newline(s)) {
            do
                scan_blanks(s);
            while (scan_newline(s));
            return 0;
        }
        s->pos = start;
    }
    return scan_fail(s, "unknown escape; expected one of \\b \\t \\n \\f \\r \\\" \\\\ \\uXXXX \\UXXXXXXXX");
}

// At a quote inside a multi-line string: up to two stay text, three close, and so do four or five, whose first ones are
// text.
static bool multi_quotes(struct scan *s, char quote, struct buf *ret)
{
    size_t n = 0;
    while (n < 5 && s->pos + n < s->len && s->text[s->pos + n] == quote)
        n++;
    s->pos += n;
    for (size_t i = 0; i < (n >= 3 ? n - 3 : n); i++)
        buf_char(ret, quote);
    return n >= 3;
}

int scan_string(struct scan *s, bool multi_line_allowed, struct buf *ret)
{
    char quote = s->text[s->pos];
    bool multi = s->pos + 2 < s->len && s->text[s->pos + 1] == quote && s->text[s->pos + 2] == quote;
    if (multi && !multi_line_allowed)
        return scan_fail(s, "a key cannot be a multi-line string");
    s->pos += multi ? 3 : 1;
    if (multi)
        scan_newline(s);
    while (s->pos < s->len) {
        char c = s->text[s->pos];
        size_t start = s->pos;
        if (c == quote && !multi) {
            s->pos++;
            return 0;
        }
        if (c == quote) {
            if (multi_quotes(s, quote, ret))
                return 0;
        } else if (c == '\\' && quote == '"') {
            s->pos++;
            int r = escape(s, multi, ret);
            if (r < 0)
                return r;
        } else if (multi && scan_newline(s)) {
            buf_add(ret, s->text + start, s->pos - start);
        } else if (at_newline(s)) {
            break;
        } else if (is_control((unsigned char)c)) {
            return scan_fail(s, "control character 0x%02X in a string; write it as an escape",
                             (unsigned)(unsigned char)c);
        } else {
            buf_char(ret, c);
            s->pos++;
        }
    }
    return scan_fail(s, "the string is not closed; expected %s",
                     multi ? (quote == '"' ? "\"\"\"" : "'''") : (quote == '"' ? "\"" : "'"));
}
