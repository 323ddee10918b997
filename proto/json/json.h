// JSON helpers over Jansson: bounded parsing, canonical text and its hash, typed reads with clear errors.
// json_t ownership follows Jansson: getters here return borrowed references unless the name says _new.
#pragma once

#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define JSON_TEXT_MAX ((size_t)64 * 1024 * 1024)

// Parses `len` bytes. `what` names the text in the error ("result of stage 3"). NULL on failure.
json_t *json_parse_new(const char *text, size_t len, const char *what, struct err *err);
json_t *json_read_file_new(const char *path, size_t max, struct err *err);

// Canonical form: sorted keys, no blanks, shortest numbers. Same value, same text, same hash.
char *json_canonical(const json_t *v);
void json_hash(const json_t *v, char out[65]);
char *json_compact(const json_t *v); // key order kept
char *json_pretty(const json_t *v);  // two blanks, key order kept, newline behind
// The same for people's terminals: the same values, with escapes for whatever could steer one.
char *json_shown(const json_t *v);
char *json_shown_pretty(const json_t *v);

// Reads of a member; when absent, null or of another type: the default.
const char *json_str(const json_t *object, const char *key, const char *def);
int64_t json_int(const json_t *object, const char *key, int64_t def);
double json_num(const json_t *object, const char *key, double def);
bool json_flag(const json_t *object, const char *key, bool def);
json_t *json_list(const json_t *object, const char *key); // borrowed array, or NULL
json_t *json_obj(const json_t *object, const char *key);  // borrowed object, or NULL

// Reads of a member that must be there. `what` names the object in the error.
int json_need_str(const json_t *object, const char *key, const char *what, const char **ret, struct err *err);

// Sets a member to a new reference (consumed). s == NULL sets null.
void json_put(json_t *object, const char *key, json_t *value_consumed);
void json_put_str(json_t *object, const char *key, const char *s);
void json_put_int(json_t *object, const char *key, int64_t v);
void json_put_num(json_t *object, const char *key, double v); // not finite: null
void json_put_flag(json_t *object, const char *key, bool v);
void json_add_str(json_t *array, const char *s);
// A JSON string from bytes that may not be UTF-8: bad bytes become U+FFFD.
json_t *json_text_new(const char *s, size_t len);

void json_auto_decref(json_t **v);
#define AUTO_JSON AUTO(json_auto_decref)
