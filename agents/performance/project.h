// The project as cargo describes it, asked through the sandbox.
#pragma once

#include "rust/cargo_metadata.h"
#include "sdk/agent.h"

// dir: the project in a checkout. Free with cargo_metadata_free.
int project_metadata(struct job *job, const char *dir, struct cargo_metadata *ret, struct err *err);
// Sources of the programs' main functions, below the checkout: what is touched to measure a rebuild. New array.
json_t *project_mains_new(const struct cargo_metadata *metadata, const char *checkout);
