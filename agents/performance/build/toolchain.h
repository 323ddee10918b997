// What the build of a project uses and could use: toolchain, linkers, compiler cache, versions that are compiled twice. Reads
// configuration files; the one program that is run is rustc, through the caller's exec context.
#pragma once

#include "base/err.h"
#include "json/json.h"
#include "rust/cargo_metadata.h"
#include "sandbox/exec.h"

// { "rustc": "rustc 1.95.0 (…)", "cargo": "cargo 1.95.0 (…)", "target": "x86_64-unknown-linux-gnu", "llvm": "22.1.2" }; members are null when unknown.
json_t *toolchain_new(struct exec_context *exec, const char *dir);

// { "sccache": {"available", "configured"}, "linker": {"target", "mold": path|null, "lld": path|null, "configured", "default": "rust-lld|cc"} }
// root: workspace root whose .cargo/config.toml (and those of its parents) counts.
json_t *build_tools_new(const char *root, const json_t *toolchain);

// [{name, versions: [..]}]: packages that a normal or build dependency brings in more than once.
json_t *duplicates_new(const struct cargo_metadata *metadata);

// [{package, features: n, default: [names], dependencies: [{name, default_features, features: [names]}]}] of the members: what the
// default build switches on, in them and in what they depend on directly.
json_t *features_new(const struct cargo_metadata *metadata);
