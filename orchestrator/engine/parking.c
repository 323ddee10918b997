#include "engine/parking.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"

#define LOOK_MAX   10000             // runs per call of parking_look: some tens of milliseconds
#define WAKE_MAX   64                // runs per turn of the loop
#define RECHECK_NS (60 * NS_PER_SEC) // the wall clock may be set

struct parked {
    char *run;
    struct store_lock *lock;
    int64_t wake_ns, seen;
};

struct parking {
    struct store *store;
    struct loop_timer *timer;
    void (*wake)(void *user, const char *run, struct store_lock *lock_take);
    void *user;
    VEC(struct parked) runs;
    int64_t next_ns; // the timer is set for this; 0: it is not set
    size_t looked;   // of the look under way
};

static void set_timer(struct parking *p, int64_t wake_ns)
{
    int64_t left = wake_ns - clock_wall_ns();
    p->next_ns = wake_ns;
    loop_timer_start(p->timer, left < 0 ? 0 : left > RECHECK_NS ? RECHECK_NS : left, 0);
}

static void wake_at(struct parking *p, size_t at)
{
    struct parked one = p->runs.items[at];
    p->runs.items[at] = p->runs.items[--p->runs.len];
    p->wake(p->user, one.run, one.lock);
    mem_free(one.run);
}

static void on_time(void *user)
{
    struct parking *p = user;
    int64_t now = clock_wall_ns(), next = INT64_MAX;
    size_t woken = 0;
    p->next_ns = 0;
    for (size_t i = 0; i < p->runs.len;) {
        int64_t wake_ns = p->runs.items[i].wake_ns;
        if (wake_ns <= now && woken < WAKE_MAX) {
            woken++;
            wake_at(p, i);
            continue;
        }
        next = wake_ns < next ? wake_ns : next;
        i++;
    }
    if (p->runs.len)
        set_timer(p, next);
}

struct parking *parking_new(struct loop *loop, struct store *store,
                            void (*wake)(void *user, const char *run, struct store_lock *lock_take), void *user)
{
    struct parking *p = mem_alloc(sizeof(*p));
    p->store = store;
    p->wake = wake;
    p->user = user;
    p->timer = loop_timer_new(loop, on_time, p);
    return p;
}

struct parking *parking_free(struct parking *p)
{
    if (!p)
        return NULL;
    loop_timer_close(p->timer);
    for (size_t i = 0; i < p->runs.len; i++) {
        store_lock_release(p->runs.items[i].lock);
        mem_free(p->runs.items[i].run);
    }
    vec_free(&p->runs);
    mem_free(p);
    return NULL;
}

void parking_add(struct parking *p, const char *run, struct store_lock *lock_take, int64_t wake_ns, int64_t seen)
{
    vec_push(&p->runs, (struct parked){str_dup(run), lock_take, wake_ns, seen});
    if (!p->next_ns || wake_ns < p->next_ns)
        set_timer(p, wake_ns);
}

size_t parking_count(const struct parking *p)
{
    return p->runs.len;
}

bool parking_has(const struct parking *p, const char *run)
{
    for (size_t i = 0; i < p->runs.len; i++)
        if (str_eq(p->runs.items[i].run, run))
            return true;
    return false;
}

bool parking_wake(struct parking *p, const char *run)
{
    for (size_t i = 0; i < p->runs.len; i++) {
        if (str_eq(p->runs.items[i].run, run)) {
            wake_at(p, i);
            return true;
        }
    }
    return false;
}

bool parking_look(struct parking *p)
{
    for (size_t n = 0; n < LOOK_MAX; n++) {
        if (p->looked >= p->runs.len) {
            p->looked = 0;
            return false;
        }
        const struct parked *one = &p->runs.items[p->looked];
        if (store_run_cancel_requested(p->store, one->run, NULL, NULL) > 0 ||
            (one->seen >= 0 && store_inbox_has_newer(p->store, one->run, one->seen)))
            wake_at(p, p->looked); // another one is in its place now
        else
            p->looked++;
    }
    return true;
}
