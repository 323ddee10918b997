// The control door of `baton serve`: a unix socket on which one JSON object per line asks and one or more lines answer. For the
// owner of the state folder only (socket mode 0600, and the peer's user is checked).
//
//   {"op": "ping"}                                                     -> {"ok": true, "pid", "version", "runs"}
//   {"op": "start", "workflow", "project", "params"?, "key"?, "agents"?, "allow"?} -> {"ok": true, "run", "existing": bool}
//   {"op": "list"}                                                     -> {"ok": true, "runs": [...]}
//   {"op": "cancel", "run", "reason"?}                                 -> {"ok": true}
//   {"op": "follow", "run"?}                                           -> {"ok": true}, then one line per event
// A request that cannot be done: {"ok": false, "code": "not_found", "error": "…"}.
#pragma once

#include "base/err.h"
#include "engine/engine.h"
#include "loop/loop.h"
#include "store/store.h"

struct control;

struct control_options {
    struct loop *loop;
    struct store *store;
    struct engine *engine;
    const char *path;   // of the socket
    size_t max_runs;    // more are refused with ERR_LIMIT
};

int control_new(const struct control_options *options, struct control **ret, struct err *err);
struct control *control_free(struct control *control); // NULL allowed; returns NULL
// Passes an event on to everybody who follows.
void control_event(struct control *control, const char *run, enum event_kind kind, const json_t *body);
