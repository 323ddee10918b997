// The one table of agent names: which role a name stands for, whatever the way it is written (handoff suffix "review",
// bare "code-reviewer", "rust-code-reviewer", plugin-scoped "rust-agents:rust-code-reviewer"). Pure, no state.
#pragma once

#include <stdbool.h>
#include <stddef.h>

// Role of an agent name ("review"), compared without case; static text, NULL when the name is unknown or NULL.
const char *role_of_agent(const char *name);
// The name an agent of this role usually has ("performance" -> "rust-performance-engineer"); static, NULL when unknown.
const char *role_agent_name(const char *role);
// Is it the work of this role to change things? Then a fix can be asked of it. False for an unknown one.
bool role_changes(const char *role);
// Do two names mean the same agent? Equal behind their plugin scopes, or of the same known role.
bool role_same_agent(const char *a, const char *b);
// Name without its plugin scope: "a:b:c" -> "c". Points into name.
const char *role_bare_name(const char *name);
// The n-th role of the table, NULL behind the last: for listings and tests.
const char *role_at(size_t n);
