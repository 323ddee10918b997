// Rules that the code does not show:
// - A worker process belongs to one invitation of the bus. Its end (SIGCHLD) voids the invitation at once, so that a killed
//   worker is noticed in milliseconds and a hung one by the bus's heartbeat.
// - Jobs wait in one queue in the order of submission; each turn gives waiting jobs to free peers and starts processes for
//   what is left, up to the role's number in tbl/workers.def.
#include "engine/pool.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "bus/bus.h"
#include "engine/worker_env.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define START_FAILURES_MAX 3
#define SOCKET_PATH_MAX    90 // sun_path has 108; libzmq wants some for itself
#define WORKER_TAIL_MAX    2048
#define START_TIMEOUT      (10 * NS_PER_SEC)

struct role_row {
    const char *role, *program;
    unsigned most;
    bool project;
};

struct worker {
    struct pool *pool;
    const struct role_row *row;
    struct loop_child *child;
    struct loop_timer *start_timer; // until it is ready
    uint64_t invite;
    bool ready;      // said hello
    int64_t started_ns;
    struct buf tail; // last of what it wrote, for the message when it dies
};

struct job {
    uint64_t lease, peer; // peer 0: waiting
    const struct role_row *row;
    char *mode;
    json_t *assignment;
};

struct describe { // somebody waits for the version of a role's program: its first worker will say it
    const struct role_row *row;
    pool_described done;
    void *user;
};

struct pool {
    struct loop *loop;
    struct bus *bus;
    char *program_dir, *socket_dir;
    struct pool_events events;
    void *user;
    VEC(struct worker *) workers;
    VEC(struct job) jobs;
    VEC(struct describe) describes;
    char *versions[16];
    unsigned start_failures[16]; // in a row
    int64_t failed_ns[16];       // when the last one was counted
    uint64_t last_lease;
    struct loop_timer *turn_timer; // zero delay: a turn is due
    bool draining;
    void (*idle)(void *user); // of a drain, until it was called
    void *idle_user;
};

static const struct role_row ROWS[] = {
#define X(role, program, most, project) {role, program, most, project},
#include "tbl/workers.def"
#undef X
};
static_assert(ARRAY_LEN(ROWS) <= 16, "pool.versions and start_failures hold one place per role");

