// What could make the project faster, derived from evidence: settings of the release profile that are not at their fastest known
// value, lint fixes a machine can apply in functions the profile saw samples in, and build configuration. Nothing here is assumed
// to help: every candidate is measured, and what does not measure better is dropped. Shape: agents/change/change.h.
#pragma once

#include "json/json.h"
#include "rust/cargo_metadata.h"
#include "sandbox/files.h"

#include <stdbool.h>

#define HOT_SHARE_MIN_PCT    1.0 // a place with fewer samples is cold
#define LINT_CANDIDATES_MAX  20

struct candidate_facts {
    struct files *files;                 // the checkout, held
    const char *checkout;                // root that file names of candidates are relative to
    const struct cargo_metadata *metadata;
    const json_t *findings;              // ranked, each with share_pct
    const json_t *build;                 // buildinfo's facts; may be NULL
    bool runtime, build_speed;           // the focus of the run
    bool is_library;                     // candidates_library_only: settings of the release profile help nobody
};

// Whether the project ships nothing that its own profile builds (programs, C libraries): whoever uses a Rust library builds it with
// a profile of their own.
bool candidates_library_only(const struct cargo_metadata *metadata);

// Array of candidates, in the order they should be tried (lint fixes by share, then settings, then build configuration).
json_t *candidates_new(const struct candidate_facts *facts);

// [profile.release] of the workspace's root manifest as written; an empty object when there is none.
json_t *release_profile_new(struct files *files, const char *workspace_root);
