// Internal: single lines of frontmatter: where a key ends, which values need quotes, what is left of a broken value.
#pragma once

#include "source.h"

#include <jansson.h>
#include <stdbool.h>

struct key_line {
    char key[64];
    const char *value; // points into the line, blanks before and behind left out
    size_t len;
};

// Is this `key: value` at column 0? With `loose`, a known key also counts without a blank behind the colon, and an
// entry in quotes.
bool key_line_read(const struct source_line *line, bool loose, struct key_line *ret);
// Would YAML misread this one-line value, while its meaning is plain to a person?
bool value_wants_quotes(const char *value, size_t len);
// Takes off quotes around a value that has the same quotes inside: "He said "no" and left".
void value_strip_outer_quotes(const char **value, size_t *len);
bool value_is_block_mark(const char *value, size_t len); // "|", ">-", ...
// The value of a key that YAML cannot read: lines [from, to), the key on the first. A list of "- " items becomes an
// array, everything else a string.
json_t *value_raw(const struct source *s, size_t from, size_t to, const struct key_line *key);
