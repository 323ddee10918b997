// The settings that are searched, and what a point of them means: variables for cargo while it is measured, values in
// the manifest when it is taken over. Pure.
//
// A point: { "id", "profile": "release|dev", "set": {"opt-level": "3", "lto": "\"fat\""} as TOML values of that
// profile,
//            "cpu": "native", "linker": "mold", "toolchain": "nightly", "threads": 8, "backend": "cranelift",
//            "wrapper": "sccache" }
// where what is left out is as the project has it. The base has none of them.
#pragma once

#include "search/front.h"
#include "json/json.h"

struct space_facts {
    bool mold, lld;          // installed, and nothing else is configured
    bool sccache;            // likewise
    bool nightly, cranelift; // the toolchain is there, with that backend
    const char *target;      // "x86_64-unknown-linux-gnu"
};

// The base first, then the first rung: the grid of settings that depend on each other, spread so that any beginning of
// it covers all values.
json_t *space_first_new(const struct goal *goal, const struct space_facts *facts);
// The second rung: what stood the first (best first), crossed with settings that can be added to any of them.
json_t *space_crossed_new(const struct goal *goal, const struct space_facts *facts, const json_t *survivors,
                          size_t first_id);

// Why a point is not recommended unless the caller agrees: "abort" (a panic ends the process), "native" (runs on this
// kind of processor only), "debug" (no debugging of it), "toolchain" (another compiler than the project's; never taken
// over). NULL: no reason.
const char *space_consent(const json_t *point);

// "opt-level = 3, lto = "fat"", "as it is"; owned by the caller.
char *space_title_new(const json_t *point);
// Variables for cargo: NULL-terminated, freed with str_list_free.
char **space_env_new(const json_t *point);
// The candidate (agents/change/change.h) that takes the point over. manifest: the workspace's root manifest, config:
// its .cargo/config.toml, both below the checkout.
json_t *space_candidate_new(const struct goal *goal, const json_t *point, const struct space_facts *facts,
                            const char *manifest, const char *config);
