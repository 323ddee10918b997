// Handoff files for people, for other agents and for the published shell recipes: Markdown with flat frontmatter (era
// D, the default) or YAML (era B). Both are for reading; the side file `{id}.json` holds the whole object.
#pragma once

#include "base/err.h"

#include <jansson.h>

#define HANDOFF_BODY_LINES 40 // target for the body; longer texts are cut with a note that names the side file

enum handoff_format { HANDOFF_MARKDOWN, HANDOFF_YAML };

// `handoff`: a sealed object, or one that was read (its `extra` keys are written too). Owned by the caller.
char *handoff_md_new(const json_t *handoff);
char *handoff_yaml_new(const json_t *handoff);

// Writes `dir`/{id}.md (or .yaml) and {id}.json; makes `dir`. The file appears whole or not at all, and never replaces
// another: when the name is taken, the id moves one second on. A file that has the very same bytes is this handoff,
// written before. *ret_handoff: new reference with the id that was used; *ret_path owned by the caller. Both may be
// NULL.
int handoff_write(const char *dir, const json_t *handoff, enum handoff_format format, json_t **ret_handoff,
                  char **ret_path, struct err *err);
