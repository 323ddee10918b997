// A small Rust lexer: enough to tell code from comments, strings and character literals, with byte offsets and
// lines. It accepts any bytes (unknown ones become punctuation) and never fails on content, only on size.
//
// Punctuation is one token per byte; operators such as `=>` are asked for with rust_is_op(). Comments and
// white space leave no token. Brackets know their partner.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RUST_SOURCE_MAX ((size_t)4 * 1024 * 1024)
#define RUST_NONE       UINT32_MAX

enum rust_kind {
    RUST_IDENT,    // identifiers and keywords; raw identifiers without their r#
    RUST_LIFETIME, // 'a (with the quote)
    RUST_CHAR,     // 'x', b'x'
    RUST_STRING,   // "…", r#"…"#, b"…", c"…" (whole literal)
    RUST_NUMBER,
    RUST_PUNCT,
};

struct rust_token {
    uint32_t start, end; // bytes, end is behind the last
    uint32_t line;       // of the start, from 1
    uint32_t partner;    // of ( [ { and their closing ones: token index, RUST_NONE when unbalanced
    uint8_t kind;        // enum rust_kind
    char first;          // first byte: the punctuation itself
};

struct rust_tokens {
    const char *text; // borrowed from the caller of rust_lex: must live as long
    size_t len;
    struct rust_token *items;
    uint32_t count;
    uint32_t lines; // lines in the text
};

// ERR_LIMIT when len > RUST_SOURCE_MAX. Free with rust_tokens_free in either case.
int rust_lex(const char *text, size_t len, struct rust_tokens *ret, struct err *err);
void rust_tokens_free(struct rust_tokens *t);

// All of these take any index, also one past the end (then false).
bool rust_is_ident(const struct rust_tokens *t, uint32_t i, const char *word);
bool rust_is_any_ident(const struct rust_tokens *t, uint32_t i);
bool rust_is_punct(const struct rust_tokens *t, uint32_t i, char c);
bool rust_is_op(const struct rust_tokens *t, uint32_t i, const char *op); // adjacent punctuation, e.g. "::"
// Same kind and same text.
bool rust_same(const struct rust_tokens *t, uint32_t a, uint32_t b);
// Whether the text of token i is one of the words in a list separated by blanks: "iter into_iter drain".
bool rust_is_one_of(const struct rust_tokens *t, uint32_t i, const char *words);
char *rust_token_text(const struct rust_tokens *t, uint32_t i);                    // owned by the caller
char *rust_range_text(const struct rust_tokens *t, uint32_t first, uint32_t last); // source text, inclusive; owned
uint32_t rust_column(const struct rust_tokens *t, uint32_t i);                     // characters, from 1
// Index behind the group that opens at i; i + 1 when i opens none or it is unbalanced.
uint32_t rust_skip_group(const struct rust_tokens *t, uint32_t i);
