// What callgrind wrote (--callgrind-out-file): functions with their own exact costs, and calls between them with how
// often and with which cost below. Of the events instructions are kept, and with --collect-systime system calls and the
// time in them. Several files (of the processes of one command) are added up.
//
// Bounds: CALLGRIND_FUNCTIONS_MAX functions, CALLGRIND_CALLS_MAX different calls; what is beyond them is an error.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CALLGRIND_FUNCTIONS_MAX ((size_t)1 << 20)
#define CALLGRIND_CALLS_MAX     ((size_t)1 << 22)
#define CALLGRIND_LINES_MAX     ((size_t)1 << 22)
#define CALLGRIND_ID_MAX        ((uint64_t)1 << 22) // of compressed names

enum callgrind_event { CALLGRIND_INSTRUCTIONS, CALLGRIND_SYSCALLS, CALLGRIND_SYSTIME, CALLGRIND_EVENTS };

struct callgrind;

struct callgrind_function {
    const char *name; // as in the file; mangled with --demangle=no
    const char *file; // NULL: unknown. A function that begins with inlined code of std has the file of its own lines
    const char *object;
    uint64_t self[CALLGRIND_EVENTS], total[CALLGRIND_EVENTS]; // total: with all that it called
    uint64_t called;                                          // how often
    int line;                                                 // the lowest of its own in `file`, 0: unknown
};

struct callgrind_call {
    uint32_t caller, callee;
    uint64_t count, cost[CALLGRIND_EVENTS]; // cost with all that was below
    int line;                               // of the caller, where most of it is; 0: unknown
};

struct callgrind_line { // of `file` of the function
    uint32_t function;
    int line;
    uint64_t cost; // instructions, calls made from there included
};

struct callgrind *callgrind_new(void);
struct callgrind *callgrind_free(struct callgrind *c); // takes NULL, returns NULL
// Errors: ERR_PARSE with the line, ERR_LIMIT.
int callgrind_add(struct callgrind *c, const char *text, size_t len, struct err *err);
// Sums up; must be called before the result is read.
void callgrind_finish(struct callgrind *c);

size_t callgrind_function_count(const struct callgrind *c);
const struct callgrind_function *callgrind_function_at(const struct callgrind *c, uint32_t i);
uint64_t callgrind_total(const struct callgrind *c, enum callgrind_event event);
bool callgrind_has_syscalls(const struct callgrind *c);
// Calls sorted by caller; those of one caller are [*ret_first, + return value).
const struct callgrind_call *callgrind_calls(const struct callgrind *c, size_t *ret_count);
size_t callgrind_calls_of(const struct callgrind *c, uint32_t caller, const struct callgrind_call **ret);
const struct callgrind_line *callgrind_lines(const struct callgrind *c, size_t *ret_count);
