// The answer of `cargo metadata --format-version 1`, typed. Parsing only: running cargo is the caller's (with
// cargo_metadata_argv). Strings are borrowed from the parsed document, which the struct owns.
#pragma once

#include "base/err.h"
#include "json/json.h"

#include <stdbool.h>
#include <stddef.h>

#define CARGO_PACKAGES_MAX ((size_t)20000)
#define CARGO_TARGETS_MAX  ((size_t)20000) // of one package

struct cargo_target {
    const char *name;
    const char *kind;     // "lib" (also rlib, dylib, cdylib, staticlib, proc-macro: see proc_macro), "bin", "example",
                          // "bench", "test", "custom-build"
    const char *src_path; // absolute
    bool proc_macro;
};

struct cargo_dependency { // as declared
    const char *name;
    const char *kind; // "normal", "build", "dev"
    const char *requirement;
    bool default_features, optional;
    const json_t *features; // array of strings
};

struct cargo_package {
    const char *id, *name, *version, *manifest_path, *edition;
    bool is_member, is_local; // member of the workspace; local: no registry source
    const json_t *features;   // object: feature -> list
    struct cargo_target *targets;
    size_t target_count;
    struct cargo_dependency *dependencies;
    size_t dependency_count;
    size_t *uses; // resolved: indices of packages, with kinds in use_flags
    unsigned char *use_flags;
    size_t use_count;
};
enum { CARGO_USE_NORMAL = 1, CARGO_USE_BUILD = 2, CARGO_USE_DEV = 4 };

struct cargo_metadata {
    json_t *root;
    const char *workspace_root, *target_directory; // absolute
    struct cargo_package *packages;
    size_t package_count;
    size_t member_count;
    bool resolved; // false with --no-deps
};

int cargo_metadata_parse(const char *text, size_t len, struct cargo_metadata *ret, struct err *err);
void cargo_metadata_free(struct cargo_metadata *m);

struct cargo_metadata_options {
    bool locked;  // fail rather than write Cargo.lock
    bool offline; // no network
    bool no_deps;
    const char *platform; // --filter-platform TRIPLE, may be NULL
};
// argv for exec_run, NULL-terminated; free with mem_free (the words are borrowed or static).
const char **cargo_metadata_argv(const struct cargo_metadata_options *options);

// The member whose folder holds the path (absolute), deepest first; NULL when none.
const struct cargo_package *cargo_package_of_path(const struct cargo_metadata *m, const char *path);
// Marks every package reachable from members over edges of these kinds (members themselves are marked):
// *ret is an array of package_count flags, freed with mem_free. Dev edges count only where they leave a member.
bool *cargo_reachable_new(const struct cargo_metadata *m, unsigned kinds);
bool cargo_package_has_target(const struct cargo_package *p, const char *kind);
