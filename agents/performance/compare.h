// Compares two builds of the project on its subjects: which build is faster, on evidence. One place for what "measures better"
// means here: at least one subject is accepted as faster (measure/ab.h) and none is refused as slower.
#pragma once

#include "base/err.h"
#include "json/json.h"
#include "measure/ab.h"
#include "sdk/agent.h"

#include <stdbool.h>

struct compare_sides {
    struct job *job;
    const char *root;            // workspace root in a checkout: subjects' cwd is below it
    const json_t *subjects;
    const json_t *a, *b, *copy;  // programs of base, candidate and a copy of the base (builder_set_aside); copy may be NULL
    const char *roots[3];        // where each side runs, when its programs are files of its own checkout; else NULL
    const char *scratch;         // folder for homes and criterion output
    int64_t wall_ns;             // for all subjects together
    const char *label;           // for progress: "C1"
    const json_t *floors;        // {subject: theta} from earlier calibrations; may be NULL
    double theta;                // smallest change that counts where floors say nothing; 0: SEQUENCE_THETA
    enum ab_metric metric;       // as in struct session
    bool ask_always;             // the second witness, also when it has no say: the clock says neither faster nor slower, or it is wall time
};

struct compare_verdict {
    json_t *comparisons; // array of {subject, …ab_result_json without samples, evidence}
    json_t *samples;     // {subject: [[a, b, order], …]}
    bool better, worse;
    const char *reason;  // static, when not better
};

// One of the subjects. *ret_witness: what the second witness said (performance/witnessed.h), NULL when it was not asked; new reference.
int compare_subject(const struct compare_sides *sides, const json_t *subject, struct ab_result **ret, json_t **ret_witness,
                    struct err *err);
int compare_builds(const struct compare_sides *sides, struct compare_verdict *ret, struct err *err);
void compare_verdict_free(struct compare_verdict *v);

// Of a result ({reason, comparisons}) that was not kept: not because it is not better, but because nobody knows yet.
bool compare_is_undecided(const json_t *result);

// One real run of each subject through the sandbox: the policy's decision, the receipt, and that it exits 0.
// Subjects that cannot run are removed from the list; *ret_limits gets a sentence for each.
int compare_try_subjects(struct job *job, const char *root, json_t *subjects, const json_t *programs, json_t *ret_limits,
                         struct err *err);

// Environment of measured programs: NULL-terminated, freed with str_list_free. Homes below scratch.
char **compare_environment(const char *scratch, const char *manifest_dir);
