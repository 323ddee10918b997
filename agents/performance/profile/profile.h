// A CPU profile, from the text of `perf script` to what people and other stages want to know: samples, folded stacks
// with inlined functions, the hot path table, a summary. Files in, values out; it starts no processes. The commands
// to record with are in perf_command.h.
//
// Symbols come from the programs themselves while they still lie where they were run (symbolize.h); a program that is
// gone or was rebuilt degrades to the names that perf printed.
#pragma once

#include "profile/crate_kind.h"
#include "profile/flamegraph.h"
#include "profile/folded.h"
#include "profile/hot.h"
#include "profile/perf_script.h"

#include "json/json.h"

struct profile_options {
    const char *const *project_roots; // NULL-terminated: the project and checkouts of it, absolute
    const char *const *target_dirs;   // NULL-terminated: where it is built, absolute; may be NULL
    const char *const *crates;        // NULL-terminated: names of the project's crates; may be NULL
    const char *event;                // NULL: that of the first sample
    bool guess_owner; // when nothing lies below the roots: the code of the sampled program counts as the project's
    bool every_frame; // folded stacks show the frames of async runtimes and rayon one by one
};

struct profile {
    const char *format;         // what it was read from: "perf", "folded", "firefox", "speedscope", "callgrind"
    struct perf_script *script; // samples as perf gave them; NULL when another profiler took them
    struct folded *folded;      // inlined functions expanded; counts in `unit`
    struct hot_table *hot;      // the same stacks, weighted by period
    const char *unit;           // "samples", or "cycles" when the samples weigh differently
    uint64_t shallow;           // samples with one frame: no frame pointers where they were taken
    uint64_t resolved;          // samples whose innermost frame has a source line
    bool kernel;                // some frames are of the kernel
    bool guess_owner;           // as in the options
    struct profile_inside *inside;
};

// Reads all files as parts of one profile. Errors: ERR_NOT_FOUND/ERR_DENIED/ERR_IO for a file, ERR_PARSE when no line
// fits, ERR_NOT_FOUND when there is no sample. The strings of options are copied.
int profile_load(const char *const *paths, size_t count, const struct profile_options *options, struct profile **ret,
                 struct err *err);
struct profile *profile_free(struct profile *p); // takes NULL, returns NULL
// The same from what callgrind counted; ERR_NOT_FOUND when that is nothing.
struct callgrind;
int profile_of_callgrind(const struct callgrind *c, const struct profile_options *options, struct profile **ret,
                         struct err *err);

const struct perf_script_stats *profile_stats(const struct profile *p);
// Name of the thread of a stack of the hot table (hot_walk.h); NULL when threads are not told apart. Borrowed.
const char *profile_thread(const struct profile *p, size_t stack);
size_t profile_thread_count(const struct profile *p); // 0: not told apart
const char *profile_thread_name(const struct profile *p, size_t i);

// {format, event, unit, samples, weight, lost, other_events, without_stack, kernel, kernel_pct, stacks, threads, deep,
// shallow_pct,
//  resolved_pct, unowned_pct, lines, bad_lines, first_bad: null or {line, text}, truncated, without_lines: [path]}
// without_lines: programs below target_dirs that were sampled and have no debug information.
json_t *profile_summary_new(const struct profile *p);
// {summary, hot_paths} with at most max rows (0: all).
json_t *profile_json_new(const struct profile *p, size_t max);
// Folded stacks of a script by the names that perf printed; no program is looked at. The thread's name is the root.
struct folded *folded_of_script(const struct perf_script *script);
// The flame graph of the profile; options->unit is taken from the profile. See flamegraph.h.
int profile_flamegraph(const struct profile *p, const struct flamegraph_options *options, struct buf *out,
                       struct err *err);
