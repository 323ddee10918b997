// The command lines of perf that the parsers here expect. They only make argv arrays (NULL-terminated, owned by the
// caller, freed with str_list_free); starting them is the caller's business.
//
//   perf record -e EVENT -F 997 --call-graph fp -o perf.data -- PROGRAM ARGS
//   perf script -i perf.data -F comm,tid,time,period,event,ip,sym,symoff,dso --no-demangle --no-inline
//   --show-lost-events -f
//
// 997 Hz: a prime, so that sampling does not beat with work that repeats every millisecond. `--no-demangle`: linkage
// names are exact (two instances of a generic differ) and demangle.h reads them. `--no-inline`: perf would start
// addr2line for each address; symbolize.h expands inlined frames in this process. Build what is profiled with
// RUSTFLAGS=-Cforce-frame-pointers=yes and debug = "limited" (line tables alone lack the names of inlined functions).
#pragma once

#include <stdbool.h>

enum perf_unwind {
    PERF_UNWIND_FP,    // frame pointers: small and fast; std ships with them, libc often lacks them
    PERF_UNWIND_DWARF, // copies 8 KiB of stack per sample: for programs built without frame pointers
    PERF_UNWIND_LBR,   // Intel, needs hardware counters
};

struct perf_record_options {
    const char *perf;   // program, NULL: "perf"
    const char *output; // perf.data to write
    bool hardware;      // the host counts cycles; false: cpu-clock, the software clock that works everywhere
    bool kernel;        // also sample the kernel (needs perf_event_paranoid <= 1)
    int frequency;      // per second; 0: 997
    enum perf_unwind unwind;
};

char **profile_perf_record_argv(const struct perf_record_options *options, const char *const *command);
char **profile_perf_script_argv(const char *perf, const char *data_path); // perf NULL: "perf"
