// The stage key: what a stage's result depends on, hashed. Same key, same result: a finished stage with the key answers
// instead of being executed again. Pure.
#pragma once

#include "base/id.h"
#include "json/json.h"

struct key_parts {
    const char *agent_hash; // SHA-256 of the agent file's text
    const char *worker;     // role and version of the worker program, "performance/1"
    const char *mode;
    const char *task;             // may be NULL
    const json_t *input;          // what the script passed; may be NULL
    const json_t *parents;        // array of what key_of_parent makes of each parent, in order
    const char *project;          // base commit of the project (and hash of an untracked lock file)
    const json_t *operator_rules; // granted beside the agent file's own; may be NULL
    const json_t *bounds;         // what must allow, too (rights/rights.h); may be NULL
    const char *profiles;         // what the site changes in boxes (boxes/profile_table.h); may be NULL, as ""
};

// What a handoff says, without who said it when: equal work in two runs has equal content.
void key_of_content(const json_t *handoff, char out[HASH_TEXT]);
// Content and lineage: a worker also sees what its parents come from. stage_key: of the stage that left the handoff.
void key_of_parent(const char *content, const char *stage_key, char out[HASH_TEXT]);
void key_of_stage(const struct key_parts *parts, char out[HASH_TEXT]);
