#include "performance/measured.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define PROGRAM "baton-measure"

// The session ends itself when its time is over; this is for one that does not, as its last run may take 10 minutes.
#define SLACK_NS (15 * 60 * NS_PER_SEC)

enum session_kind measured_kind(const json_t *subject)
{
    const char *kind = json_str(subject, "kind", "");
    return str_eq(kind, "criterion") ? SESSION_CRITERION : str_eq(kind, "printed") ? SESSION_PRINTED : SESSION_COMMAND;
}

int measured_lock(struct job *job, const char *cache)
{
    AUTO_FREE char *path = path_join(cache, "../../measure.lock");
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    for (int waited = 0; fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0 && !job_cancelled(job); waited++) {
        if (waited % 20 == 0)
            job_progress(job, -1, "waiting: another run is measuring on this machine");
        usleep(100000);
    }
    return fd;
}

static void take_line(void *user, const char *line)
{
    const struct measured *m = user;
    struct ab_progress p;
    if (m->on_progress && session_progress_read(line, &p))
        m->on_progress(m->user, &p);
}

static int ask(const struct measured *m, const char *path, json_t **ret, struct err *err)
{
    const struct session *s = m->session;
    const struct exec_call call = {.argv = s->command[0],
                                   .by = PROGRAM,
                                   .also = (const char *const *const[]){s->command[1], s->command[2], NULL},
                                   .cwd = s->cwd,
                                   .reach = m->reach,
                                   .stdin_path = path,
                                   .output_max = SESSION_TEXT_MAX,
                                   .wall_ns = s->max_wall_ns + SLACK_NS,
                                   .on_line = take_line,
                                   .user = (void *)(uintptr_t)m}; // read only
    struct exec_result result = {0};
    int r = exec_run(job_exec(m->job), &call, &result, err);
    if (r == 0 && (result.exit_code != 0 || result.timed_out)) {
        const char *text = buf_str(&result.err);
        size_t len = strlen(text);
        r = err_set(err, result.timed_out ? ERR_TIMEOUT : ERR_TOOL, "measuring '%s' ended with %s %d%s: %s",
                    s->command[0][0], result.signal ? "signal" : "status",
                    result.signal ? result.signal : result.exit_code, result.timed_out ? " after its time" : "",
                    text + (len > 300 ? len - 300 : 0));
    }
    if (r == 0) {
        *ret = json_parse_new(buf_str(&result.out), result.out.len, "answer of a measuring session", err);
        r = *ret ? 0 : -(int)err->code;
    }
    exec_result_free(&result);
    return r;
}

static int run(const struct measured *m, json_t **ret, struct err *err)
{
    AUTO_JSON json_t *json = session_json_new(m->session);
    AUTO_FREE char *text = json_compact(json);
    AUTO_FREE char *path = path_join(m->scratch, "session.json");
    int r = file_make_dirs(m->scratch, err);
    if (r == 0)
        r = file_write(path, text, strlen(text), false, err);
    return r < 0 ? r : ask(m, path, ret, err);
}

int measured_compare(const struct measured *m, struct ab_result **ret, struct err *err)
{
    AUTO_JSON json_t *answer = NULL;
    int r = run(m, &answer, err);
    return r < 0 ? r : session_read_comparison(answer, ret, err);
}

int measured_samples(const struct measured *m, struct session_samples *ret, struct err *err)
{
    AUTO_JSON json_t *answer = NULL;
    int r = run(m, &answer, err);
    return r < 0 ? r : session_read_samples(answer, ret, err);
}
