// Runs one command as a whole process for timing: own session, constructed streams, CPU time of everything it
// started and waited for. The timing twin of the sandbox's exec: the caller has had the argv allowed already (one
// decision and one receipt for the batch) and may put a wrapper before it (argv_prefix).
//
// What is timed is as bare as possible: vfork and exec, standard output into a file in memory (so that writing
// costs the same on both sides and no reader competes for the processor), hashing after the end. The command
// dies with the calling thread, and its process group is killed when it ends, in whatever way.
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RUNNER_ARGS_MAX    ((size_t)4096)
#define RUNNER_ENV_MAX     ((size_t)4096)
#define RUNNER_OUTPUT_MAX  ((size_t)256 * 1024 * 1024) // longer output ends the run with ERR_LIMIT
#define RUNNER_PADDING_MAX ((size_t)65536)
#define RUNNER_ERROR_TAIL  1024

struct runner_call {
    const char *const *argv_prefix; // wrapper before argv (the sandbox), NULL-terminated; may be NULL
    const char *const *argv;        // NULL-terminated; argv[0] is looked up in PATH when it has no slash
    const char *cwd;                // NULL: the caller's
    const char *const *env;         // whole environment, NULL-terminated; NULL: the caller's
    const char *stdin_path;         // NULL: /dev/null
    size_t padding;                 // bytes of an extra variable: moves the stack, as a different user name would
    bool keep_output;               // standard output goes to memory and is hashed; else to /dev/null
    struct buf *output;             // with keep_output: standard output is added here, too; may be NULL
    int64_t timeout_ns;             // 0: 10 minutes
    bool alone; // the caller is a subreaper without other children: what a command leaves behind is ended, too, before
                // the call returns
    bool (*cancelled)(void *user); // asked at least every 50 ms; may be NULL
    void *user;
};

struct runner_result {
    int64_t wall_ns, user_ns, sys_ns, cpu_ns; // cpu = user + sys of the process and all it waited for
    int64_t max_rss_kb;
    bool rss_is_bound; // the kernel counts the parent's memory until exec: the true value is at most max_rss_kb
    int exit_code;     // -1 when ended by a signal
    int signal;
    char output[HASH_TEXT]; // hash of standard output, "" when not kept
    uint64_t output_bytes;
    char error_tail[RUNNER_ERROR_TAIL]; // end of standard error
};

// 0 when the command ran to its end (look at exit_code and signal); ERR_NOT_FOUND or ERR_DENIED when it could not be
// started, ERR_TIMEOUT, ERR_CANCELLED, ERR_LIMIT when it was killed. Nothing of it lives on in any case.
int runner_run(const struct runner_call *call, struct runner_result *ret, struct err *err);

// Bytes that path, arguments and environment put on the new process's stack (for equal layouts of two commands).
size_t runner_stack_bytes(const struct runner_call *call);

// "exit 3" or "signal 11 (Segmentation fault)", with the end of standard error behind it.
char *runner_describe(const struct runner_result *r); // owned by the caller
