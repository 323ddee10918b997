// Paths as rules see them: as requested (by its text) and as resolved (through links, by facts). An allow must hold for
// both, a deny for either.
#pragma once

#include "policy/policy.h"
#include "policy/rule.h"

#include <stdbool.h>

struct place_of {
    char requested[POLICY_PATH_MAX]; // absolute, "." ".." and "//" removed
    char resolved[POLICY_PATH_MAX];  // absolute, links followed; the same as requested without facts
    struct policy_file file;         // of the last component itself (a link when it is one); MISSING without facts
    bool known;                      // there were facts
};

// Fills *ret for `path`, relative to `base`. NULL when fine, else why it cannot be judged (static text).
const char *path_place(const struct policy_context *c, const char *base, const char *path, struct place_of *ret);
// Only the text: absolute and normalised. false when it would be too long.
bool path_normal(const char *base, const char *path, char out[POLICY_PATH_MAX]);
const char *path_cwd(const struct policy_context *c);
// path_below of base/file.h, for normalised paths; also works for "/" as folder.
const char *path_inside(const char *path, const char *dir);
// The workspace as a prefix of `requested` or of `resolved` paths.
bool path_root(const struct policy_context *c, bool resolved, char out[POLICY_PATH_MAX]);
bool path_in_workspace(const struct policy_context *c, const struct place_of *p); // requested and resolved
// Whether the kernel's own files (/proc, /sys, /dev) are meant: what they open depends on who asks, so no rule can
// speak of them.
bool path_is_kernel(const char *path);
// The protected name (control plane: what steers tools, editors and agents) that the path is or lies in, or NULL.
const char *path_protected(const struct policy_context *c, const struct place_of *p);
bool path_rule_matches(const struct policy_context *c, const struct rule *r, const char *path, bool resolved,
                       bool deny);
// Whether the place is the workspace, a built folder, an own folder of the call, or below one of them.
bool path_is_ours(const struct policy_context *c, const struct place_of *p);
// Whether the path names a program below one of the context's `built` folders.
bool path_is_built(const struct policy_context *c, const char *base, const char *program);
