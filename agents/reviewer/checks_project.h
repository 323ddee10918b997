// The checks of manifests and of how the project is built. Each is about facts that the files or `cargo metadata`
// state.
#pragma once

#include "reviewer/project.h"

// Profiles (checks_manifest.c): the release profile is missing, weak or ignored; benches built weaker than releases.
void check_profiles(const struct project *p, struct findings *f);
// `features = ["full"]` of crates where that means a lot (checks_features.c). Looks at what the sources use of tokio.
void check_features(struct project *p, struct findings *f);
// Several versions of one crate (checks_duplicates.c). Returns how many duplicates were left out because no dependency
// of the project brings the older one in directly.
size_t check_duplicates(const struct project *p, struct findings *f);
// No compiler cache; benchmarks of debug builds in scripts (checks_build.c).
void check_build_setup(const struct project *p, struct findings *f);
