// The second witness: counts that do not depend on the load of the machine (instructions from callgrind, allocations
// from DHAT, system calls as valgrind sees them), before and after. It never accepts alone; when it contradicts the
// clock the answer is "undecided" and both are shown.
#pragma once

#include "measure/ab.h"

#define WITNESS_RISE 0.005 // instructions may rise by so much and still not speak against a gain
#define WITNESS_FALL 0.02  // system calls or allocations that fall by so much explain a gain without fewer instructions

#define WITNESS_LOG_MAX ((size_t)256 * 1024)

struct witness_counts { // 0: not counted
    double instructions, allocations, allocated_bytes, system_calls;
};

// Adds what a log of valgrind (callgrind or DHAT, of one process) says at its end. Text from outside: what does not fit
// is passed over.
void witness_read(const char *text, size_t len, struct witness_counts *counts);

// Whether a line of valgrind's --trace-syscalls begins a call ("SYSCALL[17,1](  1) sys_write ( 1, …"); its second part
// ("SYSCALL[17,1](  1) ... [async] --> …") is none of its own.
bool witness_is_call(const char *line);

enum witness_view { WITNESS_SILENT, WITNESS_FOR, WITNESS_AGAINST };
const char *witness_view_name(enum witness_view v); // "silent", "for", "against"

// What the counts say about "the candidate is faster". Silent when neither side was counted.
enum witness_view witness_view(const struct witness_counts *before, const struct witness_counts *after);

// Joins both: a faster verdict that the witness speaks against, and a slower one that it contradicts (instructions, and
// nothing counted rising, fell), become undecided with a reason. Returns the view.
enum witness_view witness_apply(struct ab_result *r, const struct witness_counts *before,
                                const struct witness_counts *after);

// {"view", "instructions": {"before", "after", "change_pct"}, ...}; what was not counted is left out.
json_t *witness_json_new(const struct witness_counts *before, const struct witness_counts *after);
