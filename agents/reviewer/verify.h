// Mode verify: may the branch go to the user? Reads the diff against the base, holds it against what the stages before
// say they did and measured, and runs the tests on both sides.
#pragma once

#include "reviewer/diff.h"
#include "reviewer/workplace.h"
#include "sandbox/files.h"

struct verify_request {
    struct exec_context *exec;
    const char *base, *work;               // checkout roots
    struct files *base_files, *work_files; // the same, held; verify_branch opens them itself
    const char *base_dir, *work_dir;       // the project inside them
    const char *cache, *scratch;           // folders: target directories that are kept; this stage's own
    const char *base_commit;
    const json_t *results; // performance engineer's output.results: [{id, kept, comparisons|comparison}], or NULL
    const json_t *changes; // developer's output.changes: [{id, commit, files}], or NULL
    void (*progress)(void *user, double fraction, const char *text);
    void *user;
};

struct verification {
    json_t *requests; // [{id, change, file, line, severity, issue, fix}]
    json_t *limits;
    json_t *tests;         // {before: {passed, failed, ignored}, after: {…}, receipt}; null when nothing had to run
    json_t *files;         // touched
    size_t added, removed; // lines
    bool nothing_changed;
};

// Negative: no verdict is possible (git or cargo refused, cancelled). Approved means: 0 and no requests.
int verify_branch(const struct verify_request *request, struct verification *ret, struct err *err);
void verification_free(struct verification *v);

// --- parts, for tests ---

// Adds a request; file may be NULL. The change it belongs to is found by its files.
void verify_ask(struct verification *v, const struct verify_request *request, const char *change, const char *file,
                uint32_t line, const char *severity, const char *fix, const char *issue_fmt, ...) ATTR_PRINTF(8, 9);
// Files that no kept change names, changes without a "faster" behind them (verify_claims.c).
void verify_claims(const struct verify_request *request, const struct diff *diff, struct verification *v);
// What the changed files lost: checks, tests, public items; what they gained: unsafe (verify_content.c).
// `work` says which packages are libraries (NULL: all count as such).
void verify_content(const struct verify_request *request, const struct diff *diff, const struct workplace *work,
                    struct verification *v);
// Tests on both sides (verify_tests.c).
int verify_tests(const struct verify_request *request, const struct workplace *base, const struct workplace *work,
                 struct verification *v, struct err *err);
