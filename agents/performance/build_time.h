// How long the project takes to build, compared between two checkouts pair by pair. What is timed is the candidate's own claim:
// "clean" (everything from nothing) or "relink" (one source touched, as after an edit).
#pragma once

#include "base/err.h"
#include "json/json.h"
#include "measure/ab.h"
#include "sandbox/files.h"
#include "sdk/agent.h"

struct build_sides {
    struct job *job;
    const char *root_a, *root_b;     // workspace roots of the two checkouts
    const char *target_a, *target_b; // target directories, private to this comparison
    struct files *files_a, *files_b; // the checkouts, held
    const json_t *touch;             // sources to touch for "relink": array of paths below the checkouts; may be NULL
    bool clean;
    const char *profile_a, *profile_b; // of cargo; NULL: release
    enum ab_metric metric;             // AB_WALL, or what the answer calls it: AB_BUILD, AB_REBUILD
    double theta;                      // as in struct ab_options
    int64_t wall_ns;                 // for the whole comparison
    const char *label;
};

// ERR_LIMIT: builds are too slow to be compared in the time given (the text says how long one takes).
int build_time_compare(const struct build_sides *sides, struct ab_result **ret, struct err *err);
