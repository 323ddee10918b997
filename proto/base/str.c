#include "base/str.h"

#include "base/mem.h"
#include "base/vec.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

char *str_dup(const char *s)
{
    return s ? mem_copy(s, strlen(s) + 1) : NULL;
}

char *str_ndup(const char *s, size_t len)
{
    char *out = mem_alloc(len + 1);
    if (len)
        memcpy(out, s, len);
    return out;
}

enum { FEW_BYTES = 256 };

char *str_printf(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char few[FEW_BYTES], *out = NULL;
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(few, sizeof(few), fmt, args);
    if (n >= 0 && (size_t)n < sizeof(few))
        out = mem_copy(few, (size_t)n + 1);
    else
        n = vasprintf(&out, fmt, again);
    va_end(again);
    va_end(args);
    return n < 0 ? mem_alloc(1) : out;
}

void str_set(char **target, const char *s)
{
    char *copy = str_dup(s);
    mem_free(*target);
    *target = copy;
}

bool str_eq(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

bool str_starts(const char *s, const char *prefix)
{
    return s && strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *s, const char *suffix)
{
    if (!s)
        return false;
    size_t n = strlen(s), m = strlen(suffix);
    return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

bool str_eq_nocase(const char *a, const char *b)
{
    return a && b && strcasecmp(a, b) == 0;
}

bool str_has_nocase(const char *text, const char *word)
{
    return text && word && strcasestr(text, word) != NULL;
}

char *str_trim(char *s)
{
    while (isspace((unsigned char)*s))
        s++;
    size_t len = strlen(s);
    while (len && isspace((unsigned char)s[len - 1]))
        s[--len] = '\0';
    return s;
}

char **str_split(const char *s, const char *separators, bool skip_empty, size_t *ret_count)
{
    VEC(char *) out = {0};
    const char *p = s;
    for (;;) {
        size_t n = strcspn(p, separators);
        if (n || !skip_empty)
            vec_push(&out, str_ndup(p, n));
        if (!p[n])
            break;
        p += n + 1;
    }
    if (ret_count)
        *ret_count = out.len;
    vec_push(&out, NULL);
    return out.items;
}

void str_list_free(char **list)
{
    if (!list)
        return;
    for (char **p = list; *p; p++)
        mem_free(*p);
    mem_free(list);
}

// Length of the character at s (at most len bytes are there), 0 when it is not well formed.
static size_t utf8_char(const unsigned char *s, size_t len)
{
    if (s[0] == 0)
        return 0;
    if (s[0] < 0x80)
        return 1;
    size_t n = s[0] >= 0xF0 && s[0] <= 0xF4 ? 4 : s[0] >= 0xE0 && s[0] < 0xF0 ? 3 : s[0] >= 0xC2 && s[0] < 0xE0 ? 2 : 0;
    if (n == 0 || n > len)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    if ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F) || (s[0] == 0xF0 && s[1] < 0x90) ||
        (s[0] == 0xF4 && s[1] > 0x8F))
        return 0;
    return n;
}

// Eight bytes at a time. A byte below n has its high bit set in `eight - EACH(n)` unless a lower one borrowed, which
// then was such a byte itself; so no high bit means none.
#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

static uint64_t load_eight(const char *s)
{
    uint64_t eight;
    memcpy(&eight, s, sizeof(eight));
    return eight;
}

size_t str_plain(const char *s, size_t len)
{
    size_t i = 0;
    for (; len - i >= 8; i += 8) {
        uint64_t eight = load_eight(s + i), quote = eight ^ EACH('"'), slash = eight ^ EACH('\\');
        if ((eight | (eight - EACH(0x20)) | (quote - EACH(1)) | (slash - EACH(1))) & EACH(0x80))
            break;
    }
    while (i < len && (unsigned char)s[i] >= 0x20 && (unsigned char)s[i] < 0x80 && s[i] != '"' && s[i] != '\\')
        i++;
    return i;
}

bool str_utf8_valid(const char *s, size_t len)
{
    size_t i = 0;
    while (i < len) {
        for (; len - i >= 8; i += 8) {
            uint64_t eight = load_eight(s + i);
            if ((eight | (eight - EACH(1))) & EACH(0x80))
                break;
        }
        while (i < len && (unsigned char)(s[i] - 1) < 0x7F)
            i++;
        if (i == len)
            break;
        size_t n = utf8_char((const unsigned char *)s + i, len - i);
        if (n == 0)
            return false;
        i += n;
    }
    return true;
}

static bool turns_direction(const unsigned char *p)
{
    // U+200E, U+200F, U+202A to U+202E (also the line separators U+2028, U+2029), U+2066 to U+2069
    return p[0] == 0xe2 && ((p[1] == 0x80 && (p[2] == 0x8e || p[2] == 0x8f || (p[2] >= 0xa8 && p[2] <= 0xae))) ||
                            (p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9));
}

size_t str_utf8_shown(const char *text, size_t left)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t n = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (n > left || !str_utf8_valid(text, n))
        return 0;
    if (n == 1 && (p[0] < 0x20 || p[0] == 0x7f))
        return 0;
    if (n == 2 && p[0] == 0xc2 && p[1] < 0xa0) // control characters of the second block
        return 0;
    if (n == 3 && (turns_direction(p) || (p[0] == 0xef && p[1] == 0xbf && p[2] >= 0xbe))) // U+FFFE, U+FFFF
        return 0;
    return n;
}

void str_make_plain(char *text)
{
    for (size_t left = strlen(text); left > 0;) {
        size_t n = str_utf8_shown(text, left);
        if (n == 0)
            *text = ' ';
        text += n ? n : 1;
        left -= n ? n : 1;
    }
}

size_t str_utf8_cut(const char *s, size_t max_bytes)
{
    size_t len = strnlen(s, max_bytes + 1);
    if (len <= max_bytes)
        return len;
    len = max_bytes;
    while (len > 0 && ((unsigned char)s[len] & 0xC0) == 0x80)
        len--;
    return len;
}

bool str_to_i64(const char *s, int64_t *ret)
{
    if (!s || !*s || isspace((unsigned char)*s))
        return false;
    char *end = NULL;
    errno = 0;
    long long v = strtoll(s, &end, 10);
    if (errno || *end)
        return false;
    *ret = v;
    return true;
}

bool str_to_double(const char *s, double *ret)
{
    if (!s || !*s || isspace((unsigned char)*s))
        return false;
    char *end = NULL;
    double v = strtod(s, &end);
    if (*end || !isfinite(v))
        return false;
    *ret = v;
    return true;
}

size_t str_edits(const char *a, const char *b)
{
    size_t rows[3][STR_EDITS_MAX], n = strlen(b);
    if (n >= STR_EDITS_MAX || strlen(a) >= STR_EDITS_MAX)
        return SIZE_MAX;
    for (size_t k = 0; k <= n; k++)
        rows[0][k] = k;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t *row = rows[i % 3], *above = rows[(i - 1) % 3];
        const size_t *before = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t k = 1; k <= n; k++) {
            size_t best = above[k - 1] + (a[i - 1] != b[k - 1]);
            best = best < above[k] + 1 ? best : above[k] + 1;
            best = best < row[k - 1] + 1 ? best : row[k - 1] + 1;
            bool swapped = i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1];
            row[k] = swapped && before[k - 2] + 1 < best ? before[k - 2] + 1 : best;
        }
    }
    return rows[strlen(a) % 3][n];
}
