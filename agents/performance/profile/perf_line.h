// The grammar of one line of `perf script`, as perf 4 to 6 prints it. Pure: bytes in, slices of them out.
//
//   sample:  comm  tid|pid/tid  [cpu]?  time:?  period?  event[:modifier]:  (the single frame, when there is no call
//   graph) frame:   blanks  hex-ip  symbol[+0xoffset]  (dso)  |  (inlined) record:  comm  tid  time:  PERF_RECORD_LOST
//   lost N
//
// The comm may hold blanks; a symbol may hold anything (Rust names have blanks, parentheses, braces).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slice {
    const char *at; // not NUL-terminated
    size_t len;
};

struct perf_header {
    struct slice comm, event; // event without its last colon
    uint32_t tid;             // 0 when absent
    uint64_t time_ns;         // 0 when absent
    uint64_t period;          // 1 when absent
    struct slice rest;        // what stands behind the event, blanks trimmed: a frame or nothing
};

struct perf_frame_text {
    uint64_t ip;
    struct slice symbol; // "[unknown]" when perf knew none
    struct slice dso;    // empty for inlined frames and when the field was not printed
    uint64_t offset;     // from the start of the symbol
    bool has_offset, inlined;
};

bool perf_line_header(const char *line, size_t len, struct perf_header *ret);
bool perf_line_frame(const char *line, size_t len, struct perf_frame_text *ret);
// A PERF_RECORD_LOST or PERF_RECORD_LOST_SAMPLES line; *ret is the number of lost samples.
bool perf_line_lost(const char *line, size_t len, uint64_t *ret);
