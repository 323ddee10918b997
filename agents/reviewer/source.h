// One Rust source under review, and what the source checks ask about names: which place an expression names, whether a
// name is only read, how it was declared. All answers are cautious: in doubt "used in some other way".
#pragma once

#include "reviewer/finding.h"
#include "rust/items.h"

struct source {
    const char *file; // below the checkout root
    struct rust_tokens t;
    struct rust_items items;
};

// Lexes `text` (borrowed: must live as long). ERR_LIMIT when it is too large.
int source_open(const char *file, const char *text, size_t len, struct source *ret, struct err *err);
void source_close(struct source *s);
// Adds a finding at token i.
void source_finding(const struct source *s, struct findings *f, enum check check, uint32_t i, const char *suggestion,
                    const char *message);

// Whether token i is live code inside a loop (not test code, not a macro definition).
bool source_in_loop(const struct source *s, uint32_t i);

// A place is `name`, `self.a.b`, `name.0`: no calls, no indexing. `last` is its last token; returns its first token or
// RUST_NONE.
uint32_t place_start(const struct source *s, uint32_t last);
bool same_tokens(const struct rust_tokens *t, uint32_t a, uint32_t a_end, uint32_t b, uint32_t b_end);

// Token of the `{` around i (RUST_NONE outside of all), and tokens of the statement that i is part of (inside its
// block).
uint32_t block_around(const struct rust_tokens *t, uint32_t i);
void statement_around(const struct rust_tokens *t, uint32_t i, uint32_t *first, uint32_t *last);

enum name_use { USE_NONE, USE_READ, USE_OTHER }; // none: the token is another thing of that name (a field, a path, …)
enum name_use name_use_at(const struct rust_tokens *t, uint32_t i);
struct name_uses {
    uint32_t reads, others;
};
// All uses of the name of token `name` between two tokens (inclusive).
struct name_uses name_uses_in(const struct rust_tokens *t, uint32_t name, uint32_t first, uint32_t last);
// Whether a format string between the tokens captures the name: "{name}".
bool name_captured_in(const struct rust_tokens *t, uint32_t name, uint32_t first, uint32_t last);
bool has_ident(const struct rust_tokens *t, uint32_t first, uint32_t last, const char *words);

// Whether the function around token `at` takes `&mut self`, `mut self` or `self` (then reads of self may conflict with
// writes).
bool self_may_change(const struct source *s, uint32_t at);
// Whether a local, a parameter (of the function around `at`) or, for `self.x`, a field of this file is declared with
// this type: `name: Vec<`, `let name = Vec::`, `let name = vec![`; type "[": a slice or array. `place_last` is the last
// token of the place.
bool declared_as(const struct source *s, uint32_t place_first, uint32_t place_last, const char *type);
// `let` of that name inside the tokens: token `let` or RUST_NONE.
uint32_t let_of(const struct rust_tokens *t, uint32_t name, uint32_t first, uint32_t last);
// Path that ends at token i, its first segment replaced by what the file imports: "std::thread::sleep". Owned by the
// caller.
char *full_path(const struct source *s, uint32_t i);
