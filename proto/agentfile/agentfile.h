// Agent files: Markdown with frontmatter, as people really write them. The loader accepts what it can make sense of
// and says in diagnostics, with lines, what it had to guess and what a strict host would have dropped.
//
// Reading, in this order: strict YAML; YAML once more with one-line values quoted; line by line, each key on its own.
// Which one it was is the mode. A file without frontmatter, with bytes that are not text, or over the size limit
// yields no agent, and one diagnostic of level error says why; so does a `network` that is not known, because guessing
// would grant or take away. There is no other cause for that level.
//
// Duplicate keys: in valid YAML the last one counts, read line by line the first one (what follows is prose more often
// than a key). Tool lists only narrow: several of them, the same key twice or different keys, are intersected.
#pragma once

#include "base/err.h"
#include "base/vec.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define AGENTFILE_TEXT_MAX        ((size_t)1024 * 1024)
#define AGENTFILE_NAME_MAX        200
#define AGENTFILE_TOOLS_MAX       2000
#define AGENTFILE_FOCUS_MAX       500
#define AGENTFILE_CHAINS_MAX      200
#define AGENTFILE_STEPS_MAX       100
#define AGENTFILE_DIAGNOSTICS_MAX 500

enum agent_mode {
    AGENT_MODE_NONE,     // no agent in it
    AGENT_MODE_YAML,     // the frontmatter is valid YAML
    AGENT_MODE_QUOTED,   // valid after values with special characters were quoted
    AGENT_MODE_TOLERANT, // read line by line
};

// What the tools of the agent may talk to. The order counts: less before more.
enum agent_network {
    AGENT_NETWORK_UNSAID, // no key: what the profile of the tool has, which is their own loopback
    AGENT_NETWORK_NONE,
    AGENT_NETWORK_LO,
    AGENT_NETWORK_HOST,
};

enum agent_level { AGENT_INFO, AGENT_WARNING, AGENT_ERROR };

// What the file says about tools. These are five different things.
enum agent_tools_state {
    AGENT_TOOLS_ABSENT, // no key: the ceiling of the deployment decides
    AGENT_TOOLS_BLANK,  // a key without a value: nothing is granted
    AGENT_TOOLS_EMPTY,  // []: nothing is granted
    AGENT_TOOLS_ALL,    // *: whatever the deployment allows
    AGENT_TOOLS_LIST,   // the items; none left after an intersection is still a list: nothing is granted
};

struct agent_tool {
    char *text;      // as written, "Bash(cargo *)"
    char *name;      // "Bash"; in the usual spelling when only the case differs
    char *spec;      // "cargo *", NULL when there are no parentheses
    const char *key; // where it stands, "allowed-tools"; static or owned by the agentfile
    int line;
};

struct agent_diagnostic {
    enum agent_level level;
    int line; // from 1
    char *text;
};

struct agent_focus { // one row of "When Called After Another Agent"
    char *previous, *expected_context, *focus;
    int line;
};

struct agent_step {
    char *agent; // as written, without brackets and emphasis
    char *note;  // what stood in parentheses, or NULL
    bool self;   // marked as this agent
};

struct agent_chain { // a sequence of stages; the same agent may occur more than once
    char *title;     // or NULL
    VEC(struct agent_step) steps;
    int line;
};

struct agentfile {
    char *file; // as given
    enum agent_mode mode;
    char *name;                        // NULL only in mode none, when nothing was read
    bool name_declared;                // false: taken from the file name
    int name_line;                     // where it is declared, 1 when it is not
    char *description, *model, *color; // NULL when not given
    char *memory, *effort, *permission_mode;
    long max_turns;      // 0 when not given
    enum agent_network network;
    int network_line;    // where it is declared
    json_t *mcp_servers; // as written, or NULL; borrowed from extra
    VEC(char *) skills;
    enum agent_tools_state tools_state;
    VEC(struct agent_tool) tools;
    VEC(struct agent_tool) disallowed;
    bool attenuate;        // whoever works with its handoff may do no more than it may do itself
    bool grants_declared;  // whoever works with its handoff may do no more than `grants`, also when that is empty
    VEC(struct agent_tool) grants;
    bool delegates_any;    // bare Task or Agent, or *
    VEC(char *) delegates; // from Task(...) and Agent(...), without what is disallowed; as written, each once
    VEC(struct agent_focus) focus;
    VEC(struct agent_chain) chains;
    json_t *extra;      // every key but name, description, model and the tool lists, as YAML types; an object
    size_t body_offset; // first byte of the body in the text as given
    int body_line;
    VEC(struct agent_diagnostic) diagnostics; // by line
};

// Looks at a text and always gives an agentfile, even when there is no agent in it (mode none). `path` names the file
// in diagnostics and gives the name when none is declared. Freed with agentfile_free.
struct agentfile *agentfile_examine(const char *path, const char *text, size_t len);
// The same for a file; one that cannot be read has mode none and a diagnostic.
struct agentfile *agentfile_examine_path(const char *path);

// As above for callers that need an agent: mode none is an error (ERR_PARSE, ERR_LIMIT; for load also those of
// file_read) with "path:line: reason" in the text.
int agentfile_parse(const char *path, const char *text, size_t len, struct agentfile **ret, struct err *err);
int agentfile_load(const char *path, struct agentfile **ret, struct err *err);

struct agentfile *agentfile_free(struct agentfile *f); // takes NULL, returns NULL

// {name, file, description, model, tools[], delegates[], focus[{previous, context, focus}], chains[[name]], mode,
//  diagnostics[{line, level, text}], tools_state, disallowed_tools[], network (null when not given), extra{}}; a new
// reference.
json_t *agentfile_to_json(const struct agentfile *f);

// The focus row for a stage that is entered from `previous` (an agent's name in any spelling; NULL: a person or nobody
// called). NULL when there is none: then only the next task is passed on.
const struct agent_focus *agentfile_focus_after(const struct agentfile *f, const char *previous);
// Does the file let this agent ask for `name`? (Its declared edges; any spelling.)
bool agentfile_may_ask_for(const struct agentfile *f, const char *name);

// Adds a diagnostic (owned copy); for loaders of sets. Beyond the maximum they are dropped.
void agentfile_note(struct agentfile *f, enum agent_level level, int line, const char *fmt, ...) ATTR_PRINTF(4, 5);

const char *agent_mode_name(enum agent_mode mode);                // "yaml"
const char *agent_network_name(enum agent_network network);       // "lo"; NULL when unsaid
const char *agent_level_name(enum agent_level level);             // "warning"
const char *agent_tools_state_name(enum agent_tools_state state); // "list"