static const struct role_row *find_row(const char *role)
{
    for (size_t i = 0; i < ARRAY_LEN(ROWS); i++)
        if (str_eq(ROWS[i].role, role))
            return &ROWS[i];
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

static struct job *find_job(struct pool *p, uint64_t lease)
{
    for (size_t i = 0; i < p->jobs.len; i++)
        if (p->jobs.items[i].lease == lease)
            return &p->jobs.items[i];
    return NULL;
}

static void remove_job(struct pool *p, uint64_t lease)
{
    struct job *j = find_job(p, lease);
    if (!j)
        return;
    json_decref(j->assignment);
    mem_free(j->mode);
    size_t at = (size_t)(j - p->jobs.items);
    memmove(j, j + 1, (p->jobs.len - at - 1) * sizeof(*j));
    p->jobs.len--;
}

// --- processes ---

static void schedule(struct pool *p);

static void worker_line(void *user, enum loop_source source, const char *line)
{
    struct worker *w = user;
    (void)source;
    if (w->tail.len + strlen(line) > WORKER_TAIL_MAX)
        buf_clear(&w->tail);
    buf_printf(&w->tail, "%s\n", line);
    log_fact(LOG_DEBUG, "worker_output", "worker", w->row->program, "text", line, NULL);
}

static void worker_remove(struct worker *w)
{
    struct pool *p = w->pool;
    for (size_t i = 0; i < p->workers.len; i++)
        if (p->workers.items[i] == w)
            p->workers.items[i] = p->workers.items[--p->workers.len];
    loop_child_close(w->child);
    loop_timer_close(w->start_timer);
    buf_free(&w->tail);
    mem_free(w);
}

static void described(struct pool *p, const struct role_row *row, const struct err *err)
{
    for (size_t i = 0; i < p->describes.len;) {
        struct describe d = p->describes.items[i];
        if (d.row != row) {
            i++;
            continue;
        }
        memmove(&p->describes.items[i], &p->describes.items[i + 1], (p->describes.len - i - 1) * sizeof(d));
        p->describes.len--;
        d.done(d.user, err ? NULL : p->versions[row - ROWS], err);
        i = 0; // the callback may have changed the list
    }
}

static void fail_role(struct pool *p, const struct role_row *row, const struct err *err)
{
    described(p, row, err);
    for (size_t i = 0; i < p->jobs.len;) {
        struct job *j = &p->jobs.items[i];
        if (j->row != row || j->peer) {
            i++;
            continue;
        }
        uint64_t lease = j->lease;
        remove_job(p, lease);
        p->events.failed(p->user, lease, err);
        i = 0; // the callback may have changed the list
    }
}

static void worker_exit(void *user, int exit_code, int signal)
{
    struct worker *w = user;
    struct pool *p = w->pool;
    const struct role_row *row = w->row;
    char why[256];
    if (signal)
        snprintf(why, sizeof(why), "worker '%s' was ended by signal %d", row->program, signal);
    else
        snprintf(why, sizeof(why), "worker '%s' ended with status %d", row->program, exit_code);
    bool never_ready = !w->ready;
    AUTO_FREE char *tail = str_dup(buf_str(&w->tail));
    uint64_t invite = w->invite;
    int64_t started_ns = w->started_ns;
    worker_remove(w);
    bus_uninvite(p->bus, invite, why);
    unsigned *failures = &p->start_failures[row - ROWS];
    if (!never_ready) {
        *failures = 0;
    } else if (started_ns >= p->failed_ns[row - ROWS]) { // those started before died together with the one that was counted
        ++*failures;
        p->failed_ns[row - ROWS] = clock_mono_ns();
    }
    if (*failures >= START_FAILURES_MAX) {
        *failures = 0;
        struct err err;
        err_set(&err, ERR_UNAVAILABLE, "%s before it was ready, %d times in a row%s%s", why, START_FAILURES_MAX,
                *tail ? ": " : "", str_trim(tail));
        fail_role(p, row, &err);
    }
    schedule(p);
}

static void start_timeout(void *user)
{
    struct worker *w = user;
    loop_child_kill(w->child, SIGKILL);
}

static void start_worker(struct pool *p, const struct role_row *row)
{
    struct worker *w = mem_alloc(sizeof(*w));
    w->pool = p;
    w->row = row;
    w->started_ns = clock_mono_ns();
    char token[BUS_TOKEN_TEXT];
    w->invite = bus_invite(p->bus, token);
    AUTO_FREE char *program = path_join(p->program_dir, row->program);
    AUTO_FREE char *entry = str_printf("%s=%s", BUS_TOKEN_ENV, token);
    const char **env = worker_env_new(entry);
    const char *argv[] = {program, "--connect", bus_endpoint(p->bus), NULL};
    struct loop_child_options options = {
        .argv = argv, .env = env, .on_line = worker_line, .on_exit = worker_exit, .user = w};
    struct err err;
    int r = loop_child_new(p->loop, &options, &w->child, &err);
    mem_free(env);
    if (r < 0) {
        bus_uninvite(p->bus, w->invite, "could not be started");
        mem_free(w);
        err_wrap(&err, "cannot start the worker of role '%s'", row->role);
        fail_role(p, row, &err);
        return;
    }
    vec_push(&p->workers, w);
    w->start_timer = loop_timer_new(p->loop, start_timeout, w);
    loop_timer_start(w->start_timer, START_TIMEOUT, 0);
}

static unsigned count_workers(const struct pool *p, const struct role_row *row, bool starting)
{
    unsigned n = 0;
    for (size_t i = 0; i < p->workers.len; i++)
        n += p->workers.items[i]->row == row && !(starting && p->workers.items[i]->ready);
    return n;
}

static unsigned count_waiting(const struct pool *p, const struct role_row *row)
{
    unsigned n = 0;
    for (size_t i = 0; i < p->jobs.len; i++)
        n += p->jobs.items[i].row == row && !p->jobs.items[i].peer;
    return n;
}

static void give_jobs(struct pool *p)
{
    for (size_t i = 0; i < p->jobs.len; i++) {
        struct job *j = &p->jobs.items[i];
        uint64_t peer = j->peer ? 0 : bus_find(p->bus, j->row->role, NULL);
        struct err err;
        if (!peer)
            continue;
        uint64_t lease = j->lease;
        int r = bus_dispatch(p->bus, peer, lease, j->assignment, &err);
        if (r == 0) {
            j->peer = peer;
            json_decref(j->assignment); // never sent twice: a lost job is the engine's to lease again
            j->assignment = NULL;
            const struct bus_peer *info = bus_peer(p->bus, peer);
            if (p->events.dispatched)
                p->events.dispatched(p->user, lease, info ? info->pid : -1);
        } else if (r == -ERR_LIMIT) { // larger than a message can be: no worker will ever get it
            remove_job(p, lease);
            p->events.failed(p->user, lease, &err);
            i = (size_t)-1;
        }
    }
}

static bool version_wanted(const struct pool *p, const struct role_row *row)
{
    for (size_t i = 0; i < p->describes.len; i++)
        if (p->describes.items[i].row == row)
            return true;
    return false;
}

static void end_drain(struct pool *p)
{
    void (*idle)(void *user) = p->idle;
    if (!idle || pool_jobs_at_work(p) > 0)
        return;
    p->idle = NULL;
    idle(p->idle_user);
}

static void turn(void *user)
{
    struct pool *p = user;
    if (p->draining) {
        end_drain(p);
        return;
    }
    give_jobs(p);
    for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
        unsigned waiting = count_waiting(p, &ROWS[i]);
        if (!waiting && version_wanted(p, &ROWS[i]))
            waiting = 1;
        while (waiting > count_workers(p, &ROWS[i], true) && count_workers(p, &ROWS[i], false) < ROWS[i].most) {
            unsigned before = count_workers(p, &ROWS[i], false);
            start_worker(p, &ROWS[i]);
            if (count_workers(p, &ROWS[i], false) == before)
                break;
        }
    }
}

