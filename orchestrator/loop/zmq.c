// A ZeroMQ socket in the loop. Its descriptor (ZMQ_FD) says "state may have changed" once and not again until somebody has asked
// for ZMQ_EVENTS, and any send or receive anywhere may swallow that word. So the descriptor is only used to wake the loop, and
// the truth is asked for around each sleep:
//   prepare (before the sleep): something to receive? then start the idle handle, which keeps the loop from sleeping;
//   poll:  does nothing, but ends the sleep;
//   check (after the sleep): stop the idle handle; something to receive? then call the user.
#include "internal.h"

#include "base/mem.h"

#include <zmq.h>

struct loop_zmq {
    struct loop_any any;
    uv_poll_t poll;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle;
    void *socket;
    loop_fn fn;
    void *user;
};

static bool readable(const struct loop_zmq *watch)
{
    int events = 0;
    size_t size = sizeof(events);
    return zmq_getsockopt(watch->socket, ZMQ_EVENTS, &events, &size) == 0 && (events & ZMQ_POLLIN);
}

static void no_op_poll(uv_poll_t *uv, int status, int events)
{
    (void)uv;
    (void)status;
    (void)events;
}

static void no_op_idle(uv_idle_t *uv)
{
    (void)uv;
}

static void before_sleep(uv_prepare_t *uv)
{
    struct loop_zmq *watch = uv->data;
    if (readable(watch))
        uv_idle_start(&watch->idle, no_op_idle);
}

static void after_sleep(uv_check_t *uv)
{
    struct loop_zmq *watch = uv->data;
    uv_idle_stop(&watch->idle);
    if (readable(watch))
        watch->fn(watch->user);
}

static void zmq_close_all(struct loop_any *any)
{
    struct loop_zmq *watch = (struct loop_zmq *)any;
    watch->socket = NULL;
    loop_any_drop((uv_handle_t *)&watch->poll);
    loop_any_drop((uv_handle_t *)&watch->prepare);
    loop_any_drop((uv_handle_t *)&watch->check);
    loop_any_drop((uv_handle_t *)&watch->idle);
}

int loop_zmq_new(struct loop *loop, void *socket, loop_fn fn, void *user, struct loop_zmq **ret, struct err *err)
{
    int fd = -1;
    size_t size = sizeof(fd);
    if (zmq_getsockopt(socket, ZMQ_FD, &fd, &size) < 0)
        return err_set(err, ERR_IO, "cannot watch a bus socket: %s", zmq_strerror(zmq_errno()));
    struct loop_zmq *watch = mem_alloc(sizeof(*watch));
    watch->any.close = zmq_close_all;
    watch->any.destroy = loop_any_destroy;
    watch->socket = socket;
    watch->fn = fn;
    watch->user = user;
    int r = uv_poll_init(&loop->uv, &watch->poll, fd);
    if (r < 0) {
        mem_free(watch);
        return loop_uv_err(err, r, "cannot watch a bus socket");
    }
    uv_prepare_init(&loop->uv, &watch->prepare);
    uv_check_init(&loop->uv, &watch->check);
    uv_idle_init(&loop->uv, &watch->idle);
    loop_any_adopt(&watch->any, (uv_handle_t *)&watch->poll);
    loop_any_adopt(&watch->any, (uv_handle_t *)&watch->prepare);
    loop_any_adopt(&watch->any, (uv_handle_t *)&watch->check);
    loop_any_adopt(&watch->any, (uv_handle_t *)&watch->idle);
    r = uv_poll_start(&watch->poll, UV_READABLE, no_op_poll);
    if (r < 0) {
        zmq_close_all(&watch->any);
        return loop_uv_err(err, r, "cannot watch a bus socket");
    }
    uv_prepare_start(&watch->prepare, before_sleep);
    uv_check_start(&watch->check, after_sleep);
    *ret = watch;
    return 0;
}

void loop_zmq_close(struct loop_zmq *watch)
{
    if (watch)
        watch->any.close(&watch->any);
}
