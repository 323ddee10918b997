// Where cargo runs: the checkout itself when its Cargo.lock is there and up to date, else a copy of it in a scratch
// folder, because cargo would write a Cargo.lock into the checkout, and a reviewer writes nowhere.
#pragma once

#include "reviewer/project.h"
#include "reviewer/target_dir.h"
#include "sandbox/exec.h"

#define COPY_FILES_MAX ((size_t)50000)
#define COPY_BYTES_MAX ((int64_t)1 << 30)

struct workplace {
    char *root, *dir; // checkout root and the project in it, or both in the copy
    struct target_dir target;
    bool copied, has_metadata;
    struct cargo_metadata metadata; // resolved for this platform
};

struct workplace_request {
    const char *root, *dir; // checkout root, and the project in it
    const char *cache;      // target directories, shared with other stages and runs
    const char *scratch;    // of this stage alone: the copy goes here and is removed at close
    const char *name;       // keeps target directories of different purposes apart
    const char *commit;     // what is checked out, NULL: unknown
};

// What could not be done is said in `limits` (array of texts); an error only when nothing can be done at all
// (cancelled, no Cargo.toml). A refused or missing cargo is a limit.
int workplace_open(struct exec_context *exec, const struct workplace_request *request, json_t *limits,
                   struct workplace *ret, struct err *err);
void workplace_close(struct workplace *w);
// Copies a tree: files with mode and time, links as links; .git and target are left out. Files that are gone in `from`
// go in `to`.
int tree_copy(const char *from, const char *to, struct err *err);
// Last line of a tool's complaints that says something; owned by the caller.
char *last_line(const struct buf *text);
