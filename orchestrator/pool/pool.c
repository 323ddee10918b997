// Jobs and who works on them. Rules that the code does not show:
// - The waiting jobs of a role are one queue in the order of submission; each turn gives them to peers with room and
// starts
//   processes for what is left, up to the role's number in tbl/workers.def.
// - A worker of a role whose jobs take well under a millisecond holds several of them (it works on one after the
// other), so that
//   it does not wait for the journal between two. With jobs that take longer everybody has one, and more processes are
//   started.
// - A worker that turns out to work on a job for long gives back what waits behind it, under the same lease, and gets
//   nothing more until it has answered. It does not count among the processes for quick jobs.
#include "pool/pool_internal.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SOCKET_PATH_MAX 90              // sun_path has 108; libzmq wants some for itself
#define AHEAD_NS        (2 * NS_PER_MS) // work that a worker may have before it
#define PACE_PARTS      8               // of the moving average
#define STARTING_MAX    4               // processes that start at the same time

static const struct role_row ROWS[] = {
#define X(role, program, most, project) {role, program, most, project},
#include "tbl/workers.def"
#undef X
};
static_assert(ARRAY_LEN(ROWS) <= ROLES_MAX, "pool.roles holds one place per role");

static const struct role_row *find_row(const char *role)
{
    for (size_t i = 0; i < ARRAY_LEN(ROWS); i++)
        if (str_eq(ROWS[i].role, role))
            return &ROWS[i];
    return NULL;
}

static struct role *find_role(struct pool *p, const char *name)
{
    for (size_t i = 0; i < p->n_roles; i++)
        if (str_eq(p->roles[i].row->role, name))
            return &p->roles[i];
    return NULL;
}

bool pool_has_role(const char *role)
{
    return find_row(role) != NULL;
}

bool pool_role_needs_project(const char *role)
{
    const struct role_row *row = find_row(role);
    return row && row->project;
}

// --- jobs ---

static void enqueue_first(struct job *j)
{
    struct role *role = j->role;
    j->behind = role->first;
    *(role->first ? &role->first->before : &role->last) = j;
    role->first = j;
    role->waiting++;
}

static void enqueue(struct job *j)
{
    struct role *role = j->role;
    j->before = role->last;
    *(role->last ? &role->last->behind : &role->first) = j;
    role->last = j;
    role->waiting++;
}

static void dequeue(struct job *j)
{
    struct role *role = j->role;
    *(j->before ? &j->before->behind : &role->first) = j->behind;
    *(j->behind ? &j->behind->before : &role->last) = j->before;
    j->before = j->behind = NULL;
    role->waiting--;
}

static struct job *find_job(struct pool *p, uint64_t lease)
{
    return map_get(&p->jobs, lease);
}

static void remove_job(struct pool *p, struct job *j)
{
    map_remove(&p->jobs, j->lease);
    if (!j->peer)
        dequeue(j);
    mem_free(j->assignment);
    mem_free(j);
}

void pool_schedule(struct pool *p)
{
    loop_timer_start(p->turn_timer, 0, 0);
}

// --- versions ---

static void described(struct pool *p, struct role *role, const struct err *err)
{
    for (size_t i = 0; i < p->describes.len;) {
        struct describe d = p->describes.items[i];
        if (d.role != role) {
            i++;
            continue;
        }
        memmove(&p->describes.items[i], &p->describes.items[i + 1], (p->describes.len - i - 1) * sizeof(d));
        p->describes.len--;
        d.done(d.user, err ? NULL : role->version, err);
        i = 0; // the callback may have changed the list
    }
}

static bool version_wanted(const struct pool *p, const struct role *role)
{
    for (size_t i = 0; i < p->describes.len; i++)
        if (p->describes.items[i].role == role)
            return true;
    return false;
}

void pool_fail_role(struct pool *p, struct role *role, const struct err *err)
{
    described(p, role, err);
    while (role->first) { // the callback may change the list
        uint64_t lease = role->first->lease, owner = role->first->owner;
        remove_job(p, role->first);
        p->events.failed(p->user, owner, lease, err);
    }
}

// --- giving ---

