// What a hot table holds, one by one: for exports (every stack with its lines), for annotated source, and for the
// evidence beside a row: what the time that is charged to a function was spent on.
#pragma once

#include "profile/hot.h"

#define HOT_BELOW_MAX 3 // callees named for a row

struct hot_stack {
    const uint32_t *frames; // innermost first; borrowed until the next change
    size_t count;
    uint64_t samples, weight;
};

size_t hot_stack_count(const struct hot_table *t);
struct hot_stack hot_stack_at(const struct hot_table *t, size_t i);
size_t hot_frame_count(const struct hot_table *t);
// function_end is 0; strings are borrowed.
struct hot_frame hot_frame_at(const struct hot_table *t, uint32_t frame);
uint32_t hot_frame_function(const struct hot_table *t, uint32_t frame); // below hot_function_count
size_t hot_function_count(const struct hot_table *t);
// Number of the function with that name and owner, UINT32_MAX when there is none.
uint32_t hot_function_find(const struct hot_table *t, const char *function, enum crate_kind kind);

// Of each function the function of the project that it is written in: itself, but for closures. mem_free.
uint32_t *hot_outer_functions(const struct hot_table *t);

// Lines of a function, with those of `as` that are counted as it, with their share of all weight (samples in them or in
// what they call), by line:
// [{line, pct}]. New reference.
json_t *hot_lines_new(const struct hot_table *t, const uint32_t *as, uint32_t function);

// For each function of the project the time that is charged to it, by the callee it is under and by what was done
// (hot_doing.def). One pass over all stacks.
struct hot_charged;
// as: of each function the one it is counted as (a closure as the function around it).
struct hot_charged *hot_charged_new(const struct hot_table *t, const uint32_t *as);
struct hot_charged *hot_charged_free(struct hot_charged *c); // takes NULL, returns NULL
// {"below": [{function, pct}] at most HOT_BELOW_MAX, largest first, "doing": {"allocation": pct, …}}. New reference.
json_t *hot_charged_row_new(const struct hot_charged *c, uint32_t function);
