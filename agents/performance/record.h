// Recording CPU profiles of subjects with perf, through the sandbox. Several short runs are recorded until there are enough
// samples to rank functions by.
#pragma once

#include "base/err.h"
#include "json/json.h"
#include "profile/profile.h"
#include "sdk/agent.h"

struct recording {
    struct job *job;
    const char *checkout;   // root that findings' files are relative to
    const char *root;       // workspace root in the checkout
    const char *spool;      // folder for perf.data and scripts
    const char *target_dir; // where the programs were built
    const char *const *crates;
};

// Profiles all subjects into one profile. ERR_DENIED, ERR_NOT_FOUND, ERR_TOOL when perf cannot be used (the text says what to do).
// ret_scripts: paths of the scripts, array.
int record_subjects(const struct recording *r, const json_t *subjects, const json_t *programs, struct profile **ret,
                    struct err *err);
