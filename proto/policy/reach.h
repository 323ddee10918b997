// What a command's own words reach for beyond the rule that admits it: another program, a place outside the workspace,
// the network, other processes, or code of the project. None of it is granted; naming it makes the verdict "sandboxed"
// and tells the reader what the sandbox will refuse.
#pragma once

#include "base/buf.h"
#include "policy/policy.h"

// true and the reason in *why when the arguments reach out.
bool reach_of_arguments(const struct policy_context *c, const char *base, const char *const *argv, struct buf *why);
// true and the reason when the project is known to make this program run its code.
bool reach_of_project(const struct policy_context *c, const char *base, const char *const *argv, struct buf *why);
