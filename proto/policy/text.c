// What a reader sees must be what runs, so characters that hide or reorder others are refused, not stripped: stripping
// would run something nobody wrote.
#include "policy/text.h"

#include "base/attr.h"
#include "base/str.h"

#include <stdint.h>

struct range {
    uint32_t first, last;
    const char *why;
};

static const struct range REFUSED[] = {
    {0x80, 0x9f, "a control character"},
    {0xa0, 0xa0, "a no-break space, which looks like a blank but is not one"},
    {0xad, 0xad, "an invisible soft hyphen"},
    {0x34f, 0x34f, "an invisible character"},
    {0x61c, 0x61c, "a character that changes the writing direction"},
    {0x115f, 0x1160, "an invisible character"},
    {0x1680, 0x1680, "a space that is not the ordinary one"},
    {0x17b4, 0x17b5, "an invisible character"},
    {0x180b, 0x180e, "an invisible character"},
    {0x2000, 0x200a, "a space that is not the ordinary one"},
    {0x200b, 0x200d, "a zero-width character"},
    {0x200e, 0x200f, "a character that changes the writing direction"},
    {0x2028, 0x2029, "a line separator that is not a newline"},
    {0x202a, 0x202e, "a character that changes the writing direction"},
    {0x202f, 0x202f, "a space that is not the ordinary one"},
    {0x205f, 0x205f, "a space that is not the ordinary one"},
    {0x2060, 0x2065, "a zero-width character"},
    {0x2066, 0x2069, "a character that changes the writing direction"},
    {0x206a, 0x206f, "an invisible character"},
    {0x3000, 0x3000, "a space that is not the ordinary one"},
    {0x3164, 0x3164, "an invisible character"},
    {0xfeff, 0xfeff, "a zero-width character"},
    {0xffa0, 0xffa0, "an invisible character"},
    {0xfff9, 0xfffb, "an invisible character"},
    {0xe0000, 0xe0fff, "an invisible character"},
};

// Length of the UTF-8 sequence at s (at most `len` bytes), 0 when it is not valid.
static size_t sequence(const char *s, size_t len, uint32_t *ret)
{
    unsigned char c = (unsigned char)s[0];
    size_t n = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    if (n == 1) {
        *ret = c;
        return 1;
    }
    if (n > len || !str_utf8_valid(s, n))
        return 0;
    uint32_t v = c & (0x7fU >> n);
    for (size_t i = 1; i < n; i++)
        v = v << 6 | ((unsigned char)s[i] & 0x3fU);
    *ret = v;
    return n;
}

const char *text_problem(const char *text, size_t len, bool blanks, size_t *ret_pos)
{
    for (size_t i = 0; i < len;) {
        uint32_t c = 0;
        size_t n = sequence(text + i, len - i, &c);
        *ret_pos = i;
        if (n == 0)
            return "bytes that are not valid UTF-8";
        if (c == 0)
            return "a NUL byte";
        if (c == '\r')
            return "a carriage return; lines end with a newline alone";
        if ((c < 0x20 && !(blanks && (c == '\n' || c == '\t'))) || c == 0x7f)
            return "a control character";
        for (size_t k = 0; c >= 0x80 && k < ARRAY_LEN(REFUSED); k++)
            if (c >= REFUSED[k].first && c <= REFUSED[k].last)
                return REFUSED[k].why;
        i += n;
    }
    return NULL;
}

size_t text_column(const char *text, size_t pos)
{
    size_t column = 1;
    for (size_t i = 0; i < pos; i++)
        column += ((unsigned char)text[i] & 0xc0) != 0x80;
    return column;
}
