// Reads handoffs as the published systems wrote them, and ours: era A0 (YAML, stem `{suffix}-{TS}`), A and B (YAML), C
// and D (Markdown with frontmatter), our JSON side file, and the reply blocks that agents put into their messages.
// Reading is tolerant: broken YAML is read line by line, and what is odd becomes a diagnostic.
//
// One normalized object comes out of every era:
//   { "id", "parent": […], "agent": role (or the bare name when it is unknown), "agent_name",
//     "status": "completed|blocked|needs_discussion", "status_raw": as written, when that was something else,
//     "summary", "verdict", "next_agent": as written, "next_role": role or null, "next_task", "priority", "timestamp",
//     "run", "stage", "attempt", "context": string or object or null, "output": {…}, "sections": [{"label", "text"}],
//     "blockers", "acceptance": […], "artifacts": […], "created", "extra": {keys that nobody knows},
//     "era": "A0|A|B|C|D|json|reply", "file": name, "diagnostics": [{"line", "level": "error|warning|info", "text"}] }
#pragma once

#include "base/err.h"

#include <jansson.h>
#include <stddef.h>

#define HANDOFF_FILE_MAX   ((size_t)1024 * 1024)
#define HANDOFF_WALK_MAX   256   // handoffs
#define HANDOFF_FOLDER_MAX 20000 // files looked at

// `file_name` (may be NULL) gives era and id where the text does not; folders in it are ignored. New reference. Fails
// (NULL) only for text beyond HANDOFF_FILE_MAX, text that is not UTF-8, or text that holds no handoff at all.
json_t *handoff_read_new(const char *text, size_t len, const char *file_name, struct err *err);
json_t *handoff_read_file_new(const char *path, struct err *err);

// The handoff an agent states in a message: `## Handoff` with a fenced yaml block, a table or bold lines; or an
// incoming one between
// `---` lines. "file" is the path it names. NULL with ERR_NOT_FOUND when there is none.
json_t *handoff_read_reply_new(const char *text, size_t len, struct err *err);

// The handoffs that `parents` (array of ids) name in folder `dir`, and their ancestors, nearest first:
//   { "parents": [whole normalized objects],
//     "ancestors": [{"id", "parent", "agent", "status", "summary", "verdict", "next_agent", "next_task", "depth"}],
//     "diagnostics": [{"line": 0, "level", "text"}] }    dangling ids, cycles, files that cannot be read
json_t *handoff_walk_new(const char *dir, const json_t *parents, struct err *err);

// What a strict reader would object to: an array of diagnostics as above, empty for a perfect file. Never NULL.
json_t *handoff_lint_new(const char *text, size_t len, const char *file_name);
