// What a worker is made of. A worker's main() is one line:
//     int main(int argc, char **argv) { return agent_main(argc, argv, &MY_AGENT); }
// agent_main connects to the bus (--connect ENDPOINT, given by the engine), says hello with role, version and modes, and then
// calls run() for each assignment on a work thread, while the watch thread answers heartbeats and takes cancels.
// A worker holds no state that matters: everything it learned is in the draft.
#pragma once

#include "base/err.h"
#include "json/json.h"
#include "sandbox/exec.h"

#include <stdbool.h>

struct job; // one assignment being worked on

struct agent {
    const char *role;         // short role: "performance" (the alias table of proto/agentfile knows it)
    const char *version;      // part of the stage key: change it when results would change
    const char *const *modes; // NULL-terminated, as in tbl/modes.def
    // Fills the draft (an object with status "completed" and empty output, sections, artifacts when called).
    // A negative return becomes a `blocked` draft with err as blocker: the stage still leaves a handoff.
    int (*run)(struct job *job, json_t *draft, struct err *err);
    unsigned jobs; // jobs it may hold at once (it works on one; the others wait in it, or go back when it takes long); 0: one
};

int agent_main(int argc, char **argv, const struct agent *agent);

// --- what run() may ask ---
const json_t *job_assignment(const struct job *job);         // proto/README.md; borrowed
const char *job_mode(const struct job *job);
const char *job_dir(const struct job *job, const char *name); // "project", "base", "work", "spool", "cache", "artifacts"; NULL if not given
// The project inside a checkout: <dirs.base or dirs.work>/<git.prefix>. Owned by the caller.
char *job_project_in(const struct job *job, const char *dir_name);
// Input value from the script, or NULL.
const json_t *job_input(const struct job *job, const char *key);
// Newest direct parent (or ancestor, when the direct ones have none) whose output has `key`; overflowed values are read back from
// the artifact store. New reference, NULL when nobody has it.
json_t *job_context_new(const struct job *job, const char *key, struct err *err);
struct exec_context *job_exec(struct job *job);
bool job_cancelled(const struct job *job);
// One line for people: "building with symbols". fraction < 0: unknown.
void job_progress(struct job *job, double fraction, const char *fmt, ...) ATTR_PRINTF(3, 4);

// What a model took, in micro-dollars and tokens: it leaves a receipt and counts against the limits of the stage and of
// its run.
void job_spend(struct job *job, int64_t micro_dollars, int64_t tokens);
int job_check_spent(const struct job *job,
                    struct err *err); // before the next request. ERR_LIMIT: nothing is left of a limit

// --- filling the draft ---
void draft_summary(json_t *draft, const char *fmt, ...) ATTR_PRINTF(2, 3);
void draft_status(json_t *draft, const char *status);
void draft_next(json_t *draft, const char *agent, const char *task);
void draft_section(json_t *draft, const char *label, const char *markdown);
// The file must lie in dirs.spool.
void draft_artifact(json_t *draft, const char *name, const char *path, const char *media);
// Writes bytes to the spool and adds them as an artifact.
int draft_artifact_bytes(struct job *job, json_t *draft, const char *name, const void *data, size_t len, const char *media,
                         struct err *err);

// --- without a bus ---
// agent_main itself knows: --once ASSIGNMENT.json  runs one assignment and prints the draft, receipts included
//                          --describe              prints {"role", "version", "modes"}
