#include "engine/batch.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/vec.h"

struct member {
    batch_settled settled;
    void *user;
};

struct batch {
    struct loop *loop;
    struct store *store;
    struct loop_timer *timer;
    VEC(struct member) members;
    bool open;
    void (*watch)(void *user, size_t turns, int64_t ns, bool failed);
    void *watch_user;
};

static int settle(struct batch *b, struct err *err)
{
    if (!b->open)
        return 0;
    struct err why;
    b->open = false;
    int64_t began_ns = b->watch ? clock_mono_ns() : 0;
    int r = store_commit(b->store, &why);
    size_t n = b->members.len;
    if (b->watch)
        b->watch(b->watch_user, n, clock_mono_ns() - began_ns, r < 0);
    struct member *members = b->members.items;
    b->members.items = NULL; // the callbacks may join the next one
    b->members.len = b->members.cap = 0;
    for (size_t i = 0; i < n; i++)
        if (members[i].settled)
            members[i].settled(members[i].user, r < 0 ? &why : NULL);
    mem_free(members);
    if (r < 0 && err)
        *err = why;
    return r;
}

static void on_turn_end(void *user)
{
    settle(user, NULL);
}

struct batch *batch_new(struct loop *loop, struct store *store)
{
    struct batch *b = mem_alloc(sizeof(*b));
    b->loop = loop;
    b->store = store;
    b->timer = loop_timer_new(loop, on_turn_end, b);
    return b;
}

struct batch *batch_free(struct batch *b)
{
    if (!b)
        return NULL;
    loop_timer_close(b->timer);
    if (b->open)
        store_commit(b->store, NULL);
    vec_free(&b->members);
    mem_free(b);
    return NULL;
}

int batch_join(struct batch *b, batch_settled settled, void *user, struct err *err)
{
    if (!b->open) {
        int r = store_begin(b->store, err);
        if (r < 0)
            return r;
        b->open = true;
        loop_timer_start(b->timer, 0, 0);
    }
    for (size_t i = b->members.len; i > 0; i--)
        if (b->members.items[i - 1].user == user)
            return 0;
    vec_push(&b->members, (struct member){settled, user});
    return 0;
}

void batch_watch(struct batch *b, void (*watch)(void *user, size_t turns, int64_t ns, bool failed), void *user)
{
    b->watch = watch;
    b->watch_user = user;
}

void batch_leave(struct batch *b, const void *user)
{
    for (size_t i = 0; i < b->members.len; i++)
        if (b->members.items[i].user == user)
            b->members.items[i] = (struct member){0};
}

int batch_flush(struct batch *b, struct err *err)
{
    return settle(b, err);
}
