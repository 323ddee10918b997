// Decisions for people and for test sets: `baton policy check`. Nothing is executed.
#pragma once

#include "policy/policy.h"

#define POLICY_CASE_LINE_MAX ((size_t)1024 * 1024)

// Splits a list as written in one line ("Read, Bash(git log *), Task(a, b)"): commas, and blanks outside parentheses
// that are followed by a tool's name, separate. Result: NULL-terminated, freed with str_list_free.
char **policy_list_split(const char *text);

// A policy from a list of rules in one text, with `where` as the file of every rule (line 1).
int policy_from_list_new(const char *agent, const char *list, const char *where, struct policy **ret, struct err *err);

// One decision for `baton policy check`: input is a command, a path, an address, a name; for Bash a JSON array is taken
// as argv and an object {"command": TEXT} as its command; another object is denied.
void policy_check(const struct policy *p, const struct policy_context *context, const char *tool, const char *input,
                  struct decision *ret);

// What an agent without a list may do; negative with err: nothing.
typedef int policy_without_list(struct policy **ret, struct err *err);

// One case: {id, allowed_tools, tool, input_kind, input} and optionally disallowed_tools, setup (what the workspace is
// like, as shell lines or in words) and context {workspace, cwd, home}. The default workspace is /ws, home /home/me,
// and nothing exists but what setup makes. *ret: {id, decision, reason, rule, where, needed}. A case whose rules do not
// load is answered with deny and the load error. One without allowed_tools (or null) is asked of `without`; when that
// is NULL it is not a case. ERR_INVALID: not a case.
int policy_case_answer(const json_t *case_, policy_without_list *without, json_t **ret, struct err *err);
// The same for one line of a JSON Lines file (which may hold \u0000, unlike other JSON of the project).
int policy_case_answer_line(const char *line, size_t len, policy_without_list *without, json_t **ret, struct err *err);
// The answer to a line that is no case: deny, with "line N: why" as the reason; id: the line's own, or else N.
json_t *policy_case_refusal_new(const char *line, size_t len, size_t number, const char *why);

// Facts of the real file system (lstat, readlink). Static, borrowed.
const struct policy_fs *policy_real_fs(void);
