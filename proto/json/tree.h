// Values: trees of objects, arrays, texts and numbers, counted by reference. The names and the meaning are those of the
// Jansson library, whose place this takes: a value is one block, the members of an object lie in a row, and blocks that
// come and go are kept at hand (base/small.h).
// Getters take NULL and values of another kind, and give NULL, 0 or false then. Functions with _new in their name take
// the reference that they are given, also when they fail (-1); the others add one of their own. A tree belongs to one
// thread at a time: it is handed on, never shared.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef long long json_int_t;
typedef enum {
    JSON_OBJECT,
    JSON_ARRAY,
    JSON_STRING,
    JSON_INTEGER,
    JSON_REAL,
    JSON_TRUE,
    JSON_FALSE,
    JSON_NULL
} json_type;

typedef struct json_t {
    json_type type;
    uint32_t refs; // JSON_CONSTANT: true, false and null, which are never freed
} json_t;

#define JSON_CONSTANT UINT32_MAX

struct json_text {
    json_t base;
    size_t len;
    char text[]; // UTF-8, ends with NUL; may have others inside
};
struct json_whole {
    json_t base;
    json_int_t value;
};
struct json_fraction {
    json_t base;
    double value;
};
struct json_array {
    json_t base;
    uint32_t len, cap;
    json_t **items;
};

void json_delete(json_t *v);

static inline json_t *json_incref(json_t *v)
{
    if (v && v->refs != JSON_CONSTANT)
        v->refs++;
    return v;
}

static inline void json_decref(json_t *v)
{
    if (v && v->refs != JSON_CONSTANT && --v->refs == 0)
        json_delete(v);
}

#define json_typeof(v)     ((v)->type)
#define json_is_object(v)  ((v) && json_typeof(v) == JSON_OBJECT)
#define json_is_array(v)   ((v) && json_typeof(v) == JSON_ARRAY)
#define json_is_string(v)  ((v) && json_typeof(v) == JSON_STRING)
#define json_is_integer(v) ((v) && json_typeof(v) == JSON_INTEGER)
#define json_is_real(v)    ((v) && json_typeof(v) == JSON_REAL)
#define json_is_number(v)  ((v) && (json_typeof(v) == JSON_INTEGER || json_typeof(v) == JSON_REAL))
#define json_is_true(v)    ((v) && json_typeof(v) == JSON_TRUE)
#define json_is_false(v)   ((v) && json_typeof(v) == JSON_FALSE)
#define json_is_boolean(v) ((v) && (json_typeof(v) == JSON_TRUE || json_typeof(v) == JSON_FALSE))
#define json_is_null(v)    ((v) && json_typeof(v) == JSON_NULL)

// --- texts, numbers, constants ---
json_t *json_string(const char *s);                      // NULL when it is not UTF-8
json_t *json_stringn(const char *s, size_t len);         // NULL when it is not UTF-8
json_t *json_stringn_nocheck(const char *s, size_t len); // the caller knows that it is
json_t *json_integer(json_int_t value);
json_t *json_real(double value); // NULL when it is not finite
json_t *json_true(void);
json_t *json_false(void);
json_t *json_null(void);
#define json_boolean(v) ((v) ? json_true() : json_false())

const char *json_string_value(const json_t *v);
size_t json_string_length(const json_t *v);
json_int_t json_integer_value(const json_t *v);
double json_real_value(const json_t *v);
double json_number_value(const json_t *v); // of an integer, too

// --- arrays ---
json_t *json_array(void);
size_t json_array_size(const json_t *array);
json_t *json_array_get(const json_t *array, size_t at); // borrowed
int json_array_append(json_t *array, json_t *v);
int json_array_append_new(json_t *array, json_t *v);
int json_array_set(json_t *array, size_t at, json_t *v);
int json_array_set_new(json_t *array, size_t at, json_t *v);
int json_array_insert_new(json_t *array, size_t at, json_t *v);
int json_array_remove(json_t *array, size_t at);
int json_array_clear(json_t *array);
int json_array_extend(json_t *array, const json_t *other);
#define json_array_foreach(array, at, value)                                                                           \
    for ((at) = 0; (at) < json_array_size(array) && ((value) = json_array_get(array, at)); (at)++)

// --- objects: members stay in the order in which they came; a new value of an old key takes its place ---
// A key stays where it is until the object or its member goes.
json_t *json_object(void);
size_t json_object_size(const json_t *object);
json_t *json_object_get(const json_t *object, const char *key); // borrowed
json_t *json_object_getn(const json_t *object, const char *key, size_t len);
int json_object_set(json_t *object, const char *key, json_t *v);
int json_object_set_new(json_t *object, const char *key, json_t *v);
int json_object_setn_new(json_t *object, const char *key, size_t len, json_t *v);
int json_object_setn_new_nocheck(json_t *object, const char *key, size_t len, json_t *v); // the key is UTF-8
int json_object_del(json_t *object, const char *key);                                     // -1: there is none
int json_object_clear(json_t *object);
int json_object_update(json_t *object, const json_t *other);
int json_object_update_missing(json_t *object, const json_t *other);
// NULL: no (more) member. No member may be added or deleted meanwhile.
void *json_object_iter(const json_t *object);
void *json_object_iter_next(const json_t *object, void *iter);
const char *json_object_iter_key(void *iter);
size_t json_object_iter_key_len(void *iter);
json_t *json_object_iter_value(void *iter);
int json_object_iter_set_new(json_t *object, void *iter, json_t *v);
void *json_object_walk(const json_t *object, void *iter, const char **ret_key, json_t **ret_value);
#define JSON_WALK_NAME_(line) json_walk_##line
#define JSON_WALK_NAME(line)  JSON_WALK_NAME_(line)
#define json_object_foreach(object, key, value)                                                                        \
    for (void *JSON_WALK_NAME(__LINE__) = json_object_walk(object, NULL, &(key), &(value)); JSON_WALK_NAME(__LINE__);  \
         JSON_WALK_NAME(__LINE__) = json_object_walk(object, JSON_WALK_NAME(__LINE__), &(key), &(value)))

// --- whole trees ---
json_t *json_copy(json_t *v); // its members and items are the same values
json_t *json_deep_copy(const json_t *v);
int json_equal(const json_t *a, const json_t *b); // the order of members does not count

// Values by a pattern: { } [ ] around, s text (also of a key), i int, I json_int_t, f double, b int as bool, n null,
// o a value (taken), O a value. NULL when the pattern is wrong or a text is not UTF-8.
json_t *json_pack(const char *pattern, ...);

// --- text (read.c, write.c) ---
enum { JSON_REJECT_DUPLICATES = 0x1, JSON_DISABLE_EOF_CHECK = 0x2, JSON_DECODE_ANY = 0x4, JSON_ALLOW_NUL = 0x10 };
#define JSON_MAX_INDENT 0x1F
#define JSON_INDENT(n)  ((size_t)(n)&JSON_MAX_INDENT)
enum { JSON_COMPACT = 0x20, JSON_ENSURE_ASCII = 0x40, JSON_SORT_KEYS = 0x80, JSON_ENCODE_ANY = 0x200 };
#define JSON_ERROR_TEXT_LENGTH 160

typedef struct {
    int line, column; // from 1; the column in bytes
    char text[JSON_ERROR_TEXT_LENGTH];
} json_error_t;

json_t *json_loadb(const char *text, size_t len, size_t flags, json_error_t *error); // error may be NULL
json_t *json_loads(const char *text, size_t flags, json_error_t *error);
char *json_dumps(const json_t *v, size_t flags); // owned by the caller
