// One rule, parsed once at load. Fields are read by the deciders; texts are owned by the rule.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

enum tool_kind {
    TOOL_COMMAND,
    TOOL_READ,
    TOOL_SEARCH,
    TOOL_WRITE,
    TOOL_EDIT,
    TOOL_WEB,
    TOOL_AGENT,
    TOOL_SKILL,
    TOOL_PLAIN,
    TOOL_MCP
};

enum path_anchor { ANCHOR_ROOT, ANCHOR_HOME, ANCHOR_WORKSPACE, ANCHOR_CWD, ANCHOR_ANY_DEPTH };

// Separates the words of a command in patterns and in the joined text they are matched with. No word may contain it.
#define WORD_SEP '\x1f'

struct rule {
    char *text; // as written, blanks trimmed
    char *file; // "" when it has no file
    int line;
    const char *tool; // name from the tool table (static), or "mcp"
    enum tool_kind kind;
    bool bare;  // Tool or Tool(*): everything the tool can do
    bool every; // "*" in a deny list: every tool
    // Bash: pattern is words joined by WORD_SEP; path rules: pattern behind its anchor; WebFetch: lower-case host; mcp:
    // glob over the name
    char *pattern;
    bool exact;     // no wildcard at all
    bool bare_too;  // Bash: the trailing " *" is the only wildcard, so the command without arguments matches too
    char **assigns; // Bash: leading NAME=pattern words, NULL-terminated; NULL when none
    enum path_anchor anchor;
    bool negated; // "!pattern", in deny lists only
    char **names; // Task, Agent, Skill: NULL-terminated
};

// ERR_INVALID: the text begins with "file:line: ". *ret_warning may be NULL; else set to NULL or a text owned by the
// caller.
int rule_parse(const char *text, const char *file, int line, bool deny, struct rule *ret, char **ret_warning,
               struct err *err);
void rule_clear(struct rule *r);

// The kind and static name of a tool as a call names it (mcp__… is TOOL_MCP); false for unknown tools.
bool tool_lookup(const char *name, enum tool_kind *ret_kind, const char **ret_name);
// Whether NAME is a possible variable name of the given length.
bool rule_is_variable(const char *text, size_t len);
