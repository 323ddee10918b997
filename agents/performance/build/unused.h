// Dependencies that nothing uses, from rustc's own word: the lint unused_crate_dependencies speaks for one target at a
// time, and a dependency is of the whole package. Here the verdicts of all targets are merged.
#pragma once

#include "rust/cargo_messages.h"
#include "rust/cargo_metadata.h"
#include "json/json.h"

#define UNUSED_LINT "unused_crate_dependencies"

// messages: of `cargo check --workspace --all-targets` with that lint as a warning. Array of
//   { "package": "app", "manifest": absolute path, "dependency": name in the manifest, "crate": name in the source,
//   "kind": "normal|dev",
//     "verdict": "unused" or "tests only" (a normal one that only tests use), "targets": compiled with it }
// Optional, platform-dependent and build-dependencies are not judged: not every build sees them.
json_t *unused_new(const struct cargo_metadata *metadata, const struct cargo_messages *messages);
