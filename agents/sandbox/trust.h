// Which folders of PATH count: those whose content an agent cannot change. Left out are relative folders, those in a
// workspace, checkout, target folder or spool of the stage, those in which its rules let it write files, and those that
// everybody may write to. Folders of version managers are replaced by what they stand for (shims.h).
#pragma once

#include "pins.h"

struct policy;         // policy/policy.h
struct policy_context; // policy/policy.h
struct trust;

// Pins and policy must outlive it.
struct trust *trust_new(const struct pins *pins, const struct policy *policy);
void trust_free(struct trust *t);
// `path` (text of PATH) without those folders; "" when none is left. Borrowed until the next call.
const char *trust_path(struct trust *t, const struct policy_context *context, const char *path);
const char *trust_left_out(const struct trust *t); // of the last call, as a text of PATH; "" when none was
