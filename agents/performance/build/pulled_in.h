// Which packages come in several versions, and through whom. From `cargo metadata`, without running anything.
#pragma once

#include "rust/cargo_metadata.h"
#include "json/json.h"

#define PULLED_USERS_MAX 8 // of one version

// Array of {name, versions: [{version, users: ["clap 4.5.1"], way: ["app 0.1.0", "clap 4.5.1", "strsim 0.10.0"]}]}, by
// name. users depend on it directly; way is the shortest one from a member of the workspace. Dev-dependencies do not
// count.
json_t *pulled_in_new(const struct cargo_metadata *m);
// Array of {name, versions} of those members {NAME: [version…]} that have several.
json_t *of_several_versions_new(json_t *names);

// {"NAME VERSION": true} of the packages that are procedural macros.
json_t *proc_macros_new(const struct cargo_metadata *m);
