// Recording CPU profiles of subjects with perf, through the sandbox. Several short runs are recorded until there are enough
// samples to rank functions by.
#pragma once

#include "base/err.h"
#include "json/json.h"
#include "profile/perf_command.h"
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

// A command that a person named, profiled as it stands.
struct recorded_command {
    const char *name; // for progress
    const char *const *argv;
    const char *cwd, *stdin_path; // stdin_path may be NULL
    const char *const *reach;     // files that it names
    enum perf_unwind unwind;
    int frequency; // per second; 0: chosen by how long it takes
};

struct recorded {
    struct profile *profile;
    unsigned runs;
    int64_t wall_ns, user_ns, sys_ns; // of the last run, and of all together
    int exit_code;                    // of the last run
    char said[200];                   // its last line on standard error, "" for none
    bool hardware, kernel;            // cycles were counted; the kernel was sampled
};

// Runs it until there are enough samples or time is up. options: how the samples are read. ERR_DENIED, ERR_NOT_FOUND,
// ERR_TOOL when perf cannot be used; ERR_NOT_FOUND too when there is no sample.
int record_command(struct job *job, const char *spool, const struct recorded_command *c,
                   const struct profile_options *options, struct recorded *ret, struct err *err);

// The text of a perf.data file, as a file at `script`. reach: programs that ran, for their names and stacks.
int record_script_of(struct job *job, const char *data, const char *cwd, const char *const *reach, const char *script,
                     struct err *err);

// Profiles all subjects into one profile. ERR_DENIED, ERR_NOT_FOUND, ERR_TOOL when perf cannot be used (the text says what to do).
// ret_scripts: paths of the scripts, array.
int record_subjects(const struct recording *r, const json_t *subjects, const json_t *programs, struct profile **ret,
                    struct err *err);
