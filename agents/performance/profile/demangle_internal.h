// Inside of demangle_*.c: the reader of a v0 symbol, shared by its three parts. Not for other modules.
#pragma once

#include "profile/demangle.h"

#include <stdint.h>
#include <string.h>

struct reader {
    const char *text; // behind the _R
    size_t len, at;
    struct buf *out;
    bool quiet; // parse without printing
    bool bad;   // set once, everything returns quickly from then on
    int depth;
    unsigned steps;
    uint64_t bound_lifetimes;
};

struct ident {
    const char *at;
    size_t len;
    bool puny;
};

#define ADD(r, text) v0_emit((r), (text), sizeof(text) - 1)

// demangle_reader.c
void demangle_utf8(struct buf *out, uint32_t c);
void v0_emit(struct reader *r, const char *text, size_t len);
void v0_emit_ident(struct reader *r, struct ident id);
void v0_emit_number(struct reader *r, uint64_t v);
char v0_peek(const struct reader *r); // NUL at the end and after an error
char v0_take(struct reader *r);
bool v0_eat(struct reader *r, char c);
bool v0_enter(struct reader *r); // around each production; false: too deep or too much work
void v0_leave(struct reader *r);
uint64_t v0_base_62(struct reader *r);               // "_" is 0, "0_" is 1, "z_" is 36 ...
uint64_t v0_optional_62(struct reader *r, char tag); // 0 without the tag, else number + 1
struct ident v0_identifier(struct reader *r);
// Reads what an earlier place holds; the caller has eaten the 'B'. It may only point backwards.
void v0_back_reference(struct reader *r, void (*read)(struct reader *, bool), bool flag);
// Items up to 'E', separated by ", ". Returns how many there were.
size_t v0_list(struct reader *r, void (*item)(struct reader *));

// demangle_v0.c
void v0_path(struct reader *r, bool in_value);
void v0_type(struct reader *r);

// demangle_const.c
void v0_constant(struct reader *r, bool in_value);

// Each adds to out and returns true, or returns false; what a failed call added is left behind.
bool demangle_legacy(struct buf *out, const char *symbol, size_t len);
bool demangle_v0(struct buf *out, const char *symbol, size_t len);
