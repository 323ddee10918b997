// Where workflows and agent files are found. A run keeps its own copy of both (artifacts), so that later edits do not
// reach it.
#pragma once

#include "agentfile/agentdir.h"
#include "base/err.h"
#include "json/json.h"

#include <stddef.h>

// The workflow's text and name. `which`: a name ("relay", looked up below <data_dir>/workflows) or the path of a .lua
// file. ERR_NOT_FOUND lists the names there are. *ret_text and *ret_name are owned by the caller.
int catalog_workflow(const char *data_dir, const char *which, char **ret_text, size_t *ret_len, char **ret_name,
                     struct err *err);
// Names of the workflows that ship: array of {name, path}.
json_t *catalog_workflows_new(const char *data_dir);

// The agents a run may use: first those of agent_dirs (files or folders of the caller, NULL-terminated, may be NULL),
// then the ones that ship.
struct agentset *catalog_agents(const char *data_dir, const char *const *agent_dirs);
