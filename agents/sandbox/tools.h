// What tools a stage would have on this machine: the profiles with the site's changes, where these are read from, and
// which file each program of a rule would be. For `baton doctor`; nothing is started.
#pragma once

#include "base/err.h"
#include "json/json.h"

// {site_files: [{path, present}], search, not_searched,                        texts of PATH
//  profiles: [{profile, match: [word], network, changed}],
//  programs: [{name, path, hash, toolchain?, starts?} or {name, problem}]}      those that are installed
// From the working folder, which may choose a toolchain. ERR_PARSE, ERR_LIMIT: a site's file is not understood.
int tools_new(json_t **ret, struct err *err);
