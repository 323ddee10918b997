// A target directory that is kept between runs and shared by checkouts. Cargo believes times: two checkouts of one
// project look like the same packages to it, and what the one built counts as fresh for the other. So a directory
// carries a stamp (the commit it was last used for); for another stamp the members' artifacts are removed first,
// dependencies stay.
#pragma once

#include "base/err.h"
#include "rust/cargo_metadata.h"
#include "sandbox/exec.h"

struct target_dir {
    char *path; // absolute
    char *env;  // "CARGO_TARGET_DIR=<path>"
    int lock;   // held while open
    bool own;   // somebody else holds the shared one: private, removed at close
};

// `stamp` NULL: unknown, always cleaned. `metadata` may be NULL: then everything is removed when the stamp differs.
int target_dir_open(struct exec_context *exec, const char *cache, const char *name, const char *stamp,
                    const struct cargo_metadata *metadata, const char *cwd, struct target_dir *ret, struct err *err);
void target_dir_close(struct target_dir *t);
