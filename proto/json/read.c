// Text to values. Jansson's reader takes each byte through two calls; most of what we read is what a baton program
// wrote, long plain texts. This one knows plain JSON only: at everything else - mistakes, surrogates, great depth,
// numbers at the borders - it gives up, and Jansson decides and says what is wrong. What both read is the same value
// (property test).
#include "json/read.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 200, DIGITS_MAX = 18, REAL_TEXT_MAX = 40 };

struct reader {
    const char *at, *end;
    struct buf text; // of a string with escapes
    int depth;
};

struct piece {
    const char *s;
    size_t len;
};

static json_t *read_value(struct reader *r);

static void skip_blanks(struct reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\n' || *r->at == '\r' || *r->at == '\t'))
        r->at++;
}

static bool take(struct reader *r, char c)
{
    if (r->at == r->end || *r->at != c)
        return false;
    r->at++;
    return true;
}

// --- strings ---

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static bool read_code(struct reader *r)
{
    if (r->end - r->at < 4)
        return false;
    unsigned code = 0;
    for (int i = 0; i < 4; i++) {
        int digit = hex(*r->at++);
        if (digit < 0)
            return false;
        code = code << 4 | (unsigned)digit;
    }
    if (code == 0 || (code >= 0xD800 && code <= 0xDFFF))
        return false;
    char out[3];
    size_t n = 0;
    if (code < 0x80) {
        out[n++] = (char)code;
    } else {
        if (code < 0x800) {
            out[n++] = (char)(0xC0 | code >> 6);
        } else {
            out[n++] = (char)(0xE0 | code >> 12);
            out[n++] = (char)(0x80 | (code >> 6 & 0x3F));
        }
        out[n++] = (char)(0x80 | (code & 0x3F));
    }
    buf_add(&r->text, out, n);
    return true;
}

static bool read_escape(struct reader *r)
{
    static const char FROM[] = "\"\\/bfnrt", TO[] = "\"\\/\b\f\n\r\t";
    if (r->at == r->end)
        return false;
    char c = *r->at++;
    if (c == 'u')
        return read_code(r);
    const char *found = c ? strchr(FROM, c) : NULL;
    if (found)
        buf_char(&r->text, TO[found - FROM]);
    return found != NULL;
}

// The piece lies in the text itself, or, with escapes in it, in r->text until the next string is read.
static bool read_string(struct reader *r, struct piece *ret)
{
    const char *begin = r->at;
    bool escaped = false, wide = false;
    buf_clear(&r->text);
    for (;;) {
        r->at += str_plain(r->at, (size_t)(r->end - r->at));
        if (r->at == r->end || (unsigned char)*r->at < 0x20)
            return false;
        if (*r->at == '"')
            break;
        if (*r->at != '\\') {
            wide = true;
            r->at++;
            continue;
        }
        buf_add(&r->text, begin, (size_t)(r->at - begin));
        escaped = true;
        r->at++;
        if (!read_escape(r))
            return false;
        begin = r->at;
    }
    if (escaped)
        buf_add(&r->text, begin, (size_t)(r->at - begin));
    *ret = escaped ? (struct piece){buf_str(&r->text), r->text.len} : (struct piece){begin, (size_t)(r->at - begin)};
    r->at++;
    return !wide || str_utf8_valid(ret->s, ret->len);
}

// --- numbers ---

static const char *digits(const char *at, const char *end)
{
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    return at;
}

static json_t *read_real(struct reader *r, const char *begin, const char *at)
{
    char text[REAL_TEXT_MAX];
    if (at < r->end && *at == '.') {
        const char *fraction = ++at;
        at = digits(at, r->end);
        if (at == fraction)
            return NULL;
    }
    if (at < r->end && (*at == 'e' || *at == 'E')) {
        at++;
        at += at < r->end && (*at == '+' || *at == '-');
        const char *exponent = at;
        at = digits(at, r->end);
        if (at == exponent)
            return NULL;
    }
    size_t len = (size_t)(at - begin);
    if (len >= sizeof(text))
        return NULL;
    memcpy(text, begin, len);
    text[len] = '\0';
    double value;
    if (!str_to_double(text, &value))
        return NULL;
    r->at = at;
    return json_real(value);
}

static json_t *read_number(struct reader *r)
{
    const char *begin = r->at, *first = begin + (*begin == '-'), *at = digits(first, r->end);
    size_t n = (size_t)(at - first);
    if (n == 0 || (n > 1 && *first == '0'))
        return NULL;
    if (at < r->end && (*at == '.' || *at == 'e' || *at == 'E'))
        return read_real(r, begin, at);
    if (n > DIGITS_MAX)
        return NULL;
    json_int_t value = 0;
    for (const char *p = first; p < at; p++)
        value = 10 * value + (*p - '0');
    r->at = at;
    return json_integer(first == begin ? value : -value);
}

// --- values ---

static bool read_member(struct reader *r, json_t *object)
{
    struct piece key;
    if (!take(r, '"') || !read_string(r, &key))
        return false;
    AUTO_FREE char *copy = NULL;
    if (key.s == r->text.data)
        key.s = copy = str_ndup(key.s, key.len);
    skip_blanks(r);
    if (!take(r, ':'))
        return false;
    size_t before = json_object_size(object);
    json_t *value = read_value(r);
    // The same key twice is a mistake.
    return value && json_object_setn_new_nocheck(object, key.s, key.len, value) == 0 &&
           json_object_size(object) == before + 1;
}

static bool read_item(struct reader *r, json_t *array)
{
    json_t *value = read_value(r);
    return value && json_array_append_new(array, value) == 0;
}

static json_t *read_many(struct reader *r, json_t *all, char close, bool (*read_one)(struct reader *r, json_t *all))
{
    r->at++;
    skip_blanks(r);
    bool ok = ++r->depth < DEPTH_MAX, over = ok && take(r, close);
    while (ok && !over) {
        skip_blanks(r);
        ok = read_one(r, all);
        skip_blanks(r);
        over = ok && take(r, close);
        ok = over || (ok && take(r, ','));
    }
    r->depth--;
    if (ok)
        return all;
    json_decref(all);
    return NULL;
}

static json_t *read_word(struct reader *r, const char *word, json_t *value)
{
    size_t len = strlen(word);
    if ((size_t)(r->end - r->at) < len || memcmp(r->at, word, len) != 0)
        return NULL;
    r->at += len;
    return value;
}

static json_t *read_value(struct reader *r)
{
    struct piece text;
    skip_blanks(r);
    if (r->at == r->end)
        return NULL;
    switch (*r->at) {
    case '{':
        return read_many(r, json_object(), '}', read_member);
    case '[':
        return read_many(r, json_array(), ']', read_item);
    case '"':
        r->at++;
        return read_string(r, &text) ? json_stringn_nocheck(text.s, text.len) : NULL;
    case 't':
        return read_word(r, "true", json_true());
    case 'f':
        return read_word(r, "false", json_false());
    case 'n':
        return read_word(r, "null", json_null());
    default:
        return *r->at == '-' || (*r->at >= '0' && *r->at <= '9') ? read_number(r) : NULL;
    }
}

json_t *json_read_plain_new(const char *text, size_t len)
{
    struct reader r = {.at = text, .end = text + len};
    json_t *value = read_value(&r);
    skip_blanks(&r);
    buf_free(&r.text);
    if (value && r.at == r.end)
        return value;
    json_decref(value);
    return NULL;
}
