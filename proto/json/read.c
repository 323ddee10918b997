// Text to values, in one pass over the bytes: long plain texts are the rule and are taken eight at a time. Mistakes are
// told with their place. What Jansson reads, this reads as the same value, and refuses what Jansson refuses (property
// test).
#include "json/json.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/inside.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 2048, DIGITS_MAX = 18 };

struct reader {
    const char *begin, *at, *end;
    struct buf text; // of a string with escapes
    int depth;
    size_t flags;
    const char *why; // of the failure
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

static bool fail(struct reader *r, const char *why)
{
    if (!r->why)
        r->why = why;
    return false;
}

static bool read_unit(struct reader *r, unsigned *ret)
{
    unsigned unit = 0;
    for (int i = 0; i < 4; i++) {
        int digit = r->at < r->end ? hex(*r->at) : -1;
        if (digit < 0)
            return fail(r, "expected four hexadecimal digits behind \\u");
        unit = unit << 4 | (unsigned)digit;
        r->at++;
    }
    *ret = unit;
    return true;
}

static void add_code(struct buf *b, unsigned code)
{
    char out[4];
    size_t n = 0;
    if (code < 0x80) {
        out[n++] = (char)code;
    } else if (code < 0x800) {
        out[n++] = (char)(0xC0 | code >> 6);
    } else if (code < 0x10000) {
        out[n++] = (char)(0xE0 | code >> 12);
        out[n++] = (char)(0x80 | (code >> 6 & 0x3F));
    } else {
        out[n++] = (char)(0xF0 | code >> 18);
        out[n++] = (char)(0x80 | (code >> 12 & 0x3F));
        out[n++] = (char)(0x80 | (code >> 6 & 0x3F));
    }
    if (code >= 0x80)
        out[n++] = (char)(0x80 | (code & 0x3F));
    buf_add(b, out, n);
}

static bool read_code(struct reader *r)
{
    unsigned code, low;
    if (!read_unit(r, &code))
        return false;
    if (code >= 0xD800 && code <= 0xDBFF) {
        if (r->end - r->at < 2 || r->at[0] != '\\' || r->at[1] != 'u')
            return fail(r, "a surrogate stands alone");
        r->at += 2;
        if (!read_unit(r, &low))
            return false;
        if (low < 0xDC00 || low > 0xDFFF)
            return fail(r, "a surrogate stands alone");
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    } else if (code >= 0xDC00 && code <= 0xDFFF) {
        return fail(r, "a surrogate stands alone");
    }
    if (code == 0 && !(r->flags & JSON_ALLOW_NUL))
        return fail(r, "\\u0000 is not taken");
    add_code(&r->text, code);
    return true;
}

static bool read_escape(struct reader *r)
{
    static const char FROM[] = "\"\\/bfnrt", TO[] = "\"\\/\b\f\n\r\t";
    if (r->at == r->end)
        return fail(r, "a string has no end");
    char c = *r->at++;
    if (c == 'u')
        return read_code(r);
    const char *found = c ? strchr(FROM, c) : NULL;
    if (!found)
        return fail(r, "an unknown escape");
    buf_char(&r->text, TO[found - FROM]);
    return true;
}

// The piece lies in the text itself, or, with escapes in it, in r->text until the next string is read.
static bool read_string(struct reader *r, struct piece *ret)
{
    const char *begin = r->at;
    bool escaped = false, wide = false;
    buf_clear(&r->text);
    for (;;) {
        r->at += str_plain(r->at, (size_t)(r->end - r->at));
        if (r->at == r->end)
            return fail(r, "a string has no end");
        if ((unsigned char)*r->at < 0x20)
            return fail(r, "a control character in a string");
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
    return !wide || text_valid(ret->s, ret->len) || fail(r, "a string is not UTF-8");
}

// --- numbers ---

static const char *digits(const char *at, const char *end)
{
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    return at;
}

static json_t *no(struct reader *r, const char *why)
{
    fail(r, why);
    return NULL;
}

static json_t *read_real(struct reader *r, const char *begin, const char *at)
{
    if (at < r->end && *at == '.') {
        const char *fraction = ++at;
        at = digits(at, r->end);
        if (at == fraction)
            return no(r, "expected digits behind the point");
    }
    if (at < r->end && (*at == 'e' || *at == 'E')) {
        at++;
        at += at < r->end && (*at == '+' || *at == '-');
        const char *exponent = at;
        at = digits(at, r->end);
        if (at == exponent)
            return no(r, "expected digits of the exponent");
    }
    AUTO_FREE char *text = str_ndup(begin, (size_t)(at - begin));
    double value = strtod(text, NULL);
    if (!isfinite(value))
        return no(r, "the number is too large");
    r->at = at;
    return json_real(value);
}

static json_t *read_large(struct reader *r, const char *begin, const char *at)
{
    AUTO_FREE char *text = str_ndup(begin, (size_t)(at - begin));
    errno = 0;
    json_int_t value = strtoll(text, NULL, 10);
    if (errno == ERANGE)
        return no(r, "the whole number is too large");
    r->at = at;
    return json_integer(value);
}

static json_t *read_number(struct reader *r)
{
    const char *begin = r->at, *first = begin + (*begin == '-'), *at = digits(first, r->end);
    size_t n = (size_t)(at - first);
    if (n == 0 || (n > 1 && *first == '0'))
        return no(r, "the number is not one of JSON");
    if (at < r->end && (*at == '.' || *at == 'e' || *at == 'E'))
        return read_real(r, begin, at);
    if (n > DIGITS_MAX)
        return read_large(r, begin, at);
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
    if (!take(r, '"'))
        return fail(r, "expected a string as key");
    if (!read_string(r, &key))
        return false;
    AUTO_FREE char *copy = NULL;
    if (memchr(key.s, '\0', key.len))
        return fail(r, "a key has a zero byte");
    if (key.s == r->text.data)
        key.s = copy = str_ndup(key.s, key.len);
    const char *place = r->at;
    skip_blanks(r);
    if (!take(r, ':'))
        return fail(r, "expected ':'");
    size_t before = json_object_size(object);
    json_t *value = read_value(r);
    if (!value || json_object_setn_new_nocheck(object, key.s, key.len, value) < 0)
        return false;
    if (json_object_size(object) == before && (r->flags & JSON_REJECT_DUPLICATES)) {
        r->at = place;
        return fail(r, "the same key stands twice in an object");
    }
    return true;
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
    bool ok = ++r->depth <= DEPTH_MAX || fail(r, "it is nested too deep"), over = ok && take(r, close);
    while (ok && !over) {
        skip_blanks(r);
        ok = read_one(r, all);
        if (!ok)
            break;
        skip_blanks(r);
        over = take(r, close);
        ok = over || take(r, ',') || fail(r, close == ']' ? "expected ',' or ']'" : "expected ',' or '}'");
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
        return no(r, "expected a value");
    r->at += len;
    return value;
}

static json_t *read_value(struct reader *r)
{
    struct piece text;
    skip_blanks(r);
    if (r->at == r->end)
        return no(r, "expected a value, found the end");
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
        return *r->at == '-' || (*r->at >= '0' && *r->at <= '9') ? read_number(r) : no(r, "expected a value");
    }
}

static void tell(const struct reader *r, json_error_t *error)
{
    const char *line = r->begin;
    error->line = 1;
    for (const char *p = r->begin; p < r->at; p++) {
        if (*p != '\n')
            continue;
        error->line++;
        line = p + 1;
    }
    error->column = (int)(r->at - line) + 1;
    snprintf(error->text, sizeof(error->text), "%s", r->why ? r->why : "not JSON");
}

json_t *json_loadb(const char *text, size_t len, size_t flags, json_error_t *error)
{
    struct reader r = {.begin = text, .at = text, .end = text + len, .flags = flags};
    skip_blanks(&r);
    json_t *value = r.at < r.end && *r.at != '{' && *r.at != '[' && !(flags & JSON_DECODE_ANY)
                        ? no(&r, "expected an object or an array")
                        : read_value(&r);
    if (value && !(flags & JSON_DISABLE_EOF_CHECK)) {
        skip_blanks(&r);
        if (r.at < r.end) {
            json_decref(value);
            value = no(&r, "expected the end of the text");
        }
    }
    buf_free(&r.text);
    if (!value && error)
        tell(&r, error);
    return value;
}

json_t *json_loads(const char *text, size_t flags, json_error_t *error)
{
    return text ? json_loadb(text, strlen(text), flags, error) : NULL;
}
