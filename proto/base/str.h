// Strings: duplication, tests, trimming, splitting, UTF-8, numbers. NUL-terminated unless a length is given.
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

char *str_dup(const char *s);                             // NULL stays NULL; owned by the caller
char *str_ndup(const char *s, size_t len);                // owned by the caller
char *str_printf(const char *fmt, ...) ATTR_PRINTF(1, 2); // owned by the caller
void str_set(char **target, const char *s);               // frees *target, then duplicates s (NULL allowed)

bool str_eq(const char *a, const char *b); // NULL equals only NULL
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);
bool str_eq_nocase(const char *a, const char *b); // ASCII
// Edits from one word to the other: a letter more, less, other, or two that changed places; SIZE_MAX when one has
// STR_EDITS_MAX bytes or more.
#define STR_EDITS_MAX 32
size_t str_edits(const char *a, const char *b);
bool str_has_nocase(const char *text, const char *word); // ASCII, substring

char *str_trim(char *s); // in place; returns the first non-blank, cuts blanks, \r and \n behind

// Splits at any byte of `separators`, skipping empty pieces when skip_empty. Result: NULL-terminated array,
// freed with str_list_free. *ret_count may be NULL.
char **str_split(const char *s, const char *separators, bool skip_empty, size_t *ret_count);
void str_list_free(char **list);

bool str_utf8_valid(const char *s, size_t len); // strict: no surrogates, no overlong forms, no NUL
size_t str_plain(const char *s, size_t len);    // how many ASCII characters stand first that JSON writes as they are
// Length of the character at s (of `left` bytes) that may be shown, 0 when the byte is part of none: control
// characters, marks that turn the direction of text, broken sequences.
size_t str_utf8_shown(const char *s, size_t left);
void str_make_plain(char *text); // in place: blanks for all that may not be shown; nothing in it can steer a terminal
size_t str_utf8_cut(const char *s, size_t max_bytes); // largest length <= max_bytes that ends on a character

// Whole-string decimal; false on anything else or out of range.
bool str_to_i64(const char *s, int64_t *ret);
bool str_to_double(const char *s, double *ret); // finite, locale-independent
