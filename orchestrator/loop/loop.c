// The loop itself: turns, deferred calls, and the end of everything in loop_free.
#include "internal.h"

#include "base/mem.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>

int loop_uv_err(struct err *err, int uv_code, const char *fmt, ...)
{
    char text[ERR_TEXT_MAX];
    va_list args;
    va_start(args, fmt);
    if (vsnprintf(text, sizeof(text), fmt, args) < 0)
        text[0] = '\0';
    va_end(args);
    return err_sys(err, -uv_code, "%s", text); // on Unix libuv's codes are negated errno values
}

// --- handles ---

static void handle_closed(uv_handle_t *handle)
{
    struct loop_any *any = handle->data;
    must(any->open > 0);
    if (--any->open == 0)
        any->destroy(any);
}

void loop_any_adopt(struct loop_any *any, uv_handle_t *handle)
{
    handle->data = any;
    any->open++;
}

void loop_any_drop(uv_handle_t *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, handle_closed);
}

void loop_any_destroy(struct loop_any *any)
{
    mem_free(any);
}

// --- calls ---

static void calls_add(struct loop_calls *calls, loop_fn fn, void *user)
{
    struct loop_call *call = mem_alloc(sizeof(*call));
    *call = (struct loop_call){fn, user, NULL};
    if (!calls->first)
        calls->last = &calls->first;
    *calls->last = call;
    calls->last = &call->next;
}

// What is added meanwhile waits for the next turn: a call that defers itself cannot starve the loop.
static void calls_run(struct loop_call *first, bool call)
{
    while (first) {
        struct loop_call *next = first->next;
        if (call)
            first->fn(first->user);
        mem_free(first);
        first = next;
    }
}

static struct loop_call *calls_take(struct loop_calls *calls)
{
    struct loop_call *first = calls->first;
    calls->first = NULL;
    return first;
}

static void run_deferred(uv_idle_t *idle)
{
    struct loop *loop = idle->data;
    struct loop_call *first = calls_take(&loop->deferred);
    uv_idle_stop(idle);
    calls_run(first, true);
}

void loop_defer(struct loop *loop, loop_fn fn, void *user)
{
    calls_add(&loop->deferred, fn, user);
    uv_idle_start(&loop->deferred_turn, run_deferred);
}

// --- the loop ---

int loop_new(struct loop **ret, struct err *err)
{
    struct loop *loop = mem_alloc(sizeof(*loop));
    int r = uv_loop_init(&loop->uv);
    if (r < 0) {
        mem_free(loop);
        return loop_uv_err(err, r, "cannot create an event loop");
    }
    loop->uv.data = loop;
    signal(SIGPIPE, SIG_IGN); // a reader that went away is an error of the write, not the end of the process
    uv_idle_init(&loop->uv, &loop->deferred_turn);
    loop->deferred_turn.data = loop;
    *ret = loop;
    return 0;
}

static void close_left(uv_handle_t *handle, void *loop_pointer)
{
    struct loop *loop = loop_pointer;
    if (uv_is_closing(handle))
        return;
    if (handle == (uv_handle_t *)&loop->deferred_turn) {
        uv_close(handle, NULL);
        return;
    }
    struct loop_any *any = handle->data;
    any->close(any);
}

struct loop *loop_free(struct loop *loop)
{
    if (!loop)
        return NULL;
    loop->freeing = true;
    calls_run(calls_take(&loop->deferred), false);
    // Closing one handle may leave work for the next turn (a killed child is reaped): walk until nothing is left.
    do {
        uv_walk(&loop->uv, close_left, loop);
    } while (uv_run(&loop->uv, UV_RUN_ONCE) != 0);
    calls_run(calls_take(&loop->deferred), false);
    must(uv_loop_close(&loop->uv) == 0);
    mem_free(loop);
    return NULL;
}

void loop_run(struct loop *loop)
{
    uv_run(&loop->uv, UV_RUN_DEFAULT);
}

bool loop_run_once(struct loop *loop)
{
    return uv_run(&loop->uv, UV_RUN_ONCE) != 0;
}

void loop_stop(struct loop *loop)
{
    uv_stop(&loop->uv);
}
