// `baton workflow check FILE`: load, declaration, and dry runs with a made-up host that answers every stage with a
// plausible
// result, follows gates both ways, and approvals both ways. Nothing is executed.
#pragma once

#include "base/err.h"
#include "json/json.h"

#include <stdbool.h>

struct script_check_host {
    void *ctx;
    // Is there an agent of this name? NULL: not asked.
    bool (*agent_exists)(void *ctx, const char *name);
    // Is there a workflow of this name, or at this path as the script gives it? NULL: not asked.
    bool (*workflow_exists)(void *ctx, const char *workflow);
};

// {file, name, about, params, agents: [used or declared], runs: n, outcomes: {outcome: count}, ok: bool (no error),
//  diagnostics: [{line, level: "error|warning|note", text}]}. Never NULL: a script that does not compile is a
//  diagnostic.
json_t *script_check_new(const char *text, size_t len, const char *name, const struct script_check_host *host);
