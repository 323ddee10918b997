// The one place where tools are started. A call is an argv vector (never a shell text); it passes decide(),
// runs under baton-exec in a box compiled from its rule's profile (profile.h: files, programs, network, limits; nothing
// outlives the call) and leaves a receipt, also when it was refused. There is no way around the box: what it cannot be
// given is an error.
//
// Tools have no network. Dependencies are brought before the first cargo call in a project by a step of its own, `cargo
// fetch`, which runs no code of the project; it has a receipt, too (fetch.h).
//
// Thread rule: an exec_context may be used from one thread at a time; exec_cancel from any thread.
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "json/json.h"

#include <stdbool.h>
#include <stdint.h>

#define EXEC_RECEIPTS_MAX 20000 // of one stage

struct policy;       // policy/policy.h
struct exec_context; // policy + places + receipts of one stage

// What an agent's file and the bounds on it say about the network of its tools.
enum exec_network { EXEC_NETWORK_OF_PROFILE, EXEC_NETWORK_NONE, EXEC_NETWORK_LO, EXEC_NETWORK_HOST };

struct exec_places {
    const char *workspace;    // root that relative path rules refer to (the checkout)
    const char *const *built; // NULL-terminated: folders whose programs count as built by cargo (target directories)
    const char *const
        *own;         // NULL-terminated: folders outside the workspace that the call may name (spool); may be NULL
    const char *home; // HOME and TMPDIR of tools are made below it
    // What a call sees of the workspace, NULL-terminated. Both NULL: all of it, and it can be changed. Read-only
    // folders can be written to inside a call, but nothing of that remains.
    const char *const *readonly, *const *writable;
    const char *site; // what the site's files say of profiles (boxes/profile_table.h); NULL: they are read
};

// The policy must outlive the context. Places are copied.
int exec_context_new(const struct policy *policy, const struct exec_places *places, struct exec_context **ret,
                     struct err *err);
void exec_context_free(struct exec_context *ctx);
// Ends the running call (whole process tree) and refuses later ones with ERR_CANCELLED. Async-signal-safe.
void exec_cancel(struct exec_context *ctx);
// How many processes and threads one call may have at the same time, kept by the kernel; 0: no limit. Where it cannot
// be kept, calls are refused with ERR_UNSUPPORTED. Not while a call runs.
void exec_limit_processes(struct exec_context *ctx, int64_t most);
// No more network than that for any call; with host, as much, except for profiles without any. Not while a call runs.
void exec_limit_network(struct exec_context *ctx, enum exec_network network);
// Called before a step of the worker's own that may take long ("fetching dependencies"). Not while a call runs.
void exec_on_step(struct exec_context *ctx, void (*on_step)(void *user, const char *text), void *user);
// Receipts so far: array of receipt objects (proto/README.md); borrowed.
const json_t *exec_receipts(const struct exec_context *ctx);

struct exec_call {
    const char *const *argv; // NULL-terminated
    const char *cwd;         // NULL: workspace
    const char *const *env;  // extra "KEY=value" for the constructed environment, NULL-terminated; may be NULL
    const char *const
        *reach; // files outside the workspace that the user named for this call, NULL-terminated; may be NULL
    // A program of ours, found beside baton-exec, that starts argv itself inside its box, as often as its standard
    // input tells it; NULL: argv is started. `also`: what it starts besides argv, NULL-terminated; may be NULL. Every
    // one of these commands must be allowed, and the box has what each of them needs.
    const char *by;
    const char *const *const *also;
    const char *stdin_path;                        // NULL: /dev/null
    const char *stdout_path;                       // NULL: captured in memory; else written to this file (not capped)
    const char *stderr_path;                       // likewise
    size_t output_max;                             // per captured stream, head and tail kept; 0: 16 MiB
    int64_t wall_ns;                               // 0: 30 minutes
    void (*on_line)(void *user, const char *line); // each stderr line as it comes (progress); may be NULL
    void *user;
};

struct exec_result {
    int exit_code; // 0..255; -1 when ended by a signal
    int signal;    // 0 or the signal that ended it
    bool timed_out;
    int64_t wall_ns, user_ns, sys_ns; // of the whole process tree that was waited for
    int64_t max_rss_kb;
    struct buf out, err; // captured streams (empty when they went to files)
    size_t receipt;      // index into exec_receipts
};

// 0 when the tool ran (look at exit_code and signal), negative when it was refused (ERR_DENIED: the text names the rule
// that would be needed), could not be started (ERR_NOT_FOUND: program missing) or was cancelled. exec_result_free in
// either case.
int exec_run(struct exec_context *ctx, const struct exec_call *call, struct exec_result *ret, struct err *err);
void exec_result_free(struct exec_result *r);

// exec_run that must exit 0: otherwise ERR_TOOL with the command and the last lines of stderr.
int exec_check(struct exec_context *ctx, const struct exec_call *call, struct exec_result *ret, struct err *err);

// Whether the call would be allowed and the program exists, without running it (for choosing between tools).
bool exec_possible(struct exec_context *ctx, const char *const *argv, struct err *why);
