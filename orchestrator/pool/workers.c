// Worker processes. Rules that the code does not show:
// - A worker process belongs to one invitation of the bus. Its end (SIGCHLD) voids the invitation at once, so that a
// killed
//   worker is noticed in milliseconds and a hung one by the bus's heartbeat.
#include "pool/pool_internal.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "pool/worker_env.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define START_FAILURES_MAX 3
#define WORKER_TAIL_MAX    2048
#define START_TIMEOUT      (10 * NS_PER_SEC)

// --- processes ---

static void worker_line(void *user, enum loop_source source, const char *line)
{
    struct worker *w = user;
    (void)source;
    if (w->tail.len + strlen(line) > WORKER_TAIL_MAX)
        buf_clear(&w->tail);
    buf_printf(&w->tail, "%s\n", line);
    log_fact(LOG_DEBUG, "worker_output", "worker", w->role->row->program, "text", line, NULL);
}

void worker_remove(struct worker *w)
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

struct worker *worker_of_invite(const struct pool *p, uint64_t invite)
{
    for (size_t i = 0; i < p->workers.len; i++)
        if (p->workers.items[i]->invite == invite)
            return p->workers.items[i];
    return NULL;
}

unsigned workers_count(const struct pool *p, const struct role *role, bool starting)
{
    unsigned n = 0;
    for (size_t i = 0; i < p->workers.len; i++)
        n += p->workers.items[i]->role == role && !(starting && p->workers.items[i]->ready);
    return n;
}

static void worker_exit(void *user, int exit_code, int signal)
{
    struct worker *w = user;
    struct pool *p = w->pool;
    struct role *role = w->role;
    char why[256];
    if (signal)
        snprintf(why, sizeof(why), "worker '%s' was ended by signal %d", role->row->program, signal);
    else
        snprintf(why, sizeof(why), "worker '%s' ended with status %d", role->row->program, exit_code);
    bool never_ready = !w->ready;
    AUTO_FREE char *tail = str_dup(buf_str(&w->tail));
    uint64_t invite = w->invite;
    int64_t started_ns = w->started_ns;
    worker_remove(w);
    bus_uninvite(p->bus, invite, why);
    if (!never_ready) {
        role->start_failures = 0;
    } else if (started_ns >= role->failed_ns) { // those started before died together with the one that was counted
        role->start_failures++;
        role->failed_ns = clock_mono_ns();
    }
    if (role->start_failures >= START_FAILURES_MAX) {
        role->start_failures = 0;
        struct err err;
        err_set(&err, ERR_UNAVAILABLE, "%s before it was ready, %d times in a row%s%s", why, START_FAILURES_MAX,
                *tail ? ": " : "", str_trim(tail));
        pool_fail_role(p, role, &err);
    }
    pool_schedule(p);
}

static void start_timeout(void *user)
{
    struct worker *w = user;
    loop_child_kill(w->child, SIGKILL);
}

bool worker_start(struct pool *p, struct role *role)
{
    struct worker *w = mem_alloc(sizeof(*w));
    w->pool = p;
    w->role = role;
    w->started_ns = clock_mono_ns();
    char token[BUS_TOKEN_TEXT];
    w->invite = bus_invite(p->bus, token);
    AUTO_FREE char *program = path_join(p->program_dir, role->row->program);
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
        err_wrap(&err, "cannot start the worker of role '%s'", role->row->role);
        pool_fail_role(p, role, &err);
        return false;
    }
    vec_push(&p->workers, w);
    w->start_timer = loop_timer_new(p->loop, start_timeout, w);
    loop_timer_start(w->start_timer, START_TIMEOUT, 0);
    return true;
}
