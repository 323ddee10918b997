// YAML to JSON, through libyaml. One document; maps keep the order of the text; keys must be scalars. Aliases are
// copied, bounded. When a key stands twice the last value wins, as most parsers do, and the place can be had.
#pragma once

#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>

#define YAML_TEXT_MAX  ((size_t)1024 * 1024)
#define YAML_DEPTH_MAX 64
#define YAML_NODES_MAX 100000

struct yaml_options {
    // Plain scalars stay strings, exactly as written ("1.0", "yes", "007"); only null, ~ and nothing become null.
    // Without it plain scalars follow the YAML 1.2 core schema (null, true/false, integers, numbers).
    bool as_text;
    // Number of the first line of the text, for errors and `lines`; 0 means 1.
    int first_line;
    // If not NULL, an object that receives the line of every map entry and list item: "/tools/0" -> 7.
    json_t *lines;
    // If not NULL, an array that receives one {"path", "line", "first", "was"} for each key that stands twice: the
    // line of the later one, the line of the earlier one (0 without `lines`), and the value that was replaced.
    json_t *duplicates;
};

// `what` names the text in errors ("frontmatter of 'x.md'"); options may be NULL. A text without any value gives
// JSON null. NULL on failure: ERR_PARSE with the line in the text, ERR_LIMIT when a maximum above is passed.
json_t *yaml_parse_new(const char *text, size_t len, const char *what, const struct yaml_options *options,
                       struct err *err);
