// Delegation: who may hand what on. An agent has two sets: what it may USE itself and what it may GRANT to those it
// starts.
//   use(child)   = grant(caller) ∩ what the child's file declares
//   grant(child) = grant(caller) ∩ what the child's file lets it hand on
// so that grants only shrink on the way down, and a coordinator may grant what it may not use.
//
// Lifetime: declarations must outlive the grants made from them; a grant must outlive the grants made below it.
#pragma once

#include "policy/policy.h"

struct grant_declaration {
    const char *name;
    const struct policy *use;   // what the file lets the agent use, with its Task rules
    const struct policy *grant; // what the file lets it hand on; NULL: whatever it was granted itself
    bool attenuate;             // hands on only what it may use itself
};

struct grant_limits {
    unsigned depth; // agents below the first one, one inside the other; 0: GRANT_DEPTH_DEFAULT
    unsigned total; // delegations below one first agent; 0: GRANT_TOTAL_DEFAULT
};
#define GRANT_DEPTH_DEFAULT 3
#define GRANT_TOTAL_DEFAULT 64
#define GRANT_DEPTH_MAX     16

struct grant;

// The first agent of a tree, started by the deployment: use = ceiling ∩ use, grant = ceiling ∩ grant. ceiling NULL: no
// ceiling.
struct grant *grant_root_new(const struct grant_declaration *agent, const struct policy *ceiling,
                             struct grant_limits limits);
// The caller starts `agent`. ERR_DENIED: no Task rule of the caller names it. ERR_CONFLICT: it is already at work
// further up (the text shows the cycle). ERR_LIMIT: depth or total. A refused delegation counts nothing.
int grant_delegate(struct grant *caller, const struct grant_declaration *agent, struct grant **ret, struct err *err);
void grant_free(struct grant *g);

const struct policy *grant_use(const struct grant *g);  // decide with this; borrowed
const struct policy *grant_rest(const struct grant *g); // what it may hand on; borrowed
unsigned grant_depth(const struct grant *g);

// What follows from a set of agents, before anything runs.
// {agents: [{agent, starts: [name], reaches: [name], unknown: [name],
//            gains: [{right, through: [name, …]}]}],   rights it does not have, but can cause, with a shortest way
//  cycles: [[name, …, name]], lines: ["rust-code-reviewer can cause Write through rust-developer", …]}
// With attenuating declarations nothing is gained through them. At most GRANT_AGENTS_MAX agents (ERR_LIMIT).
#define GRANT_AGENTS_MAX 128
int grant_closure(const struct grant_declaration *agents, size_t count, json_t **ret, struct err *err);
