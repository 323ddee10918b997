// What a Rust source contains, found by a lexer and bracket matching (no grammar): functions with their impl type,
// loops with nesting, which code is only for tests, public items, and where names are imported from. Robust on any
// bytes; what it does not understand it leaves out.
//
// Not seen: code inside macro definitions and items that a macro makes.
#pragma once

#include "rust/lexer.h"

struct rust_function {
    char *name;
    char *owner;      // impl type or trait, NULL for free functions
    uint32_t keyword; // token `fn`
    uint32_t params;  // token `(` of the parameters
    uint32_t body;    // token `{`, RUST_NONE for a declaration without a body
    uint32_t line, line_end;
    uint32_t parent;                   // enclosing function or RUST_NONE
    bool is_async, is_public, is_test; // public: `pub` without restriction
};

enum rust_loop_kind { RUST_LOOP_FOR, RUST_LOOP_WHILE, RUST_LOOP_ENDLESS, RUST_LOOP_CLOSURE };

// Token ranges are inclusive. The body of `for`, `while` and `loop` includes its braces; a closure's body begins at its
// first `|`.
struct rust_loop {
    enum rust_loop_kind kind;
    uint32_t keyword;              // `for`, `while`, `loop`, or the method's name (`for_each`, `map`)
    uint32_t pattern, pattern_end; // for: the pattern; else RUST_NONE
    uint32_t source, source_end;   // for: what is walked over; while: the condition; else RUST_NONE
    uint32_t body, body_end;
    uint32_t function; // RUST_NONE outside of functions
    uint32_t parent;   // enclosing loop in the same function, or RUST_NONE
    uint32_t depth;    // 1: not inside another loop of this function
};

struct rust_public { // one public item that is not a test and not in a private place we can see
    char *name;      // "fn Index::add", "struct Entry"
    uint32_t line;
};

struct rust_import {
    char *name; // as the file says it
    char *path; // full path: "std::fs::File"
};

struct rust_items {
    struct rust_function *functions;
    size_t function_count;
    struct rust_loop *loops;
    size_t loop_count;
    struct rust_public *publics;
    size_t public_count;
    struct rust_import *imports;
    size_t import_count;
    char **test_modules; // names in `#[cfg(test)] mod name;`
    size_t test_module_count;
    bool is_test_file;     // #![cfg(test)]
    uint32_t *function_of; // per token: innermost function whose extent holds it, or RUST_NONE
    uint32_t *loop_of;     // per token: innermost loop whose body holds it (same function), or RUST_NONE
    bool *excluded;        // per token: test code or a macro definition
};

void rust_items_find(const struct rust_tokens *t, struct rust_items *ret);
void rust_items_free(struct rust_items *items);

// "Index::add", "main"; owned by the caller; NULL for RUST_NONE.
char *rust_function_label(const struct rust_items *items, uint32_t function);
// Innermost function that has the line, or RUST_NONE.
uint32_t rust_function_at_line(const struct rust_items *items, uint32_t line);
// Full path behind a name that the file imports with `use`, or NULL.
const char *rust_import_path(const struct rust_items *items, const char *name);
