// Keys that are nearly those that restrict an agent.
#pragma once

#include "agentfile/agentfile.h"
#include "front.h"

#include <stdbool.h>

// The key that was meant by one that means nothing here but looks like one that restricts; NULL: it is not near to any.
const char *near_restriction(const char *key);
// Notes an error for each such key of the frontmatter. False: there is one.
bool near_check(const struct front *front, struct agentfile *f);
