// What the manifests ask for and nobody needs, as candidates (agents/change/change.h): dependencies that nothing uses,
// and default features that can be left out. Each stands where it is declared: a dependency that members inherit in the
// workspace's root.
#pragma once

#include "rust/cargo_metadata.h"
#include "sandbox/files.h"
#include "json/json.h"

struct trim {
    struct files *files;  // the base checkout, held
    const char *checkout; // its root: file names of candidates are relative to it
    const struct cargo_metadata *metadata;
};

// The removal of a dependency (a row of unused_new), or its move to the dev-dependencies. NULL when the manifest writes
// it in a way that is not changed here (a table of its own): *ret_why, owned by the caller, says so.
json_t *trim_removal_new(const struct trim *t, const json_t *unused, char **ret_why);

// Normal dependencies of the members from outside of the workspace whose default features are on: array of
// { "package", "manifest", "dependency", "name": of the package, "file", "table": ["dependencies"] or ["workspace",
// "dependencies"],
//   "defaults": its default features, "features": asked for by name }, each declaration once.
json_t *trim_defaults_new(const struct trim *t);

// The candidate that switches the default features of such a row off and asks for `keep` (array of names, NULL: what is
// asked for now).
json_t *trim_features_new(const struct trim *t, const json_t *row, const json_t *keep, char **ret_why);
