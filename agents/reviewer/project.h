// The project under review as files: manifests of the workspace and the sources that end up in its libraries and
// programs. Tests, benches, examples, build scripts, generated files and packages that are not members are left out.
#pragma once

#include "base/vec.h"
#include "reviewer/source.h"
#include "rust/cargo_metadata.h"
#include "rust/manifest.h"
#include "sandbox/files.h"

#define PROJECT_FILES_MAX  ((size_t)20000)
#define PROJECT_SOURCE_MAX ((size_t)1024 * 1024) // larger sources are data in disguise: left out, counted
#define PROJECT_BYTES_MAX  ((size_t)256 * 1024 * 1024)

struct project_manifest {
    char *file; // below the root
    struct manifest manifest;
    bool is_root; // of the workspace
};

struct project {
    struct files *files;                   // the checkout, borrowed: everything is read through it
    char *root;                            // checkout root, absolute
    char *dir;                             // the project inside it
    char *workspace;                       // folder of the workspace's root manifest
    const struct cargo_metadata *metadata; // borrowed, may be NULL: then the manifests are all we know
    VEC(struct project_manifest) manifests;
    VEC(char *) sources;  // below the root, sorted
    size_t skipped_large; // sources left out for their size
    size_t skipped_generated;
    size_t lines; // of the sources that project_each_source opened
};

// files: held folder of the checkout at `root`; must outlive the project. ERR_NOT_FOUND: no Cargo.toml in the project's
// folder. ERR_DENIED: it may not be read.
int project_open(struct files *files, const char *root, const char *dir, const struct cargo_metadata *metadata,
                 struct project *ret, struct err *err);
void project_close(struct project *p);

// Opens every source in turn; files that cannot be read are passed over.
typedef void project_source_fn(void *user, const struct source *source);
void project_each_source(struct project *p, project_source_fn *visit, void *user);

const struct project_manifest *project_root_manifest(const struct project *p);
// Visits text files by path (below the root), not following links; `depth` folders deep; skips .git, target and
// node_modules.
typedef void project_path_fn(void *user, const char *below);
void project_walk(const char *root, const char *below, int depth, project_path_fn *visit, void *user);
