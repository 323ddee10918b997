// Leading assignments (NAME=value) in front of a command.
#pragma once

#include "policy/policy.h"
#include "policy/rule.h"

enum variable_class { VARIABLE_SAFE, VARIABLE_NEVER, VARIABLE_OTHER };

// PLACE variables are judged here: SAFE inside the workspace or a built folder, OTHER elsewhere. `assignment` has a
// "=".
enum variable_class variable_class(const struct policy_context *c, const char *base, const char *assignment);
// Whether the rule itself names the variable (Bash(RUSTFLAGS=* cargo *)), or is the bare tool.
bool variable_named(const struct rule *r, const char *assignment);
