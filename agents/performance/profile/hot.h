// The hot path table: which functions the time is in, and which function of the project is answerable for it.
//
// Samples come in expanded: one entry per function, inlined ones included, INNERMOST FIRST. For each function:
//   self    share of samples whose innermost frame it is
//   total   share of samples that have it anywhere in the stack (recursion counts once)
//   owned   only for functions of the project: share of samples for which it is the innermost frame of the project.
//           Time in std, core, alloc, dependencies and libc is so charged to the nearest calling project function.
// Over ten real fixes the function to fix was in the top 3 by self time 5 times, by owned time 8 times.
//
// Functions are told apart by name and owner; the instances of a generic that print the same name are one row.
#pragma once

#include "profile/crate_kind.h"

#include "json/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HOT_DEPTH_MAX ((size_t)2048) // expanded frames of one sample; the root side beyond is cut

struct hot_table;

struct hot_frame {
    const char *function;            // demangled
    const char *file;                // source file, NULL: unknown
    int line;                        // where it was, 0: unknown
    int function_line, function_end; // extent of the function as far as known, else 0
    enum crate_kind kind;
};

struct hot_function {
    const char *function;
    const char *file; // shortened as crate_path_short does; NULL: unknown
    int line;         // of the declaration when known, else the lowest line seen
    int line_end;     // highest line known
    int hot_line;     // where in the function most of its time was, calls made from there included; 0: unknown
    enum crate_kind kind;
    uint64_t samples; // with the function innermost
    double self_pct, total_pct, owned_pct;
};

// roots are copied by reference and must outlive the table.
struct hot_table *hot_table_new(const struct crate_roots *roots);
struct hot_table *hot_table_free(struct hot_table *t); // takes NULL, returns NULL

// Number of a frame; equal frames get the same one. Strings are copied. INTERN_NONE when there are too many.
uint32_t hot_frame_add(struct hot_table *t, const struct hot_frame *frame);
// One stack, innermost first, of `samples` samples that weigh `weight` together.
void hot_stack_add(struct hot_table *t, const uint32_t *frames, size_t count, uint64_t samples, uint64_t weight);

// Weight at a line that is known without a stack (callgrind counts lines exactly).
void hot_line_add(struct hot_table *t, uint32_t frame, uint64_t weight);

uint64_t hot_total_weight(const struct hot_table *t);
double hot_unowned_pct(const struct hot_table *t); // share of samples without any frame of the project

// Rows, the function to look at first on top: by owned, then self, then total share. Functions of the project with
// owned time come before all others. Owned by the caller (mem_free); strings are borrowed from the table.
struct hot_function *hot_rank(const struct hot_table *t, size_t *ret_count);

// Share (0 to 100) of samples with a frame, inlined ones included, in that file between the lines a and b. The file is
// absolute or relative to a project root; only a table without roots also takes the tail of a path ("src/lib.rs").
double hot_share_of_lines(const struct hot_table *t, const char *file, int a, int b);
// Share of samples that have the function around file:line in their stack. The function is the innermost known one
// whose lines hold `line`; 0 when no sampled function does. *ret_function (may be NULL) is borrowed, NULL when none.
double hot_share_of_function(const struct hot_table *t, const char *file, int line, const char **ret_function);
// Of these, the samples that are charged to the function or to what is written inside it (closures): no other function of the
// project is further in. What a change of this function alone could save at most; a dispatcher has next to nothing.
double hot_owned_of_function(const struct hot_table *t, const char *file, int line, const char **ret_function);

// [{function, short (for tables), self_pct, total_pct, owned_pct, file, line, line_end, hot_line, crate_kind,
// samples}], at most max rows (0: all); file is null when unknown.
json_t *hot_json_new(const struct hot_table *t, size_t max);
json_t *hot_row_json_new(const struct hot_function *row); // one of them
