// What an agent of a run may do, put together from everybody who has a say:
//   its file      what it declares (tools, disallowedTools)
//   the operator  rules granted beside every file by who started the run
//   bounds        lists that must allow, too: the site's ceiling (site.h), and what the agents hand on whose handoffs
//                 it works with. Bounds are only ever added along a chain, so that rights only narrow.
// A file without a list, or with "*", may do what the bounds allow; without a bound that lists anything, nothing but
// what the operator grants.
//
// Bounds are JSON, journaled with the run, part of the stage key and sent with every assignment:
//   [{"of": "/etc/baton/policy.rules",        who says so
//     "allow": [["Bash(cargo *)", 3], …],     rule and its line there; no key: it restricts by `deny` alone
//     "deny": [["Read(//etc/**)", 4], …],
//     "network": "host"}, …]                  none, lo or host: no more than that; `host` comes from a site only
#pragma once

#include "agentfile/agentfile.h"
#include "policy/policy.h"
#include "json/json.h"

// file NULL: an agent without a file. operator_rules, bounds: arrays, may be NULL. ERR_INVALID with file:line: an
// unknown tool, or a malformed rule or bound.
int rights_new(const char *name, const struct agentfile *file, const json_t *operator_rules, const json_t *bounds,
               struct policy **ret, struct err *err);
// Would the agent have anything it may do? ERR_INVALID names the entries of a list that grants nothing, or says that
// there is neither a list nor a ceiling; also for what it cannot hand on.
int rights_check(const char *name, const struct agentfile *file, const json_t *operator_rules, const json_t *bounds,
                 struct err *err);
// Notes a warning at each rule of the file that allows more than its author may think.
void rights_lint(struct agentfile *file);

// Has it rules that start programs? Also true for what rights_new refuses.
bool rights_start_programs(const char *name, const struct agentfile *file, const json_t *operator_rules,
                           const json_t *bounds);

// What its tools may talk to: what the file says, and no more than any bound. Unsaid: what the profiles of its tools
// have. ERR_DENIED: the file says host, and no bound says that this machine permits it.
int rights_network(const char *name, const struct agentfile *file, const json_t *bounds, enum agent_network *ret,
                   struct err *err);

// What an agent hands on: its own bounds, and what `grants` and `attenuate` in its file add. A new reference, NULL when
// there is no bound at all.
json_t *rights_handed_on_new(const struct agentfile *file, const json_t *operator_rules, const json_t *bounds);
// Adds the bounds of `more` that `*bounds` does not have yet. *bounds may be NULL and is replaced, never changed.
void rights_narrow(json_t **bounds, const json_t *more);
