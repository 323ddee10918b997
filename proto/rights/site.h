// The deployment's ceiling: files outside of every project that bound what any agent may do, whatever its file says.
//   /etc/baton/policy.rules                   the site's
//   $XDG_CONFIG_HOME/baton/policy.rules       the user's (~/.config/…)
// One entry per line:
//   # a comment
//   allow Bash(cargo *)
//   deny Read(//etc/**)
//   network host                              agents may say `network: host`; none or lo: no tool has more than that
// Both files bind: a call must be allowed by each that has an `allow` line. No file bounds nothing: what agent files
// declare is granted, and a file without a list may do nothing.
#pragma once

#include "base/err.h"
#include "json/json.h"

#define SITE_RULES_MAX ((size_t)64 * 1024) // bytes of a file

// The bounds of this machine and user (rights.h), an empty array when there are none. ERR_PARSE, ERR_INVALID,
// ERR_LIMIT: a file is not understood; the text begins with file:line. NULL with err.
json_t *site_bounds_new(struct err *err);
// One file's text as a bound; *ret stays NULL when it has no entry.
int site_parse(const char *text, const char *path, json_t **ret, struct err *err);
