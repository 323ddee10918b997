// A command while it is judged: shared by decide_run.c (one argv) and decide_text.c (texts of several).
#pragma once

#include "policy/policy.h"
#include "policy/rule.h"

struct run {
    const struct policy *policy;
    const struct policy_context *context;
    const char *base;       // folder the command runs in
    const char *const *env; // assignments of the agent; NULL when none
    unsigned depth;
    bool extra;    // further words come from the standard input
    bool launched; // the inner command of a launcher that has a rule
};

// Whether the rule alone lets the command start.
bool run_rule_covers(const struct run *run, const struct rule *r, const char *const *argv);
void run_judge(const struct run *run, const char *const *argv, struct decision *d);
void run_judge_text(const struct run *run, const char *text, size_t len, struct decision *d);
