// Agent files between runs: the set a new run would get, read again only when a file has changed, and the parsed files
// by their content, shared by all runs. A run keeps what it started with: content never changes under its hash.
#pragma once

#include "agentfile/agentfile.h"
#include "base/id.h"
#include "store/store.h"
#include "json/json.h"

struct agents;

struct agent_text { // an agent file that is kept; borrowed until agents_unref
    char *name, *text;
    char *told; // what a worker is told of it: {name, path, text} as JSON
    char hash[HASH_TEXT];
    struct agentfile *file;
    bool usable; // its own list grants something
    unsigned refs;
};

struct agents *agents_new(struct store *store, const char *data_dir);
struct agents *agents_free(struct agents *a); // nobody may hold a text any more. NULL allowed; returns NULL

// The agents a run starts with, {name: artifact hash}, stored as artifacts: those of agent_dirs (NULL-terminated, may
// be NULL) before the shipped ones. `needed` (list of names): ERR_NOT_FOUND when one is not there, ERR_INVALID when its
// rules cannot be read or grant nothing under these options (operator_rules, bounds); `who` needs it. A new reference.
int agents_gather(struct agents *a, const char *const *agent_dirs, const json_t *needed, const char *who,
                  const json_t *options, json_t **ret, struct err *err);
// The same questions for a run that is to come: nothing is stored or kept.
int agents_check(const char *data_dir, const char *const *agent_dirs, const json_t *needed, const char *who,
                 const json_t *options, struct err *err);
int agents_ref(struct agents *a, const char *name, const char *hash, struct agent_text **ret, struct err *err);
void agents_unref(struct agents *a, struct agent_text *text);