static void schedule(struct pool *p)
{
    loop_timer_start(p->turn_timer, 0, 0);
}

// --- bus events ---

static void peer_ready(void *user, const struct bus_peer *peer)
{
    struct pool *p = user;
    for (size_t i = 0; i < p->workers.len; i++) {
        struct worker *w = p->workers.items[i];
        if (w->invite != peer->invite)
            continue;
        w->ready = true;
        loop_timer_stop(w->start_timer);
        p->start_failures[w->row - ROWS] = 0;
        str_set(&p->versions[w->row - ROWS], peer->version);
        described(p, w->row, NULL);
        break; // the callbacks may have changed the list
    }
    schedule(p);
}

static void peer_lost(void *user, const struct bus_peer *peer, const uint64_t *leases, size_t count, const char *why)
{
    struct pool *p = user;
    for (size_t i = 0; i < p->workers.len; i++) // a hung process must not stay
        if (p->workers.items[i]->invite == peer->invite)
            loop_child_kill(p->workers.items[i]->child, SIGKILL);
    for (size_t i = 0; i < count; i++) {
        uint64_t lease = leases[i];
        if (!find_job(p, lease))
            continue;
        remove_job(p, lease);
        p->events.lost(p->user, lease, why);
    }
    schedule(p);
}

static void on_progress(void *user, uint64_t peer, uint64_t lease, double fraction, const char *text)
{
    struct pool *p = user;
    (void)peer;
    if (find_job(p, lease))
        p->events.progress(p->user, lease, fraction, text);
}

static void on_result(void *user, uint64_t peer, uint64_t lease, json_t *draft)
{
    struct pool *p = user;
    struct err err;
    struct job *j = find_job(p, lease);
    if (j)
        p->events.result(p->user, lease, j->row->program, draft);
    else
        bus_result_refuse(p->bus, peer, lease, "the job is not wanted any more", &err);
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
    p->turn_timer = loop_timer_new(loop, turn, p);
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
    while (p->jobs.len)
        remove_job(p, p->jobs.items[0].lease);
    bus_free(p->bus);
    if (p->socket_dir)
        file_remove_tree(p->socket_dir, NULL);
    for (size_t i = 0; i < ARRAY_LEN(p->versions); i++)
        mem_free(p->versions[i]);
    vec_free(&p->describes);
    vec_free(&p->workers);
    vec_free(&p->jobs);
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

void pool_submit(struct pool *p, const char *role, const char *mode, uint64_t lease, json_t *assignment)
{
    struct job j = {.lease = lease, .row = find_row(role), .mode = str_dup(mode), .assignment = json_incref(assignment)};
    must(j.row != NULL);
    vec_push(&p->jobs, j);
    schedule(p);
}

void pool_cancel(struct pool *p, uint64_t lease, const char *reason)
{
    struct job *j = find_job(p, lease);
    if (!j)
        return;
    if (j->peer)
        bus_cancel(p->bus, j->peer, lease, reason, NULL);
    else
        remove_job(p, lease);
}

void pool_done(struct pool *p, uint64_t lease, bool accepted)
{
    struct job *j = find_job(p, lease);
    if (!j)
        return;
    uint64_t peer = j->peer;
    remove_job(p, lease);
    if (accepted)
        bus_result_done(p->bus, peer, lease, NULL);
    else
        bus_result_refuse(p->bus, peer, lease, "the job is not wanted any more", NULL);
    schedule(p);
}

void pool_kill(struct pool *p, uint64_t lease)
{
    struct job *j = find_job(p, lease);
    if (!j)
        return;
    const struct bus_peer *peer = j->peer ? bus_peer(p->bus, j->peer) : NULL;
    uint64_t invite = peer ? peer->invite : 0;
    remove_job(p, lease);
    for (size_t i = 0; i < p->workers.len; i++)
        if (invite && p->workers.items[i]->invite == invite)
            loop_child_kill(p->workers.items[i]->child, SIGKILL);
}

// --- the end ---

size_t pool_jobs_at_work(const struct pool *p)
{
    size_t n = 0;
    for (size_t i = 0; i < p->jobs.len; i++)
        n += p->jobs.items[i].peer != 0;
    return n;
}

json_t *pool_workers_new(const struct pool *p)
{
    json_t *list = json_array();
    for (size_t i = 0; i < p->workers.len; i++) {
        const struct worker *w = p->workers.items[i];
        json_t *row = json_object();
        json_put_str(row, "role", w->row->role);
        json_put_str(row, "program", w->row->program);
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
    schedule(p);
}

// --- describe ---

void pool_describe(struct pool *p, const char *role, pool_described done, void *user)
{
    const struct role_row *row = find_row(role);
    struct err err;
    if (!row) {
        err_set(&err, ERR_NOT_FOUND, "no worker does the work of role '%s'", role);
        done(user, NULL, &err);
    } else if (p->versions[row - ROWS]) {
        done(user, p->versions[row - ROWS], NULL);
    } else {
        vec_push(&p->describes, (struct describe){row, done, user});
        schedule(p);
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
