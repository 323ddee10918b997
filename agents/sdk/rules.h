// From the agent file of an assignment to the policy its tools run under. Kept between jobs: stages of one agent come in rows.
#pragma once

#include "base/err.h"
#include "json/json.h"
#include "sandbox/exec.h"

struct policy;

struct rules {
    char key[65]; // hash of what the policy was made from
    struct policy *policy;
    enum exec_network network;
};

// ret_policy is borrowed until the next call. A rule that cannot be read is an error that names file and line. Without an agent file
// (tests, echo) only the operator's rules count; no rule at all means that no tool may be started.
int rules_load(struct rules *rules, const json_t *assignment, const struct policy **ret_policy, struct err *err);
void rules_free(struct rules *rules);
