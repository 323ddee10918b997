// Values as text. Most of what we write are long plain texts. The text is that of the Jansson library to the byte (the
// property test holds both against each other): hashes depend on it.
#include "json/json.h"

#include "json/write.h"

#include "base/mem.h"
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS_ON_STACK 32

static void put_escaped(struct buf *b, unsigned char c)
{
    static const char SHORT[] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r', ['"'] = '"', ['\\'] = '\\'};
    char text[8] = {'\\', c < sizeof(SHORT) ? SHORT[c] : '\0', '\0'};
    if (!text[1])
        snprintf(text, sizeof(text), "\\u%04X", c);
    buf_str_add(b, text);
}

// UTF-16 as \\uXXXX; returns the bytes of the character.
static size_t put_wide(struct buf *b, const unsigned char *s)
{
    size_t n = s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : 4;
    unsigned code = s[0] & (0xFFu >> (n + 1));
    for (size_t i = 1; i < n; i++)
        code = code << 6 | (s[i] & 0x3Fu);
    if (code < 0x10000)
        buf_printf(b, "\\u%04X", code);
    else
        buf_printf(b, "\\u%04X\\u%04X", 0xD800 + ((code - 0x10000) >> 10), 0xDC00 + ((code - 0x10000) & 0x3FF));
    return n;
}

static void put_ascii(struct buf *b, const char *s, size_t len)
{
    buf_char(b, '"');
    for (size_t i = 0; i < len;) {
        size_t plain = str_plain(s + i, len - i);
        buf_add(b, s + i, plain);
        i += plain;
        if (i == len)
            break;
        unsigned char c = (unsigned char)s[i];
        if (c >= 0x80) {
            i += put_wide(b, (const unsigned char *)s + i);
            continue;
        }
        put_escaped(b, c);
        i++;
    }
    buf_char(b, '"');
}

static void put_string(struct buf *b, const char *s, size_t len)
{
    size_t plain = str_plain(s, len);
    char *room = plain == len ? buf_room(b, len + 2) : NULL;
    if (room) {
        room[0] = room[len + 1] = '"';
        memcpy(room + 1, s, len);
        return;
    }
    buf_char(b, '"');
    size_t begin = 0;
    for (size_t i = plain; i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        buf_add(b, s + begin, i - begin);
        put_escaped(b, c);
        begin = i + 1;
    }
    buf_add(b, s + begin, len - begin);
    buf_char(b, '"');
}

struct key {
    const char *text;
    size_t len;
    const json_t *value;
};

static int compare(const void *a, const void *b)
{
    const struct key *x = a, *y = b;
    int r = memcmp(x->text, y->text, x->len < y->len ? x->len : y->len);
    return r ? r : x->len < y->len ? -1 : x->len > y->len;
}

// Few keys are the rule, and often they are in order already.
static void sort(struct key *keys, size_t n)
{
    if (n > KEYS_ON_STACK) {
        qsort(keys, n, sizeof(*keys), compare);
        return;
    }
    for (size_t i = 1; i < n; i++) {
        struct key key = keys[i];
        size_t at = i;
        for (; at > 0 && compare(&keys[at - 1], &key) > 0; at--)
            keys[at] = keys[at - 1];
        keys[at] = key;
    }
}

static void put_value(struct buf *b, const json_t *v, size_t flags, unsigned depth);

static void put_text(struct buf *b, const char *s, size_t len, size_t flags)
{
    if (flags & JSON_ENSURE_ASCII)
        put_ascii(b, s, len);
    else
        put_string(b, s, len);
}

// Between two parts, or between a bracket and what it encloses.
static void put_break(struct buf *b, size_t flags, unsigned depth, bool blank)
{
    size_t indent = flags & JSON_MAX_INDENT;
    if (indent) {
        buf_char(b, '\n');
        for (size_t i = 0; i < indent * depth; i++)
            buf_char(b, ' ');
    } else if (blank && !(flags & JSON_COMPACT)) {
        buf_char(b, ' ');
    }
}

static void put_member(struct buf *b, const struct key *key, size_t flags, unsigned depth, bool first)
{
    if (!first)
        buf_char(b, ',');
    if (!(flags & JSON_COMPACT))
        put_break(b, flags, depth, !first);
    put_text(b, key->text, key->len, flags);
    buf_char(b, ':');
    if (!(flags & JSON_COMPACT))
        buf_char(b, ' ');
    put_value(b, key->value, flags, depth);
}

