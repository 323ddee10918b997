// Candidates for a change, as data: what the performance engineer proposes, the developer commits one by one, and the
// verifying stage combines. A candidate is a recipe relative to the base commit, so any set of them can be laid over
// the base in any order without merging.
//
//   { "id": "C1", "kind": "profile|lint|source|build", "scope": "runtime|build", "title": "opt-level = 3 in the release
//   profile",
//     "why": "…", "evidence": { … what the profile or the build analysis said … },
//     "set":   [ {"file": "Cargo.toml", "path": ["profile", "release", "opt-level"], "value": "3"} ],      TOML values
//     "edits": [ {"file": "src/lib.rs", "byte_start": 10, "byte_end": 12, "text": "…"} ] }                 byte ranges
//     of the base file
//
// Files are relative to the checkout's root; ".." and absolute paths are refused. They are read and written by the file
// tools (sandbox/files.h), so the agent's rules decide. ".cargo/config.toml" steers cargo: only the settings below can
// be proposed there.
#pragma once

#include "base/err.h"
#include "sandbox/files.h"
#include "json/json.h"

#define CHANGE_CANDIDATES_MAX 200
#define CHANGE_FILE_MAX       ((size_t)8 << 20)

// Whether the candidate has the shape above; the text names what is wrong.
int change_check(const json_t *candidate, struct err *err);

// Files a candidate touches, each once. New reference.
json_t *change_files(const json_t *candidate);

// The settings of ".cargo/config.toml" that can be proposed, as TOML values.
#define CHANGE_CONFIG_FILE ".cargo/config.toml"
#define CHANGE_WRAPPER     "\"sccache\""                          // build.rustc-wrapper
#define CHANGE_LINKER      "[\"-C\", \"link-arg=-fuse-ld=mold\"]" // target.<triple>.rustflags, as the next two
#define CHANGE_LINKER_LLD  "[\"-C\", \"link-arg=-fuse-ld=lld\"]"
#define CHANGE_NATIVE      "[\"-C\", \"target-cpu=native\"]" // only what the user agreed to

// New text of every file that the candidates touch: object {file: text}. Reads the base files.
// ERR_CONFLICT: two edits overlap (the text names both candidates). ERR_NOT_FOUND: a file to edit is missing (a TOML
// file to set a value in may be missing: it is created).
int change_render(struct files *base, const json_t *candidates, json_t **ret_files, struct err *err);

// Makes work (a checkout of the same base) hold base + candidates: writes what they touch and brings files
// that only earlier calls touched (`touched`: object used as a set, kept by the caller between calls) back to the base
// text.
int change_lay(struct files *base, struct files *work, const json_t *candidates, json_t *touched, struct err *err);
