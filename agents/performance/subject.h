// What is run and measured: found once in the profile stage, passed on in the handoff, read back by the verify stage. A subject
// is plain data, so that it survives any crash in between:
//
//   { "name": "count", "kind": "command|criterion|printed|plain", "source": "--bench|baton.toml|cargo bench",
//     "words": ["{bin:wordmill}", "count", "--words", "10000"],   programs of the project as {bin:NAME}, {example:NAME}, {bench:NAME}
//     "cwd": "",              below the workspace's root
//     "stdin": null,          file below the workspace's root or by its full path, or null
//     "features": [],         that its programs need, as PACKAGE/FEATURE
//     "reach": [],            files outside the checkout that the caller named
//     "id": null }            criterion and printed: the bench's id within the program
#pragma once

#include "base/err.h"
#include "json/json.h"
#include "measure/ab.h"
#include "rust/cargo_metadata.h"
#include "sandbox/files.h"

#define SUBJECTS_MAX 32
#define SUBJECT_WORDS_MAX 256

struct subject_places {
    struct files *files; // the checkout, held
    const char *project; // in the checkout
    const char *user;    // the caller's own folder: files that are not in git lie only there; may be NULL
};

// The order of preference: what the caller names (bench, may be NULL or ""), what the project declares in baton.toml, its
// `cargo bench` programs. *ret is an empty array when there is nothing; *ret_why (owned by the caller) then says what was looked for.
// A --bench command may end in "< FILE"; "cargo bench -p PACKAGE --bench PROGRAM -- FILTER" chooses among the benches. A program of
// cargo bench is of kind "plain" here: which harness it has is seen when it is built.
int subject_find(const struct subject_places *places, const struct cargo_metadata *metadata, const char *bench, json_t **ret,
                 char **ret_why, struct err *err);

// What the project's baton.toml says about comparisons ([measure]); zero where it says nothing.
struct subject_measure {
    bool has_metric;
    enum ab_metric metric;
    double theta;
};
int subject_measure(const struct subject_places *places, struct subject_measure *ret, struct err *err);

// Names of the programs a list of subjects needs: array of "bin:wordmill". New reference.
json_t *subject_programs(const json_t *subjects);

// argv of a subject with its programs put in: {"bin:wordmill": "/path"}. NULL-terminated, freed with str_list_free.
// ERR_NOT_FOUND names the program that is missing.
int subject_argv(const json_t *subject, const json_t *programs, char ***ret, struct err *err);

// Features that the programs of the subjects need besides the default ones, as cargo's --features wants them; NULL when none. Owned by
// the caller.
char *subject_features(const json_t *subjects);

// Paths that the caller named outside the checkout, NULL-terminated, for struct exec_call.reach. mem_free the list; the texts are
// the subject's.
const char **subject_reach(const json_t *subject);
