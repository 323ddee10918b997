// Texts, numbers, arrays, and what is done with whole trees. Objects: object.c.
#include "json/tree.h"

#include "base/small.h"
#include "base/str.h"
#include "json/inside.h"

#include <math.h>
#include <string.h>

static json_t constant_true = {JSON_TRUE, JSON_CONSTANT}, constant_false = {JSON_FALSE, JSON_CONSTANT},
              constant_null = {JSON_NULL, JSON_CONSTANT};

json_t *json_true(void)
{
    return &constant_true;
}

json_t *json_false(void)
{
    return &constant_false;
}

json_t *json_null(void)
{
    return &constant_null;
}

// --- texts and numbers ---

bool text_valid(const char *s, size_t len)
{
    for (;;) {
        size_t n = strnlen(s, len);
        if (!str_utf8_valid(s, n))
            return false;
        if (n == len)
            return true;
        s += n + 1;
        len -= n + 1;
    }
}

static size_t text_size(size_t len)
{
    return sizeof(struct json_text) + len + 1;
}

json_t *json_stringn_nocheck(const char *s, size_t len)
{
    struct json_text *v = small_get(text_size(len));
    v->base = (json_t){JSON_STRING, 1};
    v->len = len;
    memcpy(v->text, s, len);
    v->text[len] = '\0';
    return &v->base;
}

json_t *json_stringn(const char *s, size_t len)
{
    return s && text_valid(s, len) ? json_stringn_nocheck(s, len) : NULL;
}

json_t *json_string(const char *s)
{
    return s ? json_stringn(s, strlen(s)) : NULL;
}

json_t *json_integer(json_int_t value)
{
    struct json_whole *v = small_get(sizeof(*v));
    v->base = (json_t){JSON_INTEGER, 1};
    v->value = value;
    return &v->base;
}

json_t *json_real(double value)
{
    if (!isfinite(value))
        return NULL;
    struct json_fraction *v = small_get(sizeof(*v));
    v->base = (json_t){JSON_REAL, 1};
    v->value = value;
    return &v->base;
}

const char *json_string_value(const json_t *v)
{
    return json_is_string(v) ? ((const struct json_text *)v)->text : NULL;
}

size_t json_string_length(const json_t *v)
{
    return json_is_string(v) ? ((const struct json_text *)v)->len : 0;
}

json_int_t json_integer_value(const json_t *v)
{
    return json_is_integer(v) ? ((const struct json_whole *)v)->value : 0;
}

double json_real_value(const json_t *v)
{
    return json_is_real(v) ? ((const struct json_fraction *)v)->value : 0;
}

double json_number_value(const json_t *v)
{
    return json_is_integer(v) ? (double)json_integer_value(v) : json_real_value(v);
}

// --- arrays ---

static struct json_array *array_of(json_t *v)
{
    return json_is_array(v) ? (struct json_array *)v : NULL;
}

json_t *json_array(void)
{
    struct json_array *a = small_get(sizeof(*a));
    *a = (struct json_array){.base = {JSON_ARRAY, 1}};
    return &a->base;
}

size_t json_array_size(const json_t *array)
{
    return json_is_array(array) ? ((const struct json_array *)array)->len : 0;
}

json_t *json_array_get(const json_t *array, size_t at)
{
    return at < json_array_size(array) ? ((const struct json_array *)array)->items[at] : NULL;
}

static void array_room(struct json_array *a, size_t need)
{
    if (need <= a->cap)
        return;
    size_t cap = a->cap ? 2 * (size_t)a->cap : 4;
    cap = cap < need ? need : cap;
    a->items = small_resize(a->items, a->cap * sizeof(*a->items), cap * sizeof(*a->items));
    a->cap = (uint32_t)cap;
}

int json_array_append_new(json_t *array, json_t *v)
{
    struct json_array *a = array_of(array);
    if (!a || !v || v == array || a->len == UINT32_MAX / 2) {
        json_decref(v);
        return -1;
    }
    array_room(a, (size_t)a->len + 1);
    a->items[a->len++] = v;
    return 0;
}

int json_array_append(json_t *array, json_t *v)
{
    return json_array_append_new(array, json_incref(v));
}

int json_array_set_new(json_t *array, size_t at, json_t *v)
{
    struct json_array *a = array_of(array);
    if (!a || !v || v == array || at >= a->len) {
        json_decref(v);
        return -1;
    }
    json_t *old = a->items[at];
    a->items[at] = v;
    json_decref(old);
    return 0;
}

int json_array_set(json_t *array, size_t at, json_t *v)
{
    return json_array_set_new(array, at, json_incref(v));
}