// Jobs that a worker of the role may hold: as many as it does in AHEAD_NS.
static unsigned allowance(const struct role *role)
{
    if (!role->pace_ns)
        return 1;
    int64_t n = AHEAD_NS / role->pace_ns;
    return n < 1 ? 1 : n > BUS_CREDIT_MAX ? BUS_CREDIT_MAX : (unsigned)n;
}

// Of quick jobs no more processes work at the same time than there are processors: they would only get in each other's
// way.
static unsigned most_workers(const struct pool *p, const struct role *role)
{
    unsigned most = role->row->most, few = p->processors + bus_occupied(p->bus, role->row->role);
    return allowance(role) > 1 && few < most ? few : most;
}

static void give_jobs(struct pool *p, struct role *role)
{
    for (struct job *j = role->first, *next; j; j = next) {
        next = j->behind;
        uint64_t lease = j->lease, owner = j->owner;
        uint64_t peer = bus_find(p->bus, role->row->role, NULL, allowance(role), most_workers(p, role));
        if (!peer)
            return;
        struct err err;
        int r = bus_dispatch(p->bus, peer, lease, j->assignment, &err);
        if (r == 0) {
            dequeue(j);
            j->peer = peer;
            const struct bus_peer *info = bus_peer(p->bus, peer);
            if (p->events.dispatched)
                p->events.dispatched(p->user, owner, lease, info ? info->pid : -1);
        } else if (r == -ERR_LIMIT) { // larger than a message can be: no worker will ever get it
            remove_job(p, j);
            p->events.failed(p->user, owner, lease, &err);
            next = role->first;
        }
    }
}

static void start_workers(struct pool *p, struct role *role)
{
    unsigned wanted = (role->waiting + allowance(role) - 1) / allowance(role);
    if (!wanted && version_wanted(p, role))
        wanted = 1;
    unsigned starting = workers_count(p, role, true), all = workers_count(p, role, false);
    while (starting < wanted && starting < STARTING_MAX && all < most_workers(p, role) && worker_start(p, role)) {
        starting++;
        all++;
    }
}

static void end_drain(struct pool *p)
{
    void (*idle)(void *user) = p->idle;
    if (!idle || pool_jobs_at_work(p) > 0)
        return;
    p->idle = NULL;
    idle(p->idle_user);
}

void pool_turn(struct pool *p)
{
    if (p->turning)
        return; // a callback asked
    p->turning = true;
    loop_timer_stop(p->turn_timer);
    for (size_t i = 0; i < p->n_roles && !p->draining; i++) {
        give_jobs(p, &p->roles[i]);
        start_workers(p, &p->roles[i]);
    }
    bus_flush(p->bus);
    p->turning = false;
    if (p->draining)
        end_drain(p);
}

static void turn_is_due(void *user)
{
    struct pool *p = user;
    pool_turn(p);
}

// --- bus events ---

static void peer_ready(void *user, const struct bus_peer *peer)
{
    struct pool *p = user;
    struct worker *w = worker_of_invite(p, peer->invite);
    if (w) {
        w->ready = true;
        loop_timer_stop(w->start_timer);
        w->role->start_failures = 0;
        str_set(&w->role->version, peer->version);
        described(p, w->role, NULL);
    }
    pool_schedule(p);
}

// Leases come in the order of their dispatch, and a worker works in that order: only the first one was begun.
static void peer_lost(void *user, const struct bus_peer *peer, const uint64_t *leases, size_t count, const char *why)
{
    struct pool *p = user;
    struct worker *w = worker_of_invite(p, peer->invite);
    if (w) // a hung process must not stay
        loop_child_kill(w->child, SIGKILL);
    for (size_t i = 0; i < count; i++) {
        struct job *j = find_job(p, leases[i]);
        if (!j)
            continue;
        uint64_t owner = j->owner;
        remove_job(p, j);
        p->events.lost(p->user, owner, leases[i], i == 0, why);
    }
    pool_schedule(p);
}

static void on_returned(void *user, uint64_t peer, uint64_t lease)
{
    struct pool *p = user;
    struct job *j = find_job(p, lease);
    (void)peer;
    if (!j)
        return;
    j->peer = 0;
    enqueue_first(j);
    if (j->cancelled) {
        uint64_t owner = j->owner;
        remove_job(p, j);
        p->events.lost(p->user, owner, lease, false, "its worker had not begun it");
    } else if (p->events.returned) {
        p->events.returned(p->user, j->owner, lease);
    }
    pool_schedule(p);
}

