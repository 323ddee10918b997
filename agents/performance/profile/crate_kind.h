// Who owns a piece of code: told by the path of its source file, else by its name. Decides the colour in the flame
// graph and who is charged for the time.
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum crate_kind {
    CRATE_PROJECT,    // what the user can change: source below a project root
    CRATE_DEPENDENCY, // other crates: registry, git checkouts, vendored
    CRATE_STD,        // the Rust standard library, with the crates it is made of
    CRATE_SYSTEM,     // libc, other libraries, programs without source
    CRATE_KERNEL,
    CRATE_KINDS
};

struct crate_roots {
    const char *const *project; // NULL-terminated, absolute folders: the project, and copies of it that were built
    const char *const *crates;  // NULL-terminated, names of the project's crates as in paths of names ("my_crate");
                                // may be NULL. Used for code without source file.
};

const char *crate_kind_name(enum crate_kind kind); // "project", "dependency", "std", "system", "kernel"

// file NULL or without a known place, and a name without crate: CRATE_SYSTEM.
enum crate_kind crate_kind_of(const struct crate_roots *roots, const char *file, const char *function);
// The path as people want to read it: below a project root relative to it, else what is behind the registry or
// /rustc/<hash>/; the text itself when there is nothing to cut. Borrowed suffix of `file`.
const char *crate_path_short(const struct crate_roots *roots, const char *file);
// Whether a file belongs to somebody else wherever the project lies: the standard library, a registry, the system.
bool crate_path_foreign(const char *file);
