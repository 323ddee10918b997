// Inside of the stage that says what makes a build slow (explain_stage.c): its parts share this.
#pragma once

#include "base/err.h"
#include "buildinfo/pulled_in.h"
#include "buildinfo/timings.h"
#include "buildinfo/unused.h"
#include "performance/trim.h"
#include "rust/cargo_metadata.h"
#include "sdk/agent.h"

struct explain {
    struct job *job;
    const char *checkout, *work, *cache, *commit, *profile; // folders, base commit, "dev" or "release"
    bool prove;
    struct files *files, *work_files;
    struct cargo_metadata metadata;
    struct trim trim;
    json_t *report;     // output.build_report
    json_t *packages;   // {"NAME VERSION": seconds}
    json_t *candidates; // all that was proposed; evidence.proven tells which hold
    json_t *limits;
    int64_t deadline_ns;
};

void explain_note(struct explain *x, const char *what, const char *why); // a limit, in words
// Runs words in root, with the target folder of that name below the cache. extra_env may be NULL.
int explain_cargo(struct explain *x, const char *root, const char *target, const char *const *words,
                  const char *extra_env, struct exec_result *result, struct err *err);

// Default features that can be left out: candidates, and report.features.
int explain_features(struct explain *x, struct err *err);
// Tries the candidates in the work checkout and marks those that hold: evidence.proven, and "proven" of their rows in
// the report.
int explain_prove(struct explain *x, struct err *err);
// What the release programs are made of: report.bloat.
int explain_bloat(struct explain *x, struct err *err);