static void on_progress(void *user, uint64_t peer, uint64_t lease, double fraction, const char *text)
{
    struct pool *p = user;
    const struct job *j = find_job(p, lease);
    (void)peer;
    if (j)
        p->events.progress(p->user, j->owner, lease, fraction, text);
}

static void note_pace(struct role *role, int64_t took_us)
{
    int64_t took = took_us < 0 ? AHEAD_NS : took_us < NS_PER_SEC / 1000 ? took_us * 1000 + 1 : NS_PER_SEC;
    role->pace_ns += role->pace_ns ? (took - role->pace_ns) / PACE_PARTS : took;
}

static void on_result(void *user, uint64_t peer, uint64_t lease, json_t *draft, int64_t took_us)
{
    struct pool *p = user;
    struct err err;
    struct job *j = find_job(p, lease);
    if (j) {
        note_pace(j->role, took_us);
        p->events.result(p->user, j->owner, lease, j->role->row->program, draft);
    } else {
        bus_result_refuse(p->bus, peer, lease, "the job is not wanted any more", &err);
    }
}

static void on_refused(void *user, uint64_t peer, uint64_t lease, enum err_code code, const char *why)
{
    struct pool *p = user;
    (void)peer;
    (void)code;
    if (p->events.refused)
        p->events.refused(p->user, lease, why);
}

// --- public ---

// Socket folders of processes that are gone: <runtime_dir>/<pid>
static void sweep_stale(const char *runtime_dir)
{
    DIR *dir = opendir(runtime_dir);
    struct dirent *entry;
    while (dir && (entry = readdir(dir)) != NULL) {
        int64_t pid = 0;
        if (!str_to_i64(entry->d_name, &pid) || pid <= 0 || kill((pid_t)pid, 0) == 0 || errno != ESRCH)
            continue;
        AUTO_FREE char *path = path_join(runtime_dir, entry->d_name);
        file_remove_tree(path, NULL);
    }
    if (dir)
        closedir(dir);
}

int pool_new(struct loop *loop, const struct pool_options *options, const struct pool_events *events, void *user,
             struct pool **ret, struct err *err)
{
    struct pool *p = mem_alloc(sizeof(*p));
    p->loop = loop;
    p->program_dir = str_dup(options->program_dir);
    p->events = *events;
    p->user = user;
    p->turn_timer = loop_timer_new(loop, turn_is_due, p);
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    p->processors = processors > 0 ? (unsigned)processors : 1;
    for (size_t i = 0; i < ARRAY_LEN(ROWS); i++)
        p->roles[p->n_roles++].row = &ROWS[i];
    sweep_stale(options->runtime_dir);
    bool too_long = strlen(options->runtime_dir) > SOCKET_PATH_MAX - 20;
    p->socket_dir = too_long ? str_printf("/tmp/baton-%d-%d", (int)getuid(), (int)getpid())
                             : str_printf("%s/%d", options->runtime_dir, (int)getpid());
    int r = file_make_dirs(p->socket_dir, err);
    if (r == 0 && chmod(p->socket_dir, 0700) < 0)
        r = err_sys(err, errno, "cannot protect '%s'", p->socket_dir);
    static const struct bus_events BUS_EVENTS = {.peer_ready = peer_ready,
                                                 .peer_lost = peer_lost,
                                                 .progress = on_progress,
                                                 .result = on_result,
                                                 .returned = on_returned,
                                                 .refused = on_refused};
    AUTO_FREE char *endpoint = str_printf("ipc://%s/bus", p->socket_dir);
    if (r == 0)
        r = bus_new(loop, &(struct bus_options){.endpoint = endpoint}, &BUS_EVENTS, p, &p->bus, err);
    if (r < 0) {
        pool_free(p);
        return r;
    }
    *ret = p;
    return 0;
}

