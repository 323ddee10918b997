// Builds the programs of subjects with cargo, and sets copies aside so that two builds can be run side by side.
#pragma once

#include "base/err.h"
#include "json/json.h"
#include "sdk/agent.h"

#include <stdbool.h>

struct builder {
    struct job *job;
    const char *root;       // of the checkout's workspace: where cargo runs
    const char *target_dir; // CARGO_TARGET_DIR
    const char *profile;    // of cargo; NULL: release, for benches the bench profile
    const char *features;   // "PACKAGE/FEATURE,…" (subject_features); may be NULL
    char *const *env;       // more variables for cargo, NULL-terminated; may be NULL. Not with symbols
    bool symbols;           // line tables, frame pointers, not stripped: for profiling, never for timing
    bool timings;           // write cargo's timing report
    int64_t wall_ns;        // a cargo call that takes longer is ended with ERR_TIMEOUT; 0: 30 minutes
};

struct built {
    json_t *programs;   // {"bin:wordmill": "/target/release/wordmill"}
    int64_t wall_ns;    // of the cargo calls
    int64_t cpu_ns;
    char *timing_html;  // newest timing report below target_dir, NULL when there is none
};

// programs: array of "bin:x" (subject_programs). All release profile; benches the bench profile. ERR_TOOL: does not compile (the text
// has the compiler's first error).
int builder_build(const struct builder *b, const json_t *programs, struct built *ret, struct err *err);
void built_free(struct built *b);

// Copies the programs, which lie below target_dir and are no links out of it, below dir (made anew) and returns {"bin:x": "<dir>/bin-x"}. ret_hash: over all of them, so that equal builds
// are seen.
int builder_set_aside(const char *target_dir, const json_t *programs, const char *dir, json_t **ret, char ret_hash[65],
                      struct err *err);
