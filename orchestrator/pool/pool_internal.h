// Shared by pool.c (jobs) and workers.c (processes). Nobody else's.
#pragma once

#include "base/buf.h"
#include "base/map.h"
#include "base/vec.h"
#include "bus/bus.h"
#include "pool/pool.h"

struct role_row { // of tbl/workers.def
    const char *role, *program;
    unsigned most;
    bool project;
};

struct job {
    uint64_t lease, peer; // peer 0: waiting
    uint64_t owner;
    struct role *role;
    char *assignment; // JSON
    bool cancelled;
    struct job *before, *behind; // among the waiting ones of the role
};

struct role {
    const struct role_row *row;
    char *version;           // NULL until a worker has said it
    unsigned start_failures; // in a row
    int64_t failed_ns;       // when the last one was counted
    int64_t pace_ns;         // what a job takes by the workers' word, a moving average; 0: not known
    struct job *first, *last;
    unsigned waiting;
};

struct worker {
    struct pool *pool;
    struct role *role;
    struct loop_child *child;
    struct loop_timer *start_timer; // until it is ready
    uint64_t invite;
    bool ready; // said hello
    int64_t started_ns;
    struct buf tail; // last of what it wrote, for the message when it dies
};

struct describe { // somebody waits for the version of a role's program: its first worker will say it
    struct role *role;
    pool_described done;
    void *user;
};

enum { ROLES_MAX = 16 };

struct pool {
    struct loop *loop;
    struct bus *bus;
    char *program_dir, *socket_dir;
    struct pool_events events;
    void *user;
    VEC(struct worker *) workers;
    struct map jobs; // lease -> struct job
    VEC(struct describe) describes;
    struct role roles[ROLES_MAX];
    size_t n_roles;
    unsigned processors;
    uint64_t last_lease;
    struct loop_timer *turn_timer; // zero delay: a turn is due
    bool turning;
    bool draining;
    void (*idle)(void *user); // of a drain, until it was called
    void *idle_user;
};

// --- pool.c ---
void pool_schedule(struct pool *p);
// The waiting jobs of the role fail.
void pool_fail_role(struct pool *p, struct role *role, const struct err *err);

// --- workers.c ---
bool worker_start(struct pool *p, struct role *role); // false: it could not be started, and the role's jobs have failed
void worker_remove(struct worker *w);                 // a running process is killed
struct worker *worker_of_invite(const struct pool *p, uint64_t invite);
unsigned workers_count(const struct pool *p, const struct role *role,
                       bool starting); // starting: only those not ready yet
