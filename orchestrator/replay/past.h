// What was said in a run so far, for those who decide it again without executing anything (replay.c, plan.c): agents,
// handoffs, and the key a stage has by the code that is here now.
#pragma once

#include "agentfile/agentfile.h"
#include "base/id.h"
#include "base/vec.h"
#include "run/focus.h"
#include "json/json.h"

struct past_agent {
    char *name;
    char hash[HASH_TEXT];
    struct agentfile *file;
};

struct past {
    const json_t *run; // its record, borrowed
    const char *base;  // state of the project, borrowed; NULL: not known
    // What the site said of boxes when it differs from what the record says (options.profiles), borrowed; NULL: it does
    // not.
    const char *profiles_before;
    const char *profiles; // what the site says of boxes (boxes/profile_table.h), borrowed; NULL: nothing
    json_t *handoffs;  // id -> handoff
    json_t *keys;      // handoff id -> what it is worth as a parent of a key
    json_t *contents;  // handoff id -> hash of what it says
    json_t *handed_on; // handoff id -> what bounds those that work with it (run/bounds.h)
    VEC(struct past_agent) agents;
};

struct asked { // what a stage asks
    char key[HASH_TEXT], input[HASH_TEXT];
    char key_before[HASH_TEXT]; // with profiles_before; "" without
    char other_key[HASH_TEXT]; // by other_profiles, "" without
    const char *agent, *role;
    json_t *parents; // handoffs; the caller's
    json_t *bounds;  // of its rights, NULL when there are none; the caller's
    struct focus focus;
};

void past_init(struct past *past, const json_t *run, const char *base);
void past_clear(struct past *past);
int past_add_agent(struct past *past, const char *name, const char *hash, const char *text, size_t len,
                   struct err *err);
const struct past_agent *past_find_agent(const struct past *past, const char *name);
// bounds: of the stage that left it; NULL when there are none.
void past_remember(struct past *past, const json_t *handoff, const char *stage_key, const json_t *bounds);
// False when an agent or parent is not of the run; ret->parents and ->bounds are to be freed all
// the same.
bool past_asks(const struct past *past, const json_t *args, const char *worker, struct asked *ret);
