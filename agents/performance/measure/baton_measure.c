// baton-measure: reads a measuring session (session.h) from its standard input, runs it, and writes the answer to its
// standard output; progress goes to standard error, a line of JSON each. Started by the performance engineer inside the
// box that the measured programs run in; not meant for hands.
//
// The programs that are measured are of the same user and see this process. It cannot be traced or looked into (not
// dumpable); ending it ends the session with an error.
#include "measure/session.h"

#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static void write_text(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, text, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return; // nobody listens any more: the box is about to end
        text += n;
        len -= (size_t)n;
    }
}

static void on_progress(void *user, const struct ab_progress *p)
{
    (void)user;
    AUTO_FREE char *line = session_progress_line(p);
    write_text(STDERR_FILENO, line, strlen(line));
    write_text(STDERR_FILENO, "\n", 1);
}

static int read_session(struct buf *text, json_t **ret_json, struct session **ret, struct err *err)
{
    char chunk[65536];
    ssize_t n;
    while ((n = read(STDIN_FILENO, chunk, sizeof(chunk))) > 0 || (n < 0 && errno == EINTR)) {
        if (text->len + (size_t)(n > 0 ? n : 0) > SESSION_TEXT_MAX)
            return err_set(err, ERR_LIMIT, "a session is larger than %zu bytes", SESSION_TEXT_MAX);
        buf_add(text, chunk, n > 0 ? (size_t)n : 0);
    }
    *ret_json = json_parse_new(buf_str(text), text->len, "session", err);
    return *ret_json ? session_parse(*ret_json, ret, err) : -(int)err->code;
}

// The end of the process is the end of the session: nothing is to run at exit. A sanitizer would, and look for leaks by
// tracing, which a box does not allow.
static void leave(int status)
{
    _exit(status);
}

int main(void)
{
    struct buf text = BUF_INIT;
    struct session *session = NULL;
    json_t *json = NULL;
    struct err err = {0};
    prctl(PR_SET_DUMPABLE, 0);
    prctl(PR_SET_CHILD_SUBREAPER, 1); // who leaves its session or its parent still becomes our child
    if (read_session(&text, &json, &session, &err) < 0) {
        write_text(STDERR_FILENO, err.text, strlen(err.text));
        write_text(STDERR_FILENO, "\n", 1);
        leave(2);
    }
    AUTO_JSON json_t *answer = session_run_new(session, on_progress, NULL);
    AUTO_FREE char *out = json_compact(answer);
    write_text(STDOUT_FILENO, out, strlen(out));
    session_free(session);
    json_decref(json);
    buf_free(&text);
    leave(0);
}
