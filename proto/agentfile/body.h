// Internal: what the body says about coordination: focus tables and chains.
#pragma once

#include "agentfile/agentfile.h"
#include "source.h"

// Reads lines from index `from` on into f->focus and f->chains.
void body_read(const struct source *s, size_t from, struct agentfile *f);
// One line of arrows ("a -> [b] -> c (note)") as steps; false, and nothing added, when there is no arrow.
// With `strict` every step must look like an agent's name.
bool chain_read(const char *line, size_t len, bool strict, struct agent_chain *chain);
// An arrow is → and its like, or dashes and '>'.
bool chain_begins_with_arrow(const char *text, size_t len);
bool chain_ends_with_arrow(const char *text, size_t len);
void chain_free(struct agent_chain *chain);
