// May this agent make this tool call? Pure functions: no sockets, no processes; facts about files come only through
// the small interface `policy_fs` that the caller passes in.
//
// A policy is one or more allow lists and one deny list. A call is allowed when no deny rule matches and EVERY allow
// list has a rule that matches (several lists are an intersection: `tools` with `allowed-tools`, or an agent's own list
// with what its caller may grant). No list, or no match, is a denial: nothing is allowed by default.
//
// Rules: Tool | Tool(specifier)
//   Bash(cargo test *)      words; a trailing " *" (or ":*") also matches the bare command; "*" elsewhere is any text
//   Read(src/**)            gitignore patterns: //absolute, ~/home, /workspace, relative to the working directory
//   WebFetch(domain:x)      host; a leading "*." any depth below, other "*" within one label
//   *                       in a deny list only: every tool
//   Task(a, b) = Agent(a, b), Skill(name), Skill(name *), mcp__server, mcp__server__tool_*
//
// Lifetime: rules copy their texts; a policy that is being decided with must not be changed. Thread rule: a policy that
// is no longer changed may be read from any thread.
#pragma once

#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct policy;

#define POLICY_RULES_MAX   512                  // rules of one policy, all lists together
#define POLICY_RULE_MAX    1024                 // bytes of one rule
#define POLICY_COMMAND_MAX 10000                // bytes of a command text
#define POLICY_STAGES_MAX  50                   // commands in one text
#define POLICY_WORDS_MAX   4096                 // words of one argv
#define POLICY_ARGV_MAX    ((size_t)256 * 1024) // bytes of one argv
#define POLICY_PATH_MAX    4096
#define POLICY_FILE_MAX    ((int64_t)64 * 1024 * 1024) // larger files are not read by the file tools

// --- building ---
struct policy *policy_new(const char *agent_name);
void policy_free(struct policy *p);
const char *policy_agent_name(const struct policy *p);
// Adds a rule, as written in an agent file, to the current allow list (the first call opens the first list).
// ERR_INVALID: unknown tool or malformed rule; the text begins with file:line. ERR_LIMIT: too many rules.
int policy_allow(struct policy *p, const char *rule, const char *file, int line, struct err *err);
int policy_deny(struct policy *p, const char *rule, const char *file, int line, struct err *err);
// Opens a further allow list; from now on every call must also be allowed by it (also when it stays empty).
void policy_next_list(struct policy *p);
void policy_next_bound(struct policy *p, const char *of); // the same; reasons say that `of` bounds the agent
// Call when all rules are in. ERR_INVALID: a list grants nothing, because it is empty or because the deny rules take
// all of it away; the text names the entries.
int policy_check_usable(const struct policy *p, struct err *err);
// Rules that load, but probably do not mean what their author thinks. Index 0 .. count-1.
size_t policy_warning_count(const struct policy *p);
const char *policy_warning(const struct policy *p, size_t index);
// One rule without a policy, for lint. Same errors; *ret_warning (may be NULL) is owned by the caller, NULL when there
// is none.
int policy_rule_check(const char *rule, const char *file, int line, char **ret_warning, struct err *err);
int policy_deny_check(const char *rule, const char *file, int line, struct err *err); // the same for a deny list

// The rules of one list, for display. list_count counts allow lists. Borrowed texts.
struct policy_rule_view {
    const char *text, *file;
    int line;
};
size_t policy_list_count(const struct policy *p);
size_t policy_list_rules(const struct policy *p, size_t list, struct policy_rule_view *ret,
                         size_t max); // number of rules
size_t policy_deny_rules(const struct policy *p, struct policy_rule_view *ret, size_t max);

