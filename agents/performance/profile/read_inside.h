// The formats behind read.c. Each adds its stacks to an empty profile. Not for other modules.
#pragma once

#include "profile/profile_inside.h"

int read_folded(struct profile *p, const char *text, size_t len, struct err *err);
int read_firefox(struct profile *p, const char *text, size_t len, struct err *err);
int read_speedscope(struct profile *p, const char *text, size_t len, struct err *err);
int read_callgrind(struct profile *p, const char *text, size_t len, struct err *err);

// A place for a frame of which only this is known; names are demangled. Equal ones get the same number while `keys`
// (an intern table of the caller's) lives; the k-th of its strings is the k-th of `places`.
struct read_places {
    struct intern *keys;
    VEC(uint32_t) places;
};
uint32_t read_place(struct profile *p, struct read_places *r, const char *function, const char *dso, const char *file,
                    int line);
void read_places_free(struct read_places *r);
// Counts samples that were added.
void read_count(struct profile *p, uint64_t samples, uint64_t weight);
