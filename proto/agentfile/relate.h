// Internal: names in focus rows, shared JSON pieces.
#pragma once

#include "agentfile/agentfile.h"

bool focus_names_nobody(const char *previous);            // "User (raw idea)", "(no previous agent)"
bool focus_names(const char *previous, const char *name); // does the cell name this agent?
json_t *diagnostics_to_json(const struct agentfile *f);   // [{line, level, text}], new reference
