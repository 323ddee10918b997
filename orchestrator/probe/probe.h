// What this host has of the box that tools run in, asked once for a process: `baton-exec --probe` beside whatever else
// goes on. Nobody who does not start tools waits for it.
#pragma once

#include "base/err.h"
#include "loop/loop.h"
#include "json/json.h"

#include <stdbool.h>

struct probe;

// program_dir: where baton-exec is. known: called once, from the loop, when the answer is there (also when there is
// none: then probe_check says why).
struct probe *probe_new(struct loop *loop, const char *program_dir, void (*known)(void *user), void *user);
struct probe *probe_free(struct probe *probe); // NULL allowed; returns NULL
void probe_begin(struct probe *probe);         // again: nothing
bool probe_known(const struct probe *probe);

// Once it is known: whether the host has what the site requires of every box. profiles: what its files say
// (boxes/profile_table.h), NULL: they are read. ERR_UNSUPPORTED names the layers that are missing, what that leaves
// open and what to do.
int probe_check(const struct probe *probe, const char *profiles, struct err *err);
// The same as facts (boxes/layers.h). A new reference.
json_t *probe_facts_new(const struct probe *probe, const char *profiles);
