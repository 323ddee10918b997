// Where the project's programs are timed: a session of runs (measure/session.h) inside one box, taken by baton-measure.
// Every command is decided by the agent's rules, and the session leaves one receipt with the layers of its box.
#pragma once

#include "measure/session.h"
#include "sdk/agent.h"

struct measured {
    struct job *job;
    const struct session *session;
    const char *scratch;                                          // folder of this stage
    const char *const *reach;                                     // as in struct exec_call
    void (*on_progress)(void *user, const struct ab_progress *p); // may be NULL
    void *user;
};

// Two runs that measure at the same moment disturb each other: whoever measures holds a lock of the machine's user.
// Waits for it until the job is cancelled; a descriptor to close, or -1. cache: dirs.cache of the job.
int measured_lock(struct job *job, const char *cache);

enum session_kind measured_kind(const json_t *subject);
int measured_compare(const struct measured *m, struct ab_result **ret, struct err *err);
int measured_samples(const struct measured *m, struct session_samples *ret, struct err *err);
