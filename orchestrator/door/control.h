// The control door of `baton serve`: a unix socket on which one JSON object per line asks and one or more lines answer.
// For the owner of the state folder only (socket mode 0600, and the peer's user is checked).
//
//   {"op": "ping"}        -> {"ok": true, "pid", "version", "runs" (at work or asleep), "queued", "max_runs", "stages",
//   "draining"}
//   {"op": "start", "workflow", "project", "params"?, "params_from_text"?, "key"?, "agents"?, "allow"?, "wall_ms"?,
//   "limits"?: {name: number or text}, "notify"?: [url], "caller"?}
//                         -> {"ok": true, "run", "existing": bool, "position": 0 at work, 1 the next of the queue, …}
//   {"op": "list"}        -> {"ok": true, "runs": [...]}; those in the queue have "position"
//   {"op": "cancel", "run", "reason"?} -> {"ok": true}
//   {"op": "follow", "run"?}           -> {"ok": true}, then one line per event
//   {"op": "metrics", "format"?} -> {"ok": true, "text": the text format of Prometheus}; with "format": "json",
//   "metrics": [...]
//   {"op": "workers"}     -> {"ok": true, "workers": [{"role", "program", "pid", "ready"}]}
//   {"op": "signal", "run", "name", "value"?, "by"?} -> {"ok": true}
//   {"op": "query", "run"}             -> {"ok": true, "values": {name: {"value", "at_ns"}}}
//   {"op": "questions", "run"}         -> {"ok": true, "questions": [...]}, see engine/letters.h
//   {"op": "approve", "run", "deny"?, "question"?, "for"?, "by"?, "note"?} -> {"ok": true, "question": {...}}
//   {"op": "schedules"}   -> {"ok": true}: somebody changed schedules in the journal; they are looked at again
//   {"op": "trigger", "schedule"} -> {"ok": true, "run", "position"}
//   {"op": "replace"}     -> {"ok": true, "pid"}: another service takes over; this one drains. The connection ends with the process.
// A request that cannot be done: {"ok": false, "code": "not_found", "error": "…"}. With "retry": true it can be done in a moment: the
// service is being replaced. Ask again on a new connection, a start with the same key.
#pragma once

#include "base/err.h"
#include "engine/engine.h"
#include "loop/loop.h"
#include "store/store.h"

struct control;

struct control_service { // what the service itself does
    bool (*draining)(void *user);
    void (*drain)(void *user);
    const struct metrics *(*metrics)(void *user); // up to date
    void (*look_at_schedules)(void *user);
    int (*trigger)(void *user, const char *schedule, char ret_run[STORE_NAME_MAX], struct err *err);
};

struct control_options {
    struct loop *loop;
    struct store *store;
    struct engine *engine;
    const char *path;   // of the socket
    bool replaces;      // in place of whoever listens there
    int fd;             // a socket that a service manager keeps, instead of the path; 0: none. Consumed
    size_t max_runs;    // for those who ask
    const struct control_service *service;
    void *user;         // its
};

int control_new(const struct control_options *options, struct control **ret, struct err *err);
struct control *control_free(struct control *control); // NULL allowed; returns NULL
// With a socket of the service manager: who connects from now on waits for the next service. Else nothing.
void control_let_wait(struct control *control);
// Passes an event on to everybody who follows.
void control_event(struct control *control, const char *run, enum event_kind kind, const json_t *body);
