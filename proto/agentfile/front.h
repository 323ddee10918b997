// Internal: frontmatter as values, however it had to be read.
#pragma once

#include "agentfile/agentfile.h"
#include "source.h"

#include <jansson.h>

struct front {
    enum agent_mode mode; // none: there are no keys
    json_t *text;         // object; plain scalars as written
    json_t *typed;        // the same with YAML types
    json_t *lines;        // "/tools/0" -> line
    json_t *duplicates;   // [{path, line, first, was}]; `was` is the value that does not count
    size_t body;          // index of the first line of the body
};

// Notes in `f` how it was read and what was wrong.
void front_read(const struct source *s, struct front *ret, struct agentfile *f);
void front_free(struct front *front);

// Line of a value ("/tools/0"), or `def`.
int front_line(const struct front *front, const char *path, int def);

// One row of tbl/agent_keys.def.
enum key_use { KEY_FIELD, KEY_ALLOW, KEY_DENY, KEY_KEPT };
struct agent_key {
    const char *name;
    enum key_use use;
};
const struct agent_key *agent_key_find(const char *name, bool *ret_exact); // NULL when unknown
