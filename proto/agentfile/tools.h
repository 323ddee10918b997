// Internal: lists of tools in every shape people give them.
#pragma once

#include "agentfile/agentfile.h"

#include <jansson.h>

struct front;

struct tool_list {
    enum agent_tools_state state;
    VEC(struct agent_tool) items;
};

// Reads one value. What a map denies goes to `denied` (may be NULL). `path` is the value's place ("/tools").
void tools_read(const json_t *value, const char *key, const char *path, int line, const struct front *front,
                struct tool_list *ret, struct tool_list *denied, struct agentfile *f);
// What both lists grant; a is replaced, b is freed.
void tools_intersect(struct tool_list *a, struct tool_list *b);
void tools_free(struct tool_list *list);
void tool_free(struct agent_tool *tool);

bool tool_is_known(const struct agent_tool *tool);
bool tool_delegates(const struct agent_tool *tool); // Task or Agent

// Splits at commas and line ends outside parentheses; when there are none and at_blanks is set, at blanks. Pieces are
// trimmed and unquoted. NULL-ended, freed with str_list_free.
char **tools_split(const char *text, bool at_blanks);