static bool is_one_of(const char *name, const char *const *names)
{
    for (; names && *names; names++)
        if (str_eq(name, *names))
            return true;
    return false;
}

static void put_object(struct buf *b, const json_t *v, size_t flags, unsigned depth, const char *const *without)
{
    struct key few[KEYS_ON_STACK];
    bool sorted = (flags & JSON_SORT_KEYS) != 0;
    size_t size = json_object_size(v), n = 0;
    struct key *keys = sorted && size > KEYS_ON_STACK ? mem_array(size, sizeof(*keys)) : few;
    buf_char(b, '{');
    for (void *it = json_object_iter(v); it; it = json_object_iter_next(v, it)) {
        struct key key = {json_object_iter_key(it), json_object_iter_key_len(it), json_object_iter_value(it)};
        if (without && is_one_of(key.text, without))
            continue;
        if (sorted)
            keys[n++] = key;
        else
            put_member(b, &key, flags, depth + 1, n++ == 0);
    }
    sort(keys, sorted ? n : 0);
    for (size_t i = 0; sorted && i < n; i++)
        put_member(b, &keys[i], flags, depth + 1, i == 0);
    if (n && !(flags & JSON_COMPACT))
        put_break(b, flags, depth, false);
    buf_char(b, '}');
    if (keys != few)
        mem_free(keys);
}

static void put_array(struct buf *b, const json_t *v, size_t flags, unsigned depth)
{
    size_t i;
    json_t *item;
    buf_char(b, '[');
    json_array_foreach (v, i, item) {
        if (i)
            buf_char(b, ',');
        if (!(flags & JSON_COMPACT))
            put_break(b, flags, depth + 1, i > 0);
        put_value(b, item, flags, depth + 1);
    }
    if (i && !(flags & JSON_COMPACT))
        put_break(b, flags, depth, false);
    buf_char(b, ']');
}

static void put_integer(struct buf *b, int64_t v)
{
    char text[24], *at = text + sizeof(text);
    uint64_t left = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    do {
        *--at = (char)('0' + left % 10);
        left /= 10;
    } while (left);
    if (v < 0)
        *--at = '-';
    buf_add(b, at, (size_t)(text + sizeof(text) - at));
}

// Seventeen digits, always with a point or an exponent; that without "+" and without zeros in front.
static void put_real(struct buf *b, double v)
{
    char text[40];
    int n = snprintf(text, sizeof(text), "%.17g", v);
    char *e = strchr(text, 'e');
    if (e) {
        char *from = e + 1 + (e[1] == '-' || e[1] == '+'), *to = e + 1 + (e[1] == '-');
        while (*from == '0')
            from++;
        memmove(to, from, strlen(from) + 1);
    } else if (!strchr(text, '.')) {
        snprintf(text + n, sizeof(text) - (size_t)n, ".0");
    }
    buf_str_add(b, text);
}

static void put_value(struct buf *b, const json_t *v, size_t flags, unsigned depth)
{
    must(v != NULL);
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        put_object(b, v, flags, depth, NULL);
        break;
    case JSON_ARRAY:
        put_array(b, v, flags, depth);
        break;
    case JSON_STRING:
        put_text(b, json_string_value(v), json_string_length(v), flags);
        break;
    case JSON_INTEGER:
        put_integer(b, json_integer_value(v));
        break;
    case JSON_REAL:
        put_real(b, json_real_value(v));
        break;
    case JSON_TRUE:
        buf_str_add(b, "true");
        break;
    case JSON_FALSE:
        buf_str_add(b, "false");
        break;
    case JSON_NULL:
        buf_str_add(b, "null");
        break;
    }
}

void json_write(struct buf *b, const json_t *v, bool sorted)
{
    put_value(b, v, JSON_COMPACT | (sorted ? JSON_SORT_KEYS : 0u), 0);
}

void json_write_without(struct buf *b, const json_t *object, const char *const *without)
{
    put_object(b, object, JSON_COMPACT | JSON_SORT_KEYS, 0, without);
}

char *json_dumps(const json_t *v, size_t flags)
{
    struct buf b = BUF_INIT;
    if (!v)
        return NULL;
    put_value(&b, v, flags, 0);
    return buf_steal(&b);
}

void json_write_str(struct buf *b, const char *s)
{
    size_t len = s ? strlen(s) : 0;
    if (!s) {
        buf_str_add(b, "null");
    } else if (str_utf8_valid(s, len)) {
        put_string(b, s, len);
    } else {
        json_t *text = json_text_new(s, len);
        json_write(b, text, false);
        json_decref(text);
    }
}
