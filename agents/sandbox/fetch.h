// Dependencies come before the first cargo call in a folder, by a step of the worker: `cargo fetch`, with network,
// which runs no code of the project. Every other call is offline.
#pragma once

#include "call.h"

// Once per folder. That something could not be brought is not told here: cargo itself says best what it misses.
void fetch_dependencies(struct exec_context *ctx, const struct exec_call *call);
