// What a new run needs, gathered before anything is journaled; for runs that a caller starts (engine.c) and for runs
// that a run starts (below).
#pragma once

#include "base/err.h"
#include "run/agents.h"
#include "script/script.h"
#include "store/store.h"
#include "json/json.h"

#define CHILD_DEPTH_MAX 8 // runs above a run

struct parts {
    json_t *params, *agents, *options;
    char *script, *name, *project;
    char *folder; // of the workflow's file when it was given as a path: what a child workflow's path starts from
    size_t script_len;
    char script_hash[HASH_TEXT];
};

struct starting { // borrowed
    struct store *store;
    struct agents *agents;
    struct script_cache *scripts;
    const char *data_dir;
};

void parts_free(struct parts *p);
// The folder that the run works in, as a whole path.
int parts_project(struct parts *p, const char *project, struct err *err);
// What would be asked for later, by a schedule: finds all that a start would refuse, and writes nothing. limits,
// wall_ms as in parts_limits, agent_dirs as in agents_gather.
struct parts_wanted {
    const char *workflow, *project;
    const json_t *params, *limits;
    bool from_text;
    int64_t wall_ms;
    const char *const *agent_dirs, *const *operator_rules;
};
int parts_check(const char *data_dir, const struct parts_wanted *wanted, struct err *err);
// Script, name, params. *ret_declaration is a new reference.
int parts_script(const struct starting *s, const char *workflow, const json_t *params, bool from_text, struct parts *p,
                 json_t **ret_declaration, struct err *err);
// Puts into the options what bounds agents beside their files: the operator's rules (may be NULL) and the site's
// ceiling as it is now, and what the site says of boxes. The options must be there.
int parts_rights(struct parts *p, const char *const *operator_rules, struct err *err);
// The latter alone: options.profiles, as the site's files are now (boxes/profile_table.h).
int parts_profiles(json_t *options, struct err *err);
// Puts the limits into the options: those that the script declares and those that the caller gives ({name: number or
// text}, NULL: none), the smaller of two; wall_ms (0: none) is the caller's wall limit.
int parts_limits(struct parts *p, const json_t *declaration, const json_t *given, int64_t wall_ms, struct err *err);
// Journals the run under a fresh id. 1: its idempotency key is known, ret_id is the run that has it.
int parts_journal(const struct starting *s, const struct parts *p, const char *key, const char *caller,
                  const char *parent, char ret_id[STORE_NAME_MAX], struct err *err);

// Journals a run that the run `parent` (its record) asks for: {workflow, params?, project?, key?, timeout_ms?}. It gets
// the agent files and the operator's rules of its parent, nothing more. Returns as parts_journal.
int starting_child(const struct starting *s, const json_t *parent, const json_t *wanted, char ret_id[STORE_NAME_MAX],
                   struct err *err);
