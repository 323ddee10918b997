// The run's branch, through git in its own checkout (dirs.work). Hooks, signing and file-system monitors of the user's
// configuration are switched off: a repository must not be able to run programs in our name.
#pragma once

#include "base/err.h"
#include "sandbox/exec.h"
#include "sandbox/files.h"
#include "json/json.h"

// Brings checkout and branch to `commit` and removes everything untracked that git does not ignore, but for a
// Cargo.lock: a project that does not track it still wants every build of a run to use the same one. Lock files that a
// killed git has left go, too.
int branch_reset(struct exec_context *exec, const char *work_dir, const char *commit, struct err *err);
// Commits what differs in tracked files and in `files` (array of paths, may be new ones). *ret_commit (owned by the
// caller) is NULL when nothing differs.
int branch_commit(struct exec_context *exec, const char *work_dir, const json_t *files, const char *message,
                  char **ret_commit, struct err *err);
// The commit that a name means (branch, tag, HEAD~2, hash); owned by the caller. ERR_NOT_FOUND: there is none.
int branch_resolve(struct exec_context *exec, const char *work_dir, const char *revision, char **ret_commit,
                   struct err *err);
// Shows another commit in the checkout and leaves the branch where it is; what is untracked goes, as above.
int branch_visit(struct exec_context *exec, const char *work_dir, const char *commit, struct err *err);
// Writes the files of the commit that the checkout shows below `dir`, which is made anew; the checkout is left alone.
int branch_export(struct exec_context *exec, const char *work_dir, const char *dir, struct err *err);
// "HASH\tTITLE" of the first parents behind `from` up to and with `to`, oldest first; freed with str_list_free.
// ERR_INVALID: `from` is no ancestor of `to`. ERR_LIMIT: more than `most`.
int branch_between(struct exec_context *exec, const char *work_dir, const char *from, const char *to, size_t most,
                   char ***ret, struct err *err);
// Full hash of HEAD; owned by the caller.
int branch_head(struct exec_context *exec, const char *work_dir, char **ret_commit, struct err *err);
// Commit message of a candidate: title, why, evidence, id. Owned by the caller.
char *branch_message(const json_t *candidate, const char *run);
// The candidates laid over the base's text and committed one by one on top of `base_commit`. *ret_head is the last
// commit, *ret_commits (new reference) has the commit of each candidate: {"C1": "<hash>"}.
int branch_rebuild(struct exec_context *exec, struct files *base, struct files *work, const char *base_commit,
                   const json_t *candidates, const char *run, char **ret_head, json_t **ret_commits, struct err *err);
