// The checkouts of a run: `base` (detached at the base commit, what reviewers and profilers read) and `work` (the
// branch baton/<run>, where changes are made). The user's working tree, index and target directory are never touched.
// A project that is no git repository is copied into the run's folder and gets a repository of its own there.
//
// Asynchronous on the loop: git runs as a child, with hooks and file-system monitors switched off.
#pragma once

#include "base/err.h"
#include "loop/loop.h"

#include <stdbool.h>

struct workspace;

struct workspace_facts {
    char *repository; // top of the repository that has the branch (the user's, or our copy)
    char *prefix;     // project below the top: "" or "crates/x"
    char *base;       // base commit, full hash
    char *branch;     // "baton/<run>"
    bool own_copy;    // the project is no git repository
    bool dirty;       // the user's tree has changes that are not part of the run
};

// err NULL: success. The facts are borrowed from the workspace.
typedef void (*workspace_done)(void *user, const struct workspace_facts *facts, const struct err *err);

// Makes (or finds again, when the run is resumed) both checkouts below run_dir. base_commit: NULL for the present HEAD,
// else the commit that an earlier start has used. Checkouts that exist at the right commit are kept.
struct workspace *workspace_prepare(struct loop *loop, const char *run, const char *run_dir, const char *project,
                                    const char *base_commit, workspace_done done, void *user);
// Removes both checkouts; the branch too unless keep_branch (a branch without a commit of its own always goes).
// Afterwards done is called with the facts. Not while another step is under way.
void workspace_remove(struct workspace *w, bool keep_branch, workspace_done done, void *user);
// A step under way is ended without its callback.
struct workspace *workspace_free(struct workspace *w); // returns NULL

char *workspace_base_dir(const struct workspace *w); // owned by the caller
char *workspace_work_dir(const struct workspace *w);
