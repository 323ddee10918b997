#include "run/batch.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/vec.h"

struct member {
    batch_settled settled;
    void *user; // NULL: it left
};

struct batch {
    struct loop *loop;
    struct store *store;
    struct loop_timer *timer;
    void (*after)(void *user);
    void *after_user;
    VEC(struct member) members;
    struct map places; // of a member: its user's address -> itself
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
    map_free(&b->places);
    for (size_t i = 0; i < n; i++)
        if (members[i].settled)
            members[i].settled(members[i].user, r < 0 ? &why : NULL);
    mem_free(members);
    if (b->after)
        b->after(b->after_user);
    if (r < 0 && err)
        *err = why;
    return r;
}

static void on_turn_end(void *user)
{
    settle(user, NULL);
}

struct batch *batch_new(struct loop *loop, struct store *store, void (*after)(void *user), void *user)
{
    struct batch *b = mem_alloc(sizeof(*b));
    b->loop = loop;
    b->store = store;
    b->after = after;
    b->after_user = user;
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
    map_free(&b->places);
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
    uint64_t key = (uint64_t)(uintptr_t)user;
    if (!user || map_get(&b->places, key))
        return 0;
    vec_push(&b->members, (struct member){settled, user});
    map_put(&b->places, key, user);
    return 0;
}

void batch_watch(struct batch *b, void (*watch)(void *user, size_t turns, int64_t ns, bool failed), void *user)
{
    b->watch = watch;
    b->watch_user = user;
}

void batch_leave(struct batch *b, const void *user)
{
    if (!map_remove(&b->places, (uint64_t)(uintptr_t)user))
        return;
    for (size_t i = 0; i < b->members.len; i++)
        if (b->members.items[i].user == user)
            b->members.items[i] = (struct member){0};
}

int batch_flush(struct batch *b, struct err *err)
{
    return settle(b, err);
}
