// Dependencies come before the first cargo call in a project, by a step of the worker: `cargo fetch`, with network,
// which runs no code of the project. Every other call is offline.
//
// What has come before is enough for most stages: the step begins with a look without network. With network the
// project's own configuration (.cargo/config.toml) does not count, because it names programs, registries and whom to
// show which credentials; that of the user does. Of the user's CARGO_HOME only the registry and the git checkouts are
// written, and credentials are not shown. The profile is `fetch` (tbl/box_profiles.def), where a site says more.
#pragma once

#include "call.h"

// Once per project. The reason why something could not be brought is kept in the context, and in the receipt.
void fetch_dependencies(struct exec_context *ctx, const struct exec_call *call);
