// Numbers, booleans, dates and times. The token is taken whole first, so that an error can quote it.
#include "toml/scan.h"

#include "base/mem.h"
#include "base/str.h"

#include <stdint.h>
#include <string.h>

#define TOKEN_MAX 256

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static int two_digits(const char *p)
{
    return is_digit(p[0]) && is_digit(p[1]) ? (p[0] - '0') * 10 + (p[1] - '0') : -1;
}

// The date at p: 10 when it is valid, 0 when it is none.
static size_t date_length(const char *p)
{
    static const int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (strlen(p) < 10 || two_digits(p) < 0 || two_digits(p + 2) < 0 || p[4] != '-' || p[7] != '-')
        return 0;
    int year = two_digits(p) * 100 + two_digits(p + 2), month = two_digits(p + 5), day = two_digits(p + 8);
    if (month < 1 || month > 12 || day < 1 || day > days[month - 1])
        return 0;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && day == 29 && !leap ? 0 : 10;
}

static size_t time_length(const char *p)
{
    if (strlen(p) < 8 || p[2] != ':' || p[5] != ':')
        return 0;
    int hour = two_digits(p), minute = two_digits(p + 3), second = two_digits(p + 6);
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60)
        return 0;
    size_t n = 8;
    if (p[n] == '.' && is_digit(p[n + 1]))
        for (n++; is_digit(p[n]);)
            n++;
    return n;
}

static size_t zone_length(const char *p)
{
    if (*p == 'Z' || *p == 'z')
        return 1;
    if ((*p != '+' && *p != '-') || strlen(p) < 6 || p[3] != ':')
        return 0;
    int hour = two_digits(p + 1), minute = two_digits(p + 4);
    return hour >= 0 && hour <= 23 && minute >= 0 && minute <= 59 ? 6 : 0;
}

static bool is_date_time(const char *t)
{
    size_t n = date_length(t);
    if (n == 0)
        return t[0] && t[time_length(t)] == '\0' && time_length(t) > 0;
    if (t[n] == '\0')
        return true;
    if (t[n] != 'T' && t[n] != 't' && t[n] != ' ')
        return false;
    size_t m = time_length(t + n + 1);
    if (m == 0)
        return false;
    n += 1 + m;
    return t[n] == '\0' || (zone_length(t + n) > 0 && t[n + zone_length(t + n)] == '\0');
}

// Copies without the underscores; false when one does not stand between two digits.
static bool strip_underscores(const char *t, bool hexadecimal, char *out)
{
    const char *digits = hexadecimal ? "0123456789abcdefABCDEF" : "0123456789";
    for (size_t i = 0; t[i]; i++) {
        if (t[i] != '_')
            *out++ = t[i];
        else if (i == 0 || !strchr(digits, t[i - 1]) || !t[i + 1] || !strchr(digits, t[i + 1]))
            return false;
    }
    *out = '\0';
    return true;
}

// 1: read, 0: not an integer of a base with prefix, -1: out of range.
static int read_prefixed(const char *t, int64_t *ret)
{
    int base = t[0] == '0' ? (t[1] == 'x' ? 16 : t[1] == 'o' ? 8 : t[1] == 'b' ? 2 : 0) : 0;
    char clean[TOKEN_MAX];
    if (base == 0 || !t[2] || !strip_underscores(t + 2, base == 16, clean))
        return 0;
    uint64_t v = 0;
    for (const char *p = clean; *p; p++) {
        const char *digits = "0123456789abcdef";
        const char *d = strchr(digits, *p >= 'A' && *p <= 'F' ? *p - 'A' + 'a' : *p);
        if (!d || d - digits >= base)
            return 0;
        if (v > (uint64_t)INT64_MAX / (unsigned)base)
            return -1;
        v = v * (unsigned)base + (uint64_t)(d - digits);
    }
    if (v > (uint64_t)INT64_MAX)
        return -1;
    *ret = (int64_t)v;
    return 1;
}

// Checks the shape [sign] digits [. digits] [e [sign] digits]. 0: neither, 1: integer, 2: float.
static int number_shape(const char *p)
{
    p += *p == '+' || *p == '-';
    if (!is_digit(*p) || (*p == '0' && is_digit(p[1])))
        return 0;
    p += strspn(p, "0123456789");
    int shape = 1;
    if (*p == '.') {
        if (!is_digit(p[1]))
            return 0;
        p++;
        p += strspn(p, "0123456789");
        shape = 2;
    }
    if (*p == 'e' || *p == 'E') {
        p++;
        p += *p == '+' || *p == '-';
        if (!is_digit(*p))
            return 0;
        p += strspn(p, "0123456789");
        shape = 2;
    }
    return *p ? 0 : shape;
}

static int read_number(struct scan *s, const char *t, json_t **ret)
{
    int64_t i = 0;
    int r = read_prefixed(t, &i);
    char clean[TOKEN_MAX];
    int shape = r == 0 && strip_underscores(t, false, clean) ? number_shape(clean) : 0;
    if (r == 0 && shape == 1)
        r = str_to_i64(clean, &i) ? 1 : -1;
    if (r < 0)
        return scan_fail(s, "integer '%s' does not fit into 64 bits", t);
    double d = 0;
    if (r == 1)
        *ret = json_integer(i);
    else if (shape != 2)
        return scan_fail(s, "'%s' is not a value; expected a string, number, true, false, date, array or inline table",
                         t);
    else if (!str_to_double(clean, &d))
        return scan_fail(s, "number '%s' is out of range", t);
    else
        *ret = json_real(d);
    return 0;
}

static bool is_token_byte(int c)
{
    return is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c > 0 && strchr("+-_.:", c));
}

static int read_token(struct scan *s, const char *t, json_t **ret)
{
    const char *word = t + (*t == '+' || *t == '-');
    if (str_eq(t, "true") || str_eq(t, "false"))
        *ret = json_boolean(*t == 't');
    else if (str_eq(word, "inf"))
        *ret = json_string(*t == '-' ? "-inf" : "inf");
    else if (str_eq(word, "nan"))
        *ret = json_string("nan");
    else if (is_date_time(t))
        *ret = json_string(t);
    else
        return read_number(s, t, ret);
    return 0;
}

int scan_scalar(struct scan *s, json_t **ret)
{
    int c = scan_peek(s);
    if (c == '"' || c == '\'') {
        struct buf b = BUF_INIT;
        int r = scan_string(s, true, &b);
        if (r >= 0)
            *ret = json_stringn(buf_str(&b), b.len);
        buf_free(&b);
        return r;
    }
    size_t n = 0, start = s->pos;
    while (s->pos + n < s->len && is_token_byte((unsigned char)s->text[s->pos + n]))
        n++;
    if (n == 0)
        return scan_fail(s, "expected a value: string, number, true, false, date, array or inline table");
    char token[TOKEN_MAX];
    // A date and a time may be joined by one blank, which no other token has inside.
    bool joined = n == 10 && start + n + 1 < s->len && s->text[start + n] == ' ' && is_digit(s->text[start + n + 1]);
    if (joined) {
        memcpy(token, s->text + start, n);
        token[n] = '\0';
        for (n = date_length(token) ? 11 : n; n > 10 && start + n < s->len;) {
            if (!is_token_byte((unsigned char)s->text[start + n]))
                break;
            n++;
        }
    }
    if (n >= TOKEN_MAX)
        return scan_fail(s, "a number of more than %d bytes", TOKEN_MAX - 1);
    memcpy(token, s->text + start, n);
    token[n] = '\0';
    int r = read_token(s, token, ret);
    if (r >= 0)
        s->pos += n;
    return r;
}
