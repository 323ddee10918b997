// Inside proto/toml: the parsed document with the place of everything in the text, for line numbers and edits.
#pragma once

#include "base/err.h"
#include "base/vec.h"

#include <jansson.h>
#include <stddef.h>

enum toml_kind { TOML_SCALAR, TOML_ARRAY, TOML_TABLE };

// How a table or array came to be; decides what may still be added to it.
enum toml_origin {
    TOML_IMPLICIT, // table: only named on the way to another header
    TOML_HEADER,   // table: the document itself, [name], or an element of [[name]]
    TOML_DOTTED,   // table: made by a dotted key
    TOML_INLINE,   // table: { }, array: [ ]; complete where it stands
    TOML_TABLES,   // array of [[name]]
};

struct toml_node {
    enum toml_kind kind;
    enum toml_origin origin;
    struct toml_node *parent;
    struct toml_node *section; // table under whose header it is written (a header's own: itself)
    char *key;                 // owned; NULL in arrays
    size_t key_len;
    json_t *scalar;
    VEC(struct toml_node *) kids;
    json_t *index;               // key -> position in kids
    int depth;                   // document: 0
    int line;                    // first line that names it
    size_t key_start;            // of the whole dotted key that made it
    size_t val_start, val_end;   // scalars, inline tables and arrays
    size_t stmt_start, stmt_end; // the lines of the statement, with its newline
    size_t body_end;             // TOML_HEADER: behind its header line or its last statement
    size_t last_stmt;            // TOML_HEADER: start of its last statement, SIZE_MAX without one
};

struct toml_node *toml_tree_new(const char *text, size_t len, const char *what, struct err *err);
struct toml_node *toml_tree_free(struct toml_node *node); // NULL allowed; returns NULL
struct toml_node *toml_tree_child(const struct toml_node *node, const char *key,
                                  size_t len); // keys, or a number in arrays
json_t *toml_tree_json_new(const struct toml_node *node);

void toml_tree_auto_free(struct toml_node **node);
#define AUTO_TREE AUTO(toml_tree_auto_free)
