// One measuring session as a value: what is run and how often, and what came out. A worker writes it as JSON for
// baton-measure, which takes all runs of the session inside one box (sandbox/exec.h), so that the box is put on once
// and what is timed is as bare in there as it is outside; baton-measure answers with JSON, too. Both formats are only
// known here.
//
//   {"kind": "command|criterion|printed", "id", "commands": [[word…], …] (base, candidate, copy), "homes": [text, …],
//    "metric", "cwd", "cwds" (where each command runs, when not all in cwd), "env": [text, …], "stdin",
//    "ignore_output", "warm_up_s", "measurement_s", "samples", "samples_min", "max_wall_ns", "theta", "seed"}
//   {"comparison": {…}} (ab_result_json_new with samples), {"samples": [ns, …], "max_rss_kb"}, or {"error", "code"}
#pragma once

#include "measure/ab.h"

#define SESSION_TEXT_MAX    ((size_t)16 * 1024 * 1024) // of both formats
#define SESSION_SAMPLES_MAX 1000u

enum session_kind { SESSION_COMMAND, SESSION_CRITERION, SESSION_PRINTED };

struct session {
    enum session_kind kind;
    const char *id;        // of the bench; NULL for whole commands
    enum ab_metric metric; // what decides about whole commands: AB_CPU, AB_WALL or AB_RSS; benches know wall time only
    const char *const *command[3]; // base, candidate and a copy of the base; the later ones may be NULL
    const char *home[3];           // criterion: scratch folder of each side, emptied before every run
    const char *cwd, *stdin_path;  // stdin_path: NULL for /dev/null
    const char *cwd_of[3];         // of a side; NULL: cwd
    const char *const *env;        // whole environment of what is run
    bool ignore_output;
    double warm_up_s, measurement_s; // criterion
    unsigned samples, samples_min;   // without a candidate: so many samples of the base at most, and at least before
                                     // max_wall_ns ends them
    int64_t max_wall_ns;             // as in struct ab_options
    double theta;
    uint64_t seed;
};

struct session_samples {
    double value[SESSION_SAMPLES_MAX]; // ns: CPU time of a command, wall time per iteration of a bench
    size_t count;
    int64_t max_rss_kb;
};

json_t *session_json_new(const struct session *s);
// The value borrows from v where it can; free with session_free. ERR_INVALID, ERR_LIMIT.
int session_parse(const json_t *v, struct session **ret, struct err *err);
void session_free(struct session *s);

// Runs the session in this process and gives its answer, which is an error in words when it failed. The process must
// have no other children: whatever a run leaves behind is ended before the next one.
json_t *session_run_new(const struct session *s, void (*on_progress)(void *user, const struct ab_progress *p),
                        void *user);

// Reads the answer. ERR_* of the session itself, ERR_INVALID for an answer that is none.
int session_read_comparison(const json_t *answer, struct ab_result **ret, struct err *err);
int session_read_samples(const json_t *answer, struct session_samples *ret, struct err *err);

// A line of progress as baton-measure writes it, owned by the caller; and back: false when the line is something else.
char *session_progress_line(const struct ab_progress *p);
bool session_progress_read(const char *line, struct ab_progress *ret);
