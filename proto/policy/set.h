// The inside of struct policy, for the deciders of this folder.
#pragma once

#include "base/buf.h"
#include "base/vec.h"
#include "policy/policy.h"
#include "policy/rule.h"

struct rule_list {
    char *of; // who bounds the agent with it; NULL: its own
    VEC(struct rule) rules;
};

struct policy {
    char *agent;
    VEC(struct rule_list) lists; // every one must allow
    struct rule_list deny;
    VEC(char *) warnings;
    size_t count; // rules in all lists
};

// For reasons, into a buffer (what was in it is dropped): 'agent "x"', or '"/etc/baton/policy.rules", which bounds
// agent "x",'. list NULL: the agent's own.
void policy_whose(const struct policy *p, const struct rule_list *list, struct buf *ret);

// Filling a decision. `rule` may be NULL.
void decision_clear(struct decision *d);
void decision_rule(struct decision *d, const struct rule *rule);
void decision_deny(struct decision *d, const struct rule *rule, const char *fmt, ...) ATTR_PRINTF(3, 4);
void decision_allow(struct decision *d, const struct rule *rule, const char *fmt, ...) ATTR_PRINTF(3, 4);
void decision_box(struct decision *d, bool needs_box, const char *fmt, ...)
    ATTR_PRINTF(3, 4); // an allow becomes sandboxed
// Adds what another decision needs; what no rule can allow leaves d without advice.
void decision_need_also(struct decision *d, const struct decision *also);
void decision_need(struct decision *d, const char *fmt, ...) ATTR_PRINTF(2, 3);

// Commands of one argv. `extra`: more words follow that nobody knows yet (xargs).
bool rule_covers_command(const struct rule *r, const char *joined, size_t len, const char *const *env, bool extra);
char *command_join(const char *const *argv, size_t *ret_len); // words joined by WORD_SEP; owned by the caller

// Whether a tool that is named in the call is one that `r` speaks about (Edit covers Read and Write, Task is Agent …).
bool rule_speaks_for(const struct rule *r, enum tool_kind kind, const char *tool, bool deny);
// The agent may read and write its whole workspace by itself.
bool policy_owns_workspace(const struct policy *p);

// decide_path_n for a path that is relative to `base` instead of the working directory (a redirect behind cd).
void decide_path_at(const struct policy *p, const struct policy_context *context, const char *base, const char *tool,
                    const char *path, size_t len, struct decision *ret);