struct pool *pool_free(struct pool *p)
{
    if (!p)
        return NULL;
    loop_timer_close(p->turn_timer);
    while (p->workers.len)
        worker_remove(p->workers.items[0]);
    struct job *j;
    for (size_t at = 0; (j = map_next(&p->jobs, &at));) {
        mem_free(j->assignment);
        mem_free(j);
    }
    map_free(&p->jobs);
    bus_free(p->bus);
    if (p->socket_dir)
        file_remove_tree(p->socket_dir, NULL);
    for (size_t i = 0; i < p->n_roles; i++)
        mem_free(p->roles[i].version);
    vec_free(&p->describes);
    vec_free(&p->workers);
    mem_free(p->program_dir);
    mem_free(p->socket_dir);
    mem_free(p);
    return NULL;
}

uint64_t pool_lease(struct pool *p)
{
    uint64_t now = (uint64_t)clock_wall_ns();
    p->last_lease = now > p->last_lease ? now : p->last_lease + 1;
    return p->last_lease;
}

void pool_submit(struct pool *p, const char *role, uint64_t lease, uint64_t owner, char *assignment_take)
{
    struct job *j = mem_alloc(sizeof(*j));
    *j = (struct job){.lease = lease, .owner = owner, .role = find_role(p, role), .assignment = assignment_take};
    must(j->role != NULL);
    map_put(&p->jobs, lease, j);
    enqueue(j);
    pool_schedule(p);
}

void pool_cancel(struct pool *p, uint64_t lease, const char *reason)
{
    struct job *j = find_job(p, lease);
    if (!j)
        return;
    j->cancelled = true;
    if (j->peer)
        bus_cancel(p->bus, j->peer, lease, reason, NULL);
    else
        remove_job(p, j);
}

void pool_done(struct pool *p, uint64_t lease, bool accepted)
{
    struct job *j = find_job(p, lease);
    if (!j)
        return;
    uint64_t peer = j->peer;
    remove_job(p, j);
    if (accepted)
        bus_result_done(p->bus, peer, lease, NULL);
    else
        bus_result_refuse(p->bus, peer, lease, "the job is not wanted any more", NULL);
    pool_schedule(p);
}

void pool_kill(struct pool *p, uint64_t lease)
{
    struct job *j = find_job(p, lease);
    if (!j)
        return;
    const struct bus_peer *peer = j->peer ? bus_peer(p->bus, j->peer) : NULL;
    struct worker *w = peer ? worker_of_invite(p, peer->invite) : NULL;
    remove_job(p, j);
    if (w)
        loop_child_kill(w->child, SIGKILL);
}

// --- the end ---

size_t pool_jobs_at_work(const struct pool *p)
{
    size_t n = p->jobs.len;
    for (size_t i = 0; i < p->n_roles; i++)
        n -= p->roles[i].waiting;
    return n;
}

json_t *pool_workers_new(const struct pool *p)
{
    json_t *list = json_array();
    for (size_t i = 0; i < p->workers.len; i++) {
        const struct worker *w = p->workers.items[i];
        json_t *row = json_object();
        json_put_str(row, "role", w->role->row->role);
        json_put_str(row, "program", w->role->row->program);
        json_put_int(row, "pid", loop_child_pid(w->child));
        json_put_flag(row, "ready", w->ready);
        json_array_append_new(list, row);
    }
    return list;
}

void pool_drain(struct pool *p, void (*idle)(void *user), void *user)
{
    p->draining = true;
    p->idle = idle;
    p->idle_user = user;
    pool_schedule(p);
}

// --- describe ---

void pool_describe(struct pool *p, const char *name, pool_described done, void *user)
{
    struct role *role = find_role(p, name);
    struct err err;
    if (!role) {
        err_set(&err, ERR_NOT_FOUND, "no worker does the work of role '%s'", name);
        done(user, NULL, &err);
    } else if (role->version) {
        done(user, role->version, NULL);
    } else {
        vec_push(&p->describes, (struct describe){role, done, user});
        pool_schedule(p);
    }
}

void pool_forget_user(struct pool *p, void *user)
{
    for (size_t i = 0; i < p->describes.len;) {
        if (p->describes.items[i].user == user)
            p->describes.items[i] = p->describes.items[--p->describes.len];
        else
            i++;
    }
}
