// A request for a run as JSON: what the control socket is asked, and what a schedule keeps.
//   {"workflow", "project" (absolute), "params"?, "params_from_text"?, "key"?, "agents"?, "allow"?, "wall_ms"?,
//   "limits"?, "notify"?, "caller"?}
#pragma once

#include "engine/engine.h"

#define REQUEST_WORDS_MAX 64

struct request_words { // what the request points to beside the JSON
    const char *agents[REQUEST_WORDS_MAX + 1], *allow[REQUEST_WORDS_MAX + 1], *notify[REQUEST_WORDS_MAX + 1];
};

// Borrows from json and words. ERR_INVALID names the member.
int request_read(const json_t *json, struct request_words *words, struct engine_request *ret, struct err *err);
