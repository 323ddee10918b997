// Values as text. Jansson's writer goes through a callback for each piece and looks at every character; most of what we
// write are long plain texts. The text is the same to the byte (the property test holds both against each other):
// hashes depend on it.
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

static void put_member(struct buf *b, const struct key *key, bool sorted, bool first)
{
    if (!first)
        buf_char(b, ',');
    put_string(b, key->text, key->len);
    buf_char(b, ':');
    json_write(b, key->value, sorted);
}

static bool is_one_of(const char *name, const char *const *names)
{
    for (; names && *names; names++)
        if (str_eq(name, *names))
            return true;
    return false;
}

static void put_object(struct buf *b, const json_t *v, bool sorted, const char *const *without)
{
    json_t *object = (json_t *)(uintptr_t)v; // Jansson iterates without const, and changes nothing
    struct key few[KEYS_ON_STACK];
    size_t size = json_object_size(v), n = 0;
    struct key *keys = sorted && size > KEYS_ON_STACK ? mem_array(size, sizeof(*keys)) : few;
    buf_char(b, '{');
    for (void *it = json_object_iter(object); it; it = json_object_iter_next(object, it)) {
        struct key key = {json_object_iter_key(it), json_object_iter_key_len(it), json_object_iter_value(it)};
        if (is_one_of(key.text, without))
            continue;
        if (sorted)
            keys[n++] = key;
        else
            put_member(b, &key, false, n++ == 0);
    }
    sort(keys, sorted ? n : 0);
    for (size_t i = 0; sorted && i < n; i++)
        put_member(b, &keys[i], true, i == 0);
    buf_char(b, '}');
    if (keys != few)
        mem_free(keys);
}

static void put_array(struct buf *b, const json_t *v, bool sorted)
{
    size_t i;
    json_t *item;
    buf_char(b, '[');
    json_array_foreach (v, i, item) {
        if (i)
            buf_char(b, ',');
        json_write(b, item, sorted);
    }
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

static void put_real(struct buf *b, const json_t *v)
{
    char *text = json_dumps(v, JSON_ENCODE_ANY);
    must(text != NULL);
    buf_str_add(b, text);
    free(text);
}

void json_write(struct buf *b, const json_t *v, bool sorted)
{
    must(v != NULL);
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        put_object(b, v, sorted, NULL);
        break;
    case JSON_ARRAY:
        put_array(b, v, sorted);
        break;
    case JSON_STRING:
        put_string(b, json_string_value(v), json_string_length(v));
        break;
    case JSON_INTEGER:
        put_integer(b, json_integer_value(v));
        break;
    case JSON_REAL:
        put_real(b, v);
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

void json_write_without(struct buf *b, const json_t *object, const char *const *without)
{
    put_object(b, object, true, without);
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
