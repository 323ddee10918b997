// What a set of agents can cause together, before anything runs: who may start whom by its Task rules, and which rights
// of others each agent can so make use of.
#pragma once

#include "policy/policy.h"

struct closure_agent {
    const char *name;
    const struct policy *use;   // what its file lets it use, with its Task rules
    const struct policy *grant; // what its file lets it hand on; NULL: whatever it was granted itself
    bool attenuate;             // hands on only what it may use itself
};

// {agents: [{agent, starts: [name], reaches: [name], unknown: [name],
//            gains: [{right, through: [name, …]}]}],   rights it does not have, but can cause, with a shortest way
//  cycles: [[name, …, name]]}
// At most CLOSURE_AGENTS_MAX agents (ERR_LIMIT).
#define CLOSURE_AGENTS_MAX 128
int closure_of(const struct closure_agent *agents, size_t count, json_t **ret, struct err *err);
