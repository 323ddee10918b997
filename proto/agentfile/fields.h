// Internal: from frontmatter values to the members of struct agentfile, and what to say about them.
#pragma once

#include "front.h"

// False, with a diagnostic of level error: no agent can be made of this.
bool fields_read(const struct source *s, const struct front *front, struct agentfile *f);
// Notes what a strict host would have dropped or read differently; after fields_read.
void lint_check(const struct source *s, const struct front *front, struct agentfile *f);
// "dir/x.agent.md" -> "x"; owned by the caller.
char *agent_name_from_path(const char *path);
// A file that lies beside agents but is not meant to be one (README and the like).
bool agent_path_is_prose(const char *path);
