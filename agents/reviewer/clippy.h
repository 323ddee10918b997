// Clippy through exec_run: the perf group and the lints of lints.def, every other lint off, errors capped to warnings
// so that
// `#![deny(warnings)]` does not hide half of the diagnostics.
#pragma once

#include "reviewer/finding.h"
#include "rust/cargo_messages.h"
#include "sandbox/files.h"

struct clippy_scope {
    struct files *files;        // the checkout: sources are read through it
    const char *root;           // checkout root (absolute): findings name files below it
    const char *workspace_root; // rustc's relative file names start here (absolute)
};

// argv of the clippy call, NULL-terminated; free with mem_free (words are static). whole_workspace: --workspace.
const char **clippy_argv(bool whole_workspace, bool locked);
// Takes the lints that this toolchain's clippy is too old to know out of argv: it refuses to start with them. Their names, parted by
// commas and owned by the caller; NULL when there were none.
char *clippy_drop_unknown(const struct cargo_messages *messages, const char **argv);
// Turns diagnostics into findings. Left out: lints that are not in lints.def, code from macros, files outside of the
// root or below target_dir (generated code), tests, build scripts. Functions and test code are looked up in the files.
void clippy_findings(const struct cargo_messages *messages, const struct clippy_scope *scope, struct findings *ret);
// First compile error in words, "file:line: message"; NULL when there is none. Owned by the caller.
char *clippy_compile_error(const struct cargo_messages *messages);
