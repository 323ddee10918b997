// Worker processes: started when a job needs one, watched, replaced, ended. Sits on the bus and hides it: the engine
// submits jobs by role and hears of results by lease.
//
// A job whose worker is lost is reported (lost), not dispatched again: whether it is, is the engine's decision, with a
// new lease. A worker program that cannot be started three times in a row fails the waiting jobs of its role.
#pragma once

#include "base/err.h"
#include "loop/loop.h"
#include "json/json.h"

#include <stdbool.h>
#include <stdint.h>

struct pool;

struct pool_options {
    const char *program_dir; // where the worker programs are
    const char *runtime_dir; // for the bus socket: <runtime_dir>/<pid>/bus (or below /tmp when that is too long)
};

struct pool_events {
    void (*dispatched)(void *user, uint64_t owner, uint64_t lease, pid_t worker);
    void (*progress)(void *user, uint64_t owner, uint64_t lease, double fraction, const char *text);
    // The draft is borrowed; answer with pool_done.
    void (*result)(void *user, uint64_t owner, uint64_t lease, const char *worker, json_t *draft);
    // The worker works on another one for long and gave this one back; the next takes it, under the same lease.
    void (*returned)(void *user, uint64_t owner, uint64_t lease);
    void (*lost)(void *user, uint64_t owner, uint64_t lease, bool begun, const char *why); // its worker is gone
    void (*failed)(void *user, uint64_t owner, uint64_t lease, const struct err *err); // no worker can be had for it
    void (*refused)(void *user, uint64_t lease, const char *why); // a late or second answer was turned away
};

int pool_new(struct loop *loop, const struct pool_options *options, const struct pool_events *events, void *user,
             struct pool **ret, struct err *err);
// Ends all workers (SIGTERM, then SIGKILL by closing the children). NULL allowed; returns NULL.
struct pool *pool_free(struct pool *pool);

// A lease number that was never used before and is larger than all earlier ones, also those of earlier processes.
uint64_t pool_lease(struct pool *pool);
// Queues a job. The assignment is the text of a JSON object; the owner is told with every event.
void pool_submit(struct pool *pool, const char *role, uint64_t lease, uint64_t owner, char *assignment_take);
// Gives what is queued to workers now instead of in the next turn of the loop.
void pool_turn(struct pool *pool);
// Asks for the end of a job; a queued one is dropped without a callback, a running one still sends its result.
void pool_cancel(struct pool *pool, uint64_t lease, const char *reason);
// Forgets a job: its worker may take the next one. accepted false: the result was not wanted.
void pool_done(struct pool *pool, uint64_t lease, bool accepted);
// Ends the worker that has this job at once (it does not answer to a cancel) and forgets the job.
void pool_kill(struct pool *pool, uint64_t lease);

// No job is given out any more and no worker started; those at work go on. idle is called from the loop when none is
// left.
void pool_drain(struct pool *pool, void (*idle)(void *user), void *user);
// [{role, program, pid, ready}]
json_t *pool_workers_new(const struct pool *pool);
size_t pool_jobs_at_work(const struct pool *pool);

// Version the worker program of a role declares (part of the stage key). Its first worker is started for it, which
// takes a job afterwards; then from memory. done may be called before this returns.
typedef void (*pool_described)(void *user, const char *version, const struct err *err);
void pool_describe(struct pool *pool, const char *role, pool_described done, void *user);
// Descriptions under way for this user are dropped without a callback.
void pool_forget_user(struct pool *pool, void *user);
bool pool_has_role(const char *role);
bool pool_role_needs_project(const char *role); // a stage of it needs the checkouts
