#include "main/client.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_MAX ((size_t)64 << 20)
#define ANSWER_S   30 // for one answer; the service answers in milliseconds
#define AGAIN_US   50000

static int no_service(struct err *err, const char *path)
{
    return err_set(err, ERR_UNAVAILABLE, "no service listens on '%s'; start one with: baton serve", path);
}

static int connected(const char *state_dir, struct err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    AUTO_FREE char *path = str_printf("%s/serve.sock", state_dir);
    if (strlen(path) >= sizeof(address.sun_path))
        return err_set(err, ERR_LIMIT, "the socket path '%s' is too long", path);
    memcpy(address.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_sys(err, errno, "cannot create a socket");
    struct timeval limit = {.tv_sec = ANSWER_S};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    int r = errno == ENOENT || errno == ECONNREFUSED || errno == EAGAIN
                ? no_service(err, path)
                : err_sys(err, errno, "cannot connect to '%s'", path);
    close(fd);
    return r;
}

static int send_all(int fd, const char *data, size_t len)
{
    while (len) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -1;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

static int read_line(int fd, struct buf *line, struct err *err)
{
    char part[65536];
    while (line->len < ANSWER_MAX) {
        ssize_t n = recv(fd, part, sizeof(part), 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return err_set(err, ERR_TIMEOUT, "the service did not answer within %d s", ANSWER_S);
        if (n <= 0)
            return err_set(err, ERR_UNAVAILABLE, "the service ended before it had answered");
        const char *end = memchr(part, '\n', (size_t)n);
        buf_add(line, part, end ? (size_t)(end - part) : (size_t)n);
        if (end)
            return 0;
    }
    return err_set(err, ERR_LIMIT, "the answer of the service is longer than %zu bytes", ANSWER_MAX);
}

// The service's own error, with its code.
static int refusal(const json_t *answer, struct err *err)
{
    const char *code = json_str(answer, "code", "");
    for (int i = 1; i < ERR_COUNT_; i++)
        if (str_eq(err_name((enum err_code)i), code))
            return err_set(err, (enum err_code)i, "%s", json_str(answer, "error", ""));
    return err_set(err, ERR_PARSE, "the service answered something that is no answer");
}

// *ret_again: it was not done, and may be soon.
static json_t *ask_once_new(const char *state_dir, const char *line, bool *ret_again, struct err *err)
{
    AUTO_BUF struct buf text = BUF_INIT;
    *ret_again = true;
    int fd = connected(state_dir, err), r = fd;
    if (fd < 0) {
        *ret_again = err->code == ERR_UNAVAILABLE;
        return NULL;
    }
    if (send_all(fd, line, strlen(line)) < 0) // it may have answered all the same, why it goes
        err_set(err, ERR_UNAVAILABLE, "the service ended before it had answered");
    r = read_line(fd, &text, err);
    close(fd);
    if (r < 0) {
        *ret_again = err->code == ERR_UNAVAILABLE;
        return NULL;
    }
    json_t *answer = json_parse_new(buf_str(&text), text.len, "the answer of the service", err);
    *ret_again = json_flag(answer, "retry", false);
    if (answer && !json_flag(answer, "ok", false)) {
        refusal(answer, err);
        json_decref(answer);
        return NULL;
    }
    return answer;
}

json_t *client_ask_new(const char *state_dir, const json_t *request, int64_t patience_ns, struct err *err)
{
    struct err own;
    err = err ? err : &own;
    AUTO_FREE char *text = json_compact(request);
    AUTO_FREE char *line = str_printf("%s\n", text);
    int64_t until = clock_mono_ns() + patience_ns;
    for (;;) {
        bool again = false;
        json_t *answer = ask_once_new(state_dir, line, &again, err);
        if (answer || !again || clock_mono_ns() >= until)
            return answer;
        usleep(AGAIN_US);
    }
}

bool client_is_there(const char *state_dir)
{
    int fd = connected(state_dir, NULL);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}
