// Inside of perf_script*.c. Not for other modules.
#pragma once

#include "profile/intern.h"
#include "profile/perf_script.h"

#include "base/buf.h"
#include "base/vec.h"

struct totals {
    uint64_t samples, weight;
};

struct perf_script {
    struct intern *names;  // symbols, dsos, comms
    struct intern *lines;  // frame lines; the number is that of the frame
    struct intern *stacks; // arrays of uint32_t: comm, then frames
    VEC(struct perf_frame) frames;
    VEC(struct totals) totals; // beside `stacks`
    struct perf_script_stats stats;
    char *wanted;    // event, NULL until known
    struct buf part; // a line that is not complete yet
    bool skip_line;  // the rest of a line that was too long
    uint64_t total_bytes;

    bool in_sample, sample_kernel, sample_deep;
    uint64_t period;
    uint32_t comm;
    size_t depth;
    uint32_t stack[PERF_SCRIPT_DEPTH_MAX + 1]; // [0] is the comm
};
