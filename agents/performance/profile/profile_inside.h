// Inside of profile*.c and read_*.c: how a profile is put together, whatever it is read from. Not for other modules.
#pragma once

#include "profile/profile.h"
#include "profile/symbolize.h"

#include "base/vec.h"

#define PLACE_NONE UINT32_MAX

// Frames of the Rust runtime between the start of a thread and the code it runs; the flame graph shows them as one.
enum start { START_NONE, START_LAST, START_CALL };

struct part { // what one frame of the script became, innermost first, in `places`
    size_t first;
    uint32_t count;
    bool done, lines;
};

struct place { // a function at a line
    uint32_t hot, folded;
    enum start start;
    uint8_t runtime; // runtimes.h
};

struct profile_inside {
    char **roots, **targets, **crates; // owned; NULL or NULL-terminated
    char *program;                     // whose own code counts as the project's; NULL: only what lies below the roots
    bool local_sources;                // the same for all code whose source is no one else's
    bool every_frame;
    struct crate_roots crate_roots;
    struct symbolizer *symbols;
    struct perf_script_stats stats; // when there is no script
    VEC(struct part) parts;         // two for each frame of the script
    VEC(struct place) places;
    struct intern *threads;
    VEC(uint32_t) thread_of; // of each stack in the hot table
    VEC(char *) without_lines;
};

// An empty profile; the reader adds stacks.
struct profile *profile_new(const struct profile_options *options);
// Forgets all stacks and places.
void profile_reset(struct profile *p);
// Who owns code. dso, file NULL: unknown.
enum crate_kind profile_kind(const struct profile *p, const char *dso, const char *file, const char *function);
// Number of the place, PLACE_NONE when there are too many. Equal ones get new numbers: the caller keeps them.
uint32_t profile_place(struct profile *p, const struct hot_frame *frame);
// One stack, innermost first. thread NULL: not told apart. shown: what it counts in the folded stacks.
void profile_add(struct profile *p, const uint32_t *places, size_t count, const char *thread, uint64_t samples,
                 uint64_t weight, uint64_t shown);
