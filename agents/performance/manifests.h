// The project's manifests, read by the file tools: the agent's Read rules hold for them.
#pragma once

#include "rust/manifest.h"
#include "sandbox/files.h"

// path: below the held checkout. Errors of files_read and manifest_parse.
int manifests_read(struct files *files, const char *path, struct manifest *ret, struct err *err);
