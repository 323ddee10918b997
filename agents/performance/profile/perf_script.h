// The text of `perf script` as samples. Streaming: feed it pieces of any size as they come. Samples with the same
// thread name and the same call chain become one stack with a count and a weight, so memory grows with different
// stacks, not with samples.
//
// Frames are kept LEAF FIRST, as perf prints them: frames[0] is where the processor was, the last is the root.
// A frame's number stays the same for equal frame lines, so work per frame (symbolizing) is done once.
//
// Tolerant: a line that does not fit the grammar (perf_line.h) is counted and the first one is kept for the report;
// only samples of one event are taken (the first seen, or the one asked for), those of others are counted.
// Bounds: lines PERF_SCRIPT_LINE_MAX, frames of a stack PERF_SCRIPT_DEPTH_MAX (root side cut and counted),
// different frames and stacks INTERN_COUNT_MAX, text PERF_SCRIPT_TOTAL_MAX.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PERF_SCRIPT_LINE_MAX    ((size_t)64 * 1024)
#define PERF_SCRIPT_DEPTH_MAX   ((size_t)512)
#define PERF_SCRIPT_TOTAL_MAX   ((uint64_t)16 * 1024 * 1024 * 1024)
#define PERF_SCRIPT_BAD_TEXT    160
#define PERF_SCRIPT_THREADS_MAX 8
#define PERF_SCRIPT_PART_BYTES  ((size_t)8 << 20) // of the smallest part for a thread of its own

struct perf_script;

struct perf_frame {
    uint64_t ip;        // user space: offset in the file of the dso (perf 5 and later); kernel: address
    uint64_t offset;    // from the start of the symbol, when has_offset
    const char *symbol; // as perf printed it, usually mangled; "[unknown]"
    const char *dso;    // path, "[kernel.kallsyms]", "[unknown]"; "" for frames that perf expanded itself
    bool has_offset;
    bool inlined; // perf printed "(inlined)"
    bool kernel;
};

struct perf_stack {
    const uint32_t *frames; // leaf first
    size_t count;
    const char *comm;
    uint64_t samples;
    uint64_t weight; // sum of the periods: nanoseconds for cpu-clock, cycles for cycles
};

struct perf_script_stats {
    uint64_t samples;        // taken
    uint64_t weight;         // their weight
    uint64_t lost;           // reported by the kernel as lost
    uint64_t other_events;   // samples of other events
    uint64_t without_stack;  // samples with a header and no frame; not part of `samples`
    uint64_t deep;           // samples whose chain was cut
    uint64_t kernel_samples; // samples with a kernel frame
    uint64_t lines, bad_lines;
    char first_bad[PERF_SCRIPT_BAD_TEXT]; // start of the first bad line; "" when there was none
    uint64_t first_bad_line;
    char event[64]; // name with modifier: "cpu-clock:u"; "" before the first sample
    bool truncated; // a maximum was reached, what came after was dropped
};

// event NULL: the event of the first sample.
struct perf_script *perf_script_new(const char *event);
struct perf_script *perf_script_free(struct perf_script *p); // takes NULL, returns NULL
void perf_script_feed(struct perf_script *p, const char *data, size_t len);
// Ends the last sample. Must be called at the end of each text, and so before the result is read.
void perf_script_finish(struct perf_script *p);
// Feeds a whole file. Errors: ERR_NOT_FOUND, ERR_DENIED, ERR_IO.
// Large files are read by several threads, each a part; the result is the same.
int perf_script_read_file(struct perf_script *p, const char *path, struct err *err);
// With so many threads as are asked for, at most PERF_SCRIPT_THREADS_MAX; small parts are not parted.
int perf_script_read_threads(struct perf_script *p, const char *path, int threads, struct err *err);
// Adds what another text of the same event held; line numbers of `from` go on behind those of `into`.
void perf_script_merge(struct perf_script *into, const struct perf_script *from);

// Borrowed until perf_script_free.
const struct perf_script_stats *perf_script_stats(const struct perf_script *p);
size_t perf_script_stack_count(const struct perf_script *p);
struct perf_stack perf_script_stack(const struct perf_script *p, size_t i);
size_t perf_script_frame_count(const struct perf_script *p);
const struct perf_frame *perf_script_frame(const struct perf_script *p, uint32_t id);
