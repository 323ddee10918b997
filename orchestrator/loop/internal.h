// Shared by the files of this folder only.
#pragma once

#include "loop/loop.h"

#include <uv.h>

struct loop_call {
    loop_fn fn;
    void *user;
    struct loop_call *next;
};

struct loop_calls { // first in, first out
    struct loop_call *first, **last;
};

struct loop {
    uv_loop_t uv;
    uv_idle_t deferred_turn; // runs while `deferred` holds something, so that the loop does not sleep
    struct loop_calls deferred;
    bool freeing; // loop_free has begun: no callback reaches the user any more
};

// libuv's negative code as our error: "<text>: <reason>".
int loop_uv_err(struct err *err, int uv_code, const char *fmt, ...) ATTR_PRINTF(3, 4);

// First member of every handle of ours. One may consist of several of libuv's; the memory goes when the last is closed.
// handle->data of each points here, so that loop_free can close whatever it meets.
struct loop_any {
    void (*close)(struct loop_any *any);   // ends it; may be called again while it is ending
    void (*destroy)(struct loop_any *any); // frees the memory
    unsigned open;                         // libuv handles not yet closed
};

void loop_any_adopt(struct loop_any *any, uv_handle_t *handle); // after the handle's init
void loop_any_drop(uv_handle_t *handle);                        // closes it, once
void loop_any_destroy(struct loop_any *any);                    // the plain destroy: one allocation
