#include "handoff/text.h"

#include "base/attr.h"
#include "base/mem.h"
#include "base/str.h"
#include "handoff/handoff_id.h"

#include <stdint.h>
#include <string.h>

static bool is_control(unsigned char c)
{
    return c < 0x20 || c == 0x7F;
}

char *text_cut_new(const char *s, size_t max)
{
    if (strnlen(s, max + 1) <= max)
        return str_dup(s);
    size_t keep = str_utf8_cut(s, max - (sizeof("…") - 1));
    return str_printf("%.*s…", (int)keep, s);
}

char *text_line_new(const char *s, size_t max)
{
    AUTO_BUF struct buf b = BUF_INIT;
    for (; *s && b.len <= max; s++) {
        unsigned char c = (unsigned char)*s;
        if (!is_control(c) && c != ' ')
            buf_char(&b, *s);
        else if (b.len > 0 && (c == ' ' || b.data[b.len - 1] != ' '))
            buf_char(&b, ' ');
    }
    while (b.len > 0 && b.data[b.len - 1] == ' ')
        b.data[--b.len] = '\0';
    return text_cut_new(buf_str(&b), max);
}

char *text_block_new(const char *s)
{
    AUTO_BUF struct buf b = BUF_INIT;
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (!is_control(c) || c == '\n' || c == '\t')
            buf_char(&b, *s);
    }
    while (b.len > 0 && strchr(" \t\n", b.data[b.len - 1]))
        b.data[--b.len] = '\0';
    size_t start = 0; // blank lines in front are skipped, but not the blanks of the first line with text
    for (size_t i = 0; i < b.len && strchr(" \t\n", b.data[i]); i++)
        if (b.data[i] == '\n')
            start = i + 1;
    return str_ndup(buf_str(&b) + start, b.len - start);
}

size_t text_lines(const char *s)
{
    size_t n = *s ? 1 : 0;
    for (; *s; s++)
        n += *s == '\n';
    return n;
}

// Decodes the character at s (valid UTF-8), *ret_len bytes long.
static uint32_t decode(const char *s, size_t *ret_len)
{
    unsigned char c = (unsigned char)*s;
    size_t n = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
    uint32_t v = n == 1 ? c : c & (0x3Fu >> (n - 1));
    n = strnlen(s, n); // never beyond the end, should the text be no UTF-8 after all
    for (size_t i = 1; i < n; i++)
        v = v << 6 | ((unsigned char)s[i] & 0x3F);
    *ret_len = n;
    return v;
}

// YAML readers refuse some characters and take others for line ends.
static bool must_escape(uint32_t c)
{
    return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x2028 || c == 0x2029 || c == 0xFEFF || c == 0xFFFE ||
           c == 0xFFFF;
}

void text_yaml_quoted(struct buf *b, const char *s)
{
    buf_char(b, '"');
    while (*s) {
        size_t n = 1;
        uint32_t c = decode(s, &n);
        if (c == '"' || c == '\\')
            buf_printf(b, "\\%c", (char)c);
        else if (c == '\n')
            buf_str_add(b, "\\n");
        else if (c == '\t')
            buf_str_add(b, "\\t");
        else if (must_escape(c))
            buf_printf(b, c < 0x100 ? "\\x%02X" : "\\u%04X", (unsigned)c);
        else
            buf_add(b, s, n);
        s += n;
    }
    buf_char(b, '"');
}

bool text_yaml_plain_safe(const char *s)
{
    static const char *const words[] = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"};
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_eq_nocase(s, words[i]))
            return false;
    if (handoff_id_valid(s)) // line-based readers take ids as they stand
        return true;
    bool letter_first = (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || *s == '_';
    return letter_first && s[strspn(s, allowed)] == '\0';
}