// --- facts ---
enum policy_file_kind {
    POLICY_FILE_MISSING,
    POLICY_FILE_REGULAR,
    POLICY_FILE_DIR,
    POLICY_FILE_LINK,
    POLICY_FILE_OTHER
};
struct policy_file {
    enum policy_file_kind kind;
    int64_t size;                 // of a regular file
    unsigned links;               // names of a regular file
    bool unstable;                // somebody is changing it now: nothing that goes through it can be judged
    char target[POLICY_PATH_MAX]; // of a link
};
struct policy_fs {
    // Facts about an absolute path, without following a link in its last component.
    void (*look)(void *user, const char *path, struct policy_file *ret);
    void *user;
};

struct policy_context {
    const char *workspace;    // absolute; all bare file rules mean this tree
    const char *cwd;          // absolute, below workspace; NULL: workspace
    const char *home;         // what "~" means in rules and paths; NULL: such rules match nothing
    const char *const *built; // NULL-terminated folders whose programs count as built by cargo; NULL: none
    const char *const *own;   // NULL-terminated folders outside the workspace that belong to this call (spool, cache):
                              // naming them in arguments is nothing special; file rules do not include them. NULL: none
    const struct policy_fs
        *fs; // NULL: no facts, paths are judged by their text (the opener must then contain them itself)
    const char *project_acts; // what the project is known to make tools run (code or configuration), for the reason;
                              // may be NULL
};

// --- deciding ---
// ALLOW_SANDBOXED: admitted, but the command can reach for more than the rule's words say (another program, a place
// outside the workspace, the network, code of the project). What it reaches for is not granted: the sandbox is what
// refuses it.
enum policy_verdict { POLICY_DENY, POLICY_ALLOW, POLICY_ALLOW_SANDBOXED };
struct decision {
    enum policy_verdict verdict;
    bool needs_box;   // with ALLOW_SANDBOXED: the arguments themselves name what is not granted; without a sandbox that
                      // confines execution, files and network the call must be refused
    char rule[256];   // the rule that decided, "" when none matched
    char where[256];  // file:line of that rule, "" when none
    char reason[512]; // a sentence for a person or a model
    char needed[256]; // a rule that would allow it, "" when no rule can
};

// argv and env_assignments end with NULL; env_assignments are "NAME=value" that the AGENT asked for (not what a trusted
// worker sets itself) and may be NULL. No shell is involved.
void decide_argv(const struct policy *p, const struct policy_context *context, const char *const *argv,
                 const char *const *env_assignments, struct decision *ret);
// A command text: parsed strictly, every part needs its own rule.
void decide_command(const struct policy *p, const struct policy_context *context, const char *text,
                    struct decision *ret);
void decide_command_n(const struct policy *p, const struct policy_context *context, const char *text, size_t len,
                      struct decision *ret);
// tool: Read, Write, Edit, MultiEdit, NotebookRead, NotebookEdit, Grep, Glob, LS. What Grep and Glob find must be asked
// about again, as Read of each file.
void decide_path(const struct policy *p, const struct policy_context *context, const char *tool, const char *path,
                 struct decision *ret);
void decide_path_n(const struct policy *p, const struct policy_context *context, const char *tool, const char *path,
                   size_t len, struct decision *ret);
void decide_url(const struct policy *p, const char *tool, const char *url, size_t len, struct decision *ret);
void decide_agent(const struct policy *p, const char *agent, struct decision *ret); // may start this agent
void decide_name(const struct policy *p, const char *tool, const char *input,
                 struct decision *ret); // Skill, mcp__…, plain tools

// Any call. input_kind: shell, argv, path, agent, url, name; NULL: chosen from the tool and the type of the input.
// input is a string, or an array of strings for argv.
void decide_call(const struct policy *p, const struct policy_context *context, const char *tool, const char *input_kind,
                 const json_t *input, struct decision *ret);

const char *policy_verdict_name(enum policy_verdict v); // "deny", "allow", "allow_but_sandboxed"
// {decision, rule, where, reason, needed}; rule, where and needed are null when empty.
json_t *decision_to_json_new(const struct decision *d);
