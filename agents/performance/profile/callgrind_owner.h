// Who is answerable for what callgrind counted: costs of code that is not the project's go to the functions of the
// project that called it, in the proportions in which they did.
#pragma once

#include "profile/callgrind.h"
#include "profile/crate_kind.h"
#include "profile/profile.h"

struct callgrind_owned {
    enum crate_kind *kinds; // of each function
    char **names;           // the same, demangled
    size_t count;
    double (*cost)[CALLGRIND_EVENTS]; // of functions of the project: own and charged; of others 0
    double unowned[CALLGRIND_EVENTS]; // below nobody of the project
};

// p tells which functions are the project's.
struct callgrind_owned *callgrind_owned_new(const struct callgrind *c, const struct profile *p);
struct callgrind_owned *callgrind_owned_free(struct callgrind_owned *o); // takes NULL, returns NULL

// Numbers of the functions with that demangled name and owner, and of the closures in it: instances of a generic share
// a name. mem_free.
uint32_t *callgrind_find(const struct callgrind_owned *o, const char *function, enum crate_kind kind,
                         size_t *ret_count);