int json_array_insert_new(json_t *array, size_t at, json_t *v)
{
    struct json_array *a = array_of(array);
    if (!a || at > a->len || json_array_append_new(array, v) < 0) {
        if (!a || at > a->len)
            json_decref(v);
        return -1;
    }
    memmove(&a->items[at + 1], &a->items[at], (a->len - 1 - at) * sizeof(*a->items));
    a->items[at] = v;
    return 0;
}

int json_array_remove(json_t *array, size_t at)
{
    struct json_array *a = array_of(array);
    if (!a || at >= a->len)
        return -1;
    json_t *old = a->items[at];
    memmove(&a->items[at], &a->items[at + 1], (--a->len - at) * sizeof(*a->items));
    json_decref(old);
    return 0;
}

int json_array_clear(json_t *array)
{
    struct json_array *a = array_of(array);
    if (!a)
        return -1;
    while (a->len)
        json_decref(a->items[--a->len]);
    return 0;
}

int json_array_extend(json_t *array, const json_t *other)
{
    if (!json_is_array(array) || !json_is_array(other))
        return -1;
    size_t n = json_array_size(other);
    for (size_t i = 0; i < n; i++)
        json_array_append(array, json_array_get(other, i));
    return 0;
}

// --- whole trees ---

void json_delete(json_t *v)
{
    switch (v->type) {
    case JSON_OBJECT:
        object_delete(v);
        break;
    case JSON_ARRAY: {
        struct json_array *a = (struct json_array *)v;
        for (uint32_t i = 0; i < a->len; i++)
            json_decref(a->items[i]);
        small_put(a->items, a->cap * sizeof(*a->items));
        small_put(a, sizeof(*a));
        break;
    }
    case JSON_STRING:
        small_put(v, text_size(((struct json_text *)v)->len));
        break;
    case JSON_INTEGER:
        small_put(v, sizeof(struct json_whole));
        break;
    case JSON_REAL:
        small_put(v, sizeof(struct json_fraction));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
    case JSON_NULL:
        break;
    }
}

// Scalars are made anew by both kinds of copies, as one may be changed without the other.
static json_t *copy(const json_t *v, bool deep)
{
    json_t *out = NULL;
    switch (v->type) {
    case JSON_OBJECT:
        out = json_object();
        for (void *it = json_object_iter(v); it; it = json_object_iter_next(v, it)) {
            json_t *member = json_object_iter_value(it);
            json_object_setn_new_nocheck(out, json_object_iter_key(it), json_object_iter_key_len(it),
                                         deep ? copy(member, true) : json_incref(member));
        }
        break;
    case JSON_ARRAY:
        out = json_array();
        array_room((struct json_array *)out, json_array_size(v));
        for (size_t i = 0; i < json_array_size(v); i++)
            json_array_append_new(out, deep ? copy(json_array_get(v, i), true) : json_incref(json_array_get(v, i)));
        break;
    case JSON_STRING:
        out = json_stringn_nocheck(json_string_value(v), json_string_length(v));
        break;
    case JSON_INTEGER:
        out = json_integer(json_integer_value(v));
        break;
    case JSON_REAL:
        out = json_real(json_real_value(v));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
    case JSON_NULL:
        out = v->type == JSON_TRUE ? json_true() : v->type == JSON_FALSE ? json_false() : json_null();
        break;
    }
    return out;
}

json_t *json_copy(json_t *v)
{
    return v ? copy(v, false) : NULL;
}

json_t *json_deep_copy(const json_t *v)
{
    return v ? copy(v, true) : NULL;
}

static bool equal_objects(const json_t *a, const json_t *b)
{
    if (json_object_size(a) != json_object_size(b))
        return false;
    for (void *it = json_object_iter(a); it; it = json_object_iter_next(a, it)) {
        const json_t *other = json_object_getn(b, json_object_iter_key(it), json_object_iter_key_len(it));
        if (!json_equal(json_object_iter_value(it), other))
            return false;
    }
    return true;
}

int json_equal(const json_t *a, const json_t *b)
{
    if (!a || !b || a->type != b->type)
        return 0;
    if (a == b)
        return 1;
    switch (a->type) {
    case JSON_OBJECT:
        return equal_objects(a, b);
    case JSON_ARRAY:
        if (json_array_size(a) != json_array_size(b))
            return 0;
        for (size_t i = 0; i < json_array_size(a); i++)
            if (!json_equal(json_array_get(a, i), json_array_get(b, i)))
                return 0;
        return 1;
    case JSON_STRING:
        return json_string_length(a) == json_string_length(b) &&
               memcmp(json_string_value(a), json_string_value(b), json_string_length(a)) == 0;
    case JSON_INTEGER:
        return json_integer_value(a) == json_integer_value(b);
    case JSON_REAL:
        return json_real_value(a) <= json_real_value(b) && json_real_value(a) >= json_real_value(b);
    case JSON_TRUE:
    case JSON_FALSE:
    case JSON_NULL:
        return 1;
    }
    return 0;
}
