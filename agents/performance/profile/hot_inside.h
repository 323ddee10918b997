// Inside of hot*.c: the table itself. Not for other modules.
#pragma once

#include "profile/hot.h"
#include "profile/intern.h"

#include "base/vec.h"

#define PLACES_MAX ((size_t)1 << 22) // different {function, line} pairs with weight

struct hot_row {
    const char *name, *file;
    enum crate_kind kind;
    int first, last; // lines
    bool declared;   // `first` comes from the debug information
    uint64_t samples, self, total, owned;
    uint64_t hot_weight;
    int hot_line;
    uint64_t mark; // last stack that counted it
};

struct frame {
    uint32_t function;
    const char *file;
    int line;
};

struct frame_key { // bytes are compared: no padding
    uint32_t function, file;
    int32_t line, unused;
};

struct stack {
    size_t first, count; // in `frames_of_stacks`
    uint64_t samples, weight;
};

struct hot_table {
    const struct crate_roots *roots;
    struct intern *texts;
    struct intern *function_keys; // {name, kind}
    VEC(struct hot_row) functions;
    struct intern *frame_keys;
    VEC(struct frame) frames;
    struct intern *place_keys; // {function, line}: weight as innermost
    VEC(uint64_t) place_weights;
    VEC(uint32_t) frames_of_stacks;
    VEC(struct stack) stacks;
    uint64_t weight, unowned;
};

double hot_percent(const struct hot_table *t, uint64_t weight);
