// Starts baton-exec for one call and stays with it until nothing of the call is left.
#pragma once

#include "base/err.h"
#include "capture.h"
#include "report.h"

#include <stdbool.h>
#include <stdint.h>

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
};

struct spawn_result {
    int64_t wall_ns;
    bool timed_out, cancelled;
    struct exec_report report;
};

int spawn_run(const struct spawn *s, struct spawn_result *ret, struct err *err);
// baton-exec beside the running program, in ../libexec/baton, or in ../bin. Owned by the caller.
int spawn_find_helper(char **ret, struct err *err);
