// One assignment being worked on. Between the SDK's files only.
//
// Threads: the work thread owns everything but what `lock` guards: exec, cancelled, reason, progress. The watch thread touches only those,
// and after the job is done (worker's lock) the rest.
#pragma once

#include "rules.h"
#include "sdk/agent.h"

#include <pthread.h>
#include <stdint.h>

enum { JOB_PROGRESS_MAX = 400 };

struct job {
    const struct agent *agent;
    json_t *assignment;
    int64_t money, tokens; // spent, by the work thread
    char *temporary; // made when the assignment has no spool; removed at the end
    pthread_mutex_t lock;
    struct exec_context *exec;
    bool cancelled;
    char reason[256];
    char progress[JOB_PROGRESS_MAX];
    double fraction;
    bool progress_new;
    void (*on_progress)(void *user); // called without the lock, on the work thread
    void *user;
};

struct job *job_new(const struct agent *agent, json_t *assignment_take);
void job_free(struct job *job);
// Runs the agent: always gives a draft (new reference), receipts and worker included. rules: kept between jobs of one thread.
json_t *job_run_new(struct job *job, struct rules *rules);
void job_cancel(struct job *job, const char *reason); // from another thread
bool job_take_progress(struct job *job, char ret_text[JOB_PROGRESS_MAX], double *ret_fraction); // from another thread

// A blocked draft without a run.
json_t *draft_blocked_new(const struct agent *agent, const char *why);
