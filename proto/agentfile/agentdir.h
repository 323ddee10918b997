// Sets of agent files: folders and single files, loaded so that one bad file never stops the rest, in an order that
// depends on nothing but the names; and what a set says about who may ask for whom.
#pragma once

#include "agentfile/agentfile.h"

#define AGENTSET_FILES_MAX 10000
#define AGENTSET_DEPTH_MAX 32

struct agentset {
    VEC(struct agentfile *) files;  // everything that was looked at, in order; owned
    VEC(struct agentfile *) agents; // the usable ones, one per name; borrowed from files
};

// Looks at each path in turn: a file as it is, a folder with all *.md below it (entries in byte order; links are
// followed, no folder or file is read twice; .git and node_modules are left out). Of two agents with one name the
// first counts, and both get a warning. What cannot be read is in files with a diagnostic. Freed with agentset_free.
struct agentset *agentset_load(const char *const *paths, size_t count);
struct agentset *agentset_free(struct agentset *set); // takes NULL, returns NULL

// The agent with this name; else without plugin scope and case; else the one that has the same role in the table of
// names ("review" finds rust-code-reviewer). NULL when there is none. Borrowed.
const struct agentfile *agentset_find(const struct agentset *set, const char *name);

// Holds edges (Task, Agent), focus rows and chains against each other. A new reference:
// {agents: n, edges: [{from, to}], problems: [{kind, from, to, file, line, level, text}]}
//   kind focus_not_permitted  a focus row of `to` expects `from`, which may not ask for it
//        edge_without_focus   `from` may ask for `to`, which has no focus row for it: only the next task is passed
//        chain_not_permitted  a chain goes from -> to, but `from` may not ask for it
//        unknown_agent        an edge to an agent that is not in the set
// Each problem is also added to the diagnostics of the file it stands in; call it once for a set.
json_t *agentset_check(struct agentset *set);
