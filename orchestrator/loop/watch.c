// Timers, signals and descriptors.
#include "internal.h"

#include "base/clock.h"
#include "base/mem.h"

// --- timers ---

struct loop_timer {
    struct loop_any any;
    uv_timer_t uv;
    loop_fn fn;
    void *user;
};

static void timer_fired(uv_timer_t *uv)
{
    struct loop_timer *timer = uv->data;
    timer->fn(timer->user);
}

static void timer_close(struct loop_any *any)
{
    loop_any_drop((uv_handle_t *)&((struct loop_timer *)any)->uv);
}

struct loop_timer *loop_timer_new(struct loop *loop, loop_fn fn, void *user)
{
    struct loop_timer *timer = mem_alloc(sizeof(*timer));
    timer->any.close = timer_close;
    timer->any.destroy = loop_any_destroy;
    timer->fn = fn;
    timer->user = user;
    uv_timer_init(&loop->uv, &timer->uv); // cannot fail
    loop_any_adopt(&timer->any, (uv_handle_t *)&timer->uv);
    return timer;
}

static uint64_t milliseconds(int64_t ns)
{
    return ns <= 0 ? 0 : (uint64_t)((ns - 1) / NS_PER_MS + 1);
}

void loop_timer_start(struct loop_timer *timer, int64_t delay_ns, int64_t repeat_ns)
{
    uv_update_time(timer->uv.loop); // libuv counts from the start of the turn; a long callback would shorten the delay
    must(uv_timer_start(&timer->uv, timer_fired, milliseconds(delay_ns), milliseconds(repeat_ns)) == 0);
}

void loop_timer_stop(struct loop_timer *timer)
{
    uv_timer_stop(&timer->uv);
}

void loop_timer_close(struct loop_timer *timer)
{
    if (timer)
        timer->any.close(&timer->any);
}

// --- signals ---

struct loop_signal {
    struct loop_any any;
    uv_signal_t uv;
    void (*fn)(void *user, int signal);
    void *user;
};

static void signal_came(uv_signal_t *uv, int signal)
{
    struct loop_signal *watch = uv->data;
    watch->fn(watch->user, signal);
}

static void signal_close(struct loop_any *any)
{
    loop_any_drop((uv_handle_t *)&((struct loop_signal *)any)->uv);
}

int loop_signal_new(struct loop *loop, int signal, void (*fn)(void *user, int signal), void *user,
                    struct loop_signal **ret, struct err *err)
{
    struct loop_signal *watch = mem_alloc(sizeof(*watch));
    watch->any.close = signal_close;
    watch->any.destroy = loop_any_destroy;
    watch->fn = fn;
    watch->user = user;
    int r = uv_signal_init(&loop->uv, &watch->uv);
    if (r < 0) {
        mem_free(watch);
        return loop_uv_err(err, r, "cannot watch signal %d", signal);
    }
    loop_any_adopt(&watch->any, (uv_handle_t *)&watch->uv);
    r = uv_signal_start(&watch->uv, signal_came, signal);
    if (r < 0) {
        signal_close(&watch->any);
        return loop_uv_err(err, r, "cannot watch signal %d", signal);
    }
    uv_unref((uv_handle_t *)&watch->uv);
    *ret = watch;
    return 0;
}

void loop_signal_close(struct loop_signal *watch)
{
    if (watch)
        watch->any.close(&watch->any);
}

// --- descriptors ---

struct loop_fd {
    struct loop_any any;
    uv_poll_t uv;
    void (*fn)(void *user, unsigned events);
    void *user;
    unsigned events;
};

// A failed poll (the other end broke) is told as "ready for all that was asked": the read or write then gives the reason.
static void fd_ready(uv_poll_t *uv, int status, int events)
{
    struct loop_fd *watch = uv->data;
    unsigned ready = watch->events;
    if (status == 0)
        ready = (events & UV_READABLE ? (unsigned)LOOP_READ : 0) | (events & UV_WRITABLE ? (unsigned)LOOP_WRITE : 0);
    if (ready)
        watch->fn(watch->user, ready);
}

static void fd_close(struct loop_any *any)
{
    loop_any_drop((uv_handle_t *)&((struct loop_fd *)any)->uv);
}

int loop_fd_new(struct loop *loop, int fd, unsigned events, void (*fn)(void *user, unsigned events), void *user,
                struct loop_fd **ret, struct err *err)
{
    struct loop_fd *watch = mem_alloc(sizeof(*watch));
    watch->any.close = fd_close;
    watch->any.destroy = loop_any_destroy;
    watch->fn = fn;
    watch->user = user;
    int r = uv_poll_init(&loop->uv, &watch->uv, fd);
    if (r < 0) {
        mem_free(watch);
        return loop_uv_err(err, r, "cannot watch descriptor %d", fd);
    }
    loop_any_adopt(&watch->any, (uv_handle_t *)&watch->uv);
    r = loop_fd_change(watch, events, err);
    if (r < 0) {
        fd_close(&watch->any);
        return r;
    }
    *ret = watch;
    return 0;
}

int loop_fd_change(struct loop_fd *watch, unsigned events, struct err *err)
{
    int flags = (events & (unsigned)LOOP_READ ? UV_READABLE : 0) | (events & (unsigned)LOOP_WRITE ? UV_WRITABLE : 0);
    int r = flags ? uv_poll_start(&watch->uv, flags, fd_ready) : uv_poll_stop(&watch->uv);
    if (r < 0)
        return loop_uv_err(err, r, "cannot watch a descriptor");
    watch->events = events;
    return 0;
}

void loop_fd_close(struct loop_fd *watch)
{
    if (watch)
        watch->any.close(&watch->any);
}
