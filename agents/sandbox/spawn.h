// Starts baton-exec for one call and stays with it until nothing of the call is left.
#pragma once

#include "base/err.h"
#include "capture.h"
#include "report.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

// What calls of one stage have in common, so that not each of them has to make it: nothing of a call is left in a
// network when it has ended. And the baton-exec of the last call, which may still be taking down its mounts.
struct spawn_stage {
    int net, user; // descriptors of namespaces, -1: none
    pid_t late;    // 0: none
};

#define SPAWN_STAGE_INIT                                                                                               \
    {                                                                                                                  \
        .net = -1, .user = -1                                                                                          \
    }

struct spawn {
    const char *helper;      // path of baton-exec
    const char *program;     // absolute
    const char *const *argv; // of the tool
    char *const *environment;
    const char *cwd;
    const char *stdin_path;                // NULL: /dev/null
    const char *stdout_path, *stderr_path; // NULL: into out / err
    struct capture *out, *err;
    int box_fd;      // description of the box (box.h), read from its start; borrowed
    int cancel_fd;   // readable: end the call
    int64_t wall_ns; // limit
    struct spawn_stage *stage;
    bool share; // the call's network is that of the stage (the box says so, too), or becomes it
};

struct spawn_result {
    int64_t wall_ns;
    bool timed_out, cancelled;
    struct exec_report report;
};

void spawn_stage_end(struct spawn_stage *stage);
int spawn_run(const struct spawn *s, struct spawn_result *ret, struct err *err);
// baton-exec beside the running program, in ../libexec/baton, or in ../bin. Owned by the caller.
int spawn_find_helper(char **ret, struct err *err);
