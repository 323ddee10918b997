// What a set of agents can cause together under the same terms (policy/closure.h), told when they are loaded.
#pragma once

#include "rights/rights.h"

// As closure_of; an agent whose rules cannot be read takes part without any. A new reference; NULL with err
// (ERR_LIMIT).
json_t *rights_together_new(const struct agentfile *const *agents, size_t count, const json_t *operator_rules,
                            const json_t *bounds, struct err *err);
