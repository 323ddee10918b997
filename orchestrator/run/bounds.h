// What bounds the rights of a stage besides its agent file: the site's ceiling, which the run's options keep as it was
// when the run started, and what the agents hand on whose handoffs it works with. Pure. Most runs have neither and pay
// nothing for this. The form of bounds: rights/rights.h.
#pragma once

#include "agentfile/agentfile.h"
#include "json/json.h"

// `after`: ids of handoffs. NULL: nothing bounds it. A new reference.
json_t *bounds_new(const json_t *options, const json_t *handed_on, const json_t *after);
// A stage has left the handoff: remembers what it hands on, in *handed_on ({handoff id: bounds}; NULL while empty).
void bounds_hand_on(json_t **handed_on, const char *handoff, const struct agentfile *agent, const json_t *options,
                    const json_t *bounds);
