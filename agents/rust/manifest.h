// Facts of a Cargo.toml that `cargo metadata` does not tell, with their lines: profiles, harness flags, features as
// written.
#pragma once

#include "base/err.h"
#include "json/json.h"

#include <stdbool.h>

#define MANIFEST_MAX ((size_t)1024 * 1024)

struct manifest {
    char *path; // as given
    char *text; // the file
    size_t len;
    json_t *root; // the TOML as JSON
};

int manifest_parse(const char *text, size_t len, const char *path, struct manifest *ret, struct err *err);
void manifest_free(struct manifest *m);

int manifest_line(const struct manifest *m, const char *toml_path); // of the nearest table that exists; at least 1

// The release profile as cargo builds it: defaults, what [profile.release] says, what it inherits from. `set` fields
// tell what the manifest names itself. Profiles count only in the workspace's root manifest: give that one.
struct profile {
    bool exists;       // the table is there
    char opt_level[8]; // "3", "s" …
    char lto[8];       // "false" (thin-local, the default), "off", "thin", "fat"
    int codegen_units; // 16 when the manifest does not say (256 with incremental)
    bool opt_level_set, lto_set, codegen_units_set;
    bool overflow_checks, debug_assertions, incremental, panic_abort;
    char debug[24]; // "0", "1", "2", "line-tables-only", …
    char strip[12]; // "none", "debuginfo", "symbols"
    int line;       // of the table, 0 when it is not there
};
// name: "release", "bench", "dev" or a custom one; follows `inherits`. ERR_NOT_FOUND: a custom profile that is not
// there.
int manifest_profile(const struct manifest *m, const char *name, struct profile *ret, struct err *err);
// Whether the target of [[bench]], [[test]], … named so has `harness = false`.
bool manifest_harness(const struct manifest *m, const char *section, const char *target); // true: libtest's harness

// Visits every dependency in [dependencies], [build-dependencies], [dev-dependencies], their target.* forms and
// [workspace.dependencies].
struct manifest_dependency {
    const char *name;    // as in the manifest
    const char *package; // with `package = "x"`: x, else name
    const char *kind;    // "normal", "build", "dev", "workspace"
    const json_t *value; // version text or table
    bool default_features, optional, from_workspace;
    const char *toml_path; // for manifest_line
};
typedef void manifest_dependency_fn(void *user, const struct manifest_dependency *dependency);
void manifest_dependencies(const struct manifest *m, manifest_dependency_fn *visit, void *user);
// Whether the dependency names the feature itself.
bool manifest_has_feature(const struct manifest_dependency *dependency, const char *feature);
