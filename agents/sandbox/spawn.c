// The parent's side of baton-exec. The wait ends when the report has come and both streams are at their end; a stream
// that somebody outside the call holds open, or a helper that does not answer, is waited for GRACE_NS only.
#include "spawn.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static const int64_t GRACE_NS = 5 * NS_PER_SEC;

enum { STDIN_END, STDOUT_END, STDERR_END, CONTROL_END, BOX_END, NET_END, USER_END, ENDS };

struct running {
    const struct spawn *spawn;
    struct spawn_result *result;
    pid_t pid;
    int theirs[ENDS];      // what becomes 0..6 of the helper, -1: nothing
    int out, err, control; // our ends, -1 when closed
    bool reported, killing;
    int64_t deadline; // of the call, then of the grace
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

// Descriptors that are handed on must lie above those they become, or dup2 in the child would overwrite one with
// another.
static int above(int fd)
{
    int high = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 16);
    int e = errno;
    if (fd >= 0)
        close(fd);
    errno = e;
    return high;
}

static int open_file(const char *path, int flags, int *ret_fd, struct err *err)
{
    *ret_fd = above(open(path, flags | O_CLOEXEC | O_NOCTTY, 0666));
    return *ret_fd < 0 ? err_sys(err, errno, "cannot open '%s' for a tool", path) : 0;
}

static int open_output(const char *path, int *ret_theirs, int *ret_ours, struct err *err)
{
    if (path)
        return open_file(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, ret_theirs, err);
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_sys(err, errno, "cannot make a pipe for a tool");
    *ret_ours = ends[0];
    *ret_theirs = above(ends[1]);
    return *ret_theirs < 0 ? err_sys(err, errno, "cannot make a pipe for a tool") : 0;
}

static int no_folder(const struct spawn *s, struct err *err)
{
    if (file_is_dir(s->cwd))
        return 0;
    return err_set(err, ERR_NOT_FOUND, "cannot start '%s': the folder '%s' does not exist", s->argv[0], s->cwd);
}

static int open_ends(struct running *r, struct err *err)
{
    const struct spawn *s = r->spawn;
    int code = no_folder(s, err); // first: a call that has no place to run in truncates no file
    if (code == 0)
        code = open_file(s->stdin_path ? s->stdin_path : "/dev/null", O_RDONLY, &r->theirs[STDIN_END], err);
    if (code == 0)
        code = open_output(s->stdout_path, &r->theirs[STDOUT_END], &r->out, err);
    if (code == 0)
        code = open_output(s->stderr_path, &r->theirs[STDERR_END], &r->err, err);
    if (code < 0)
        return code;
    r->theirs[BOX_END] = fcntl(s->box_fd, F_DUPFD_CLOEXEC, 16);
    if (r->theirs[BOX_END] < 0)
        return err_sys(err, errno, "cannot hand a box to a tool");
    const int spaces[] = {s->share ? s->stage->net : -1, s->share ? s->stage->user : -1};
    for (int i = 0; i < EXEC_SPACES_MAX; i++) {
        r->theirs[NET_END + i] = spaces[i] < 0 ? -1 : fcntl(spaces[i], F_DUPFD_CLOEXEC, 16);
        if (spaces[i] >= 0 && r->theirs[NET_END + i] < 0)
            return err_sys(err, errno, "cannot hand a namespace to a tool");
    }
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return err_sys(err, errno, "cannot make a socket for a tool");
    r->control = pair[0];
    r->theirs[CONTROL_END] = above(pair[1]);
    return r->theirs[CONTROL_END] < 0 ? err_sys(err, errno, "cannot make a socket for a tool") : 0;
}

// Vectors of the system have no const, and are not changed.
static char *mutable_text(const char *s)
{
    char *out;
    memcpy(&out, &s, sizeof(out));
    return out;
}

static int start(struct running *r, struct err *err)
{
    const struct spawn *s = r->spawn;
    VEC(char *) argv = {0};
    vec_push(&argv, mutable_text(s->helper));
    vec_push(&argv, mutable_text(s->program));
    for (const char *const *a = s->argv; *a; a++)
        vec_push(&argv, mutable_text(*a));
    vec_push(&argv, NULL);

    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    for (int i = 0; i < ENDS; i++)
        if (r->theirs[i] >= 0)
            posix_spawn_file_actions_adddup2(&actions, r->theirs[i], i);
    posix_spawn_file_actions_addchdir_np(&actions, s->cwd);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    int e = posix_spawn(&r->pid, s->helper, &actions, &attributes, argv.items, s->environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    vec_free(&argv);
    if (e == ENOENT && no_folder(s, err) < 0)
        return -(int)ERR_NOT_FOUND;
    return e ? err_sys(err, e, "cannot start '%s' for '%s'", s->helper, s->argv[0]) : 0;
}

static void read_stream(int *fd, struct capture *capture)
{
    char chunk[65536];
    ssize_t n = read(*fd, chunk, sizeof(chunk));
    if (n > 0)
        capture_add(capture, chunk, (size_t)n);
    else if (n == 0 || (errno != EINTR && errno != EAGAIN))
        close_fd(fd);
}

static void keep_spaces(struct running *r, const struct msghdr *message)
{
    struct spawn_stage *stage = r->spawn->stage;
    int fds[EXEC_SPACES_MAX] = {-1, -1};
    const struct cmsghdr *c = CMSG_FIRSTHDR(message);
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len <= CMSG_LEN(sizeof(fds)))
        memcpy(fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
    if (r->spawn->share && stage->net < 0) {
        stage->net = fds[0];
        stage->user = fds[1];
        return;
    }
    close_fd(&fds[0]);
    close_fd(&fds[1]);
}

static void read_control(struct running *r)
{
    struct exec_report report;
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(EXEC_SPACES_MAX * sizeof(int))];
    } rights;
    struct iovec part = {.iov_base = &report, .iov_len = sizeof(report)};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &rights, .msg_controllen = sizeof(rights)};
    ssize_t n = recvmsg(r->control, &message, MSG_CMSG_CLOEXEC);
    if (n < 0 && errno == EINTR)
        return;
    if (n >= 0)
        keep_spaces(r, &message);
    if (n == (ssize_t)sizeof(report) && report.magic == EXEC_REPORT_MAGIC) {
        r->result->report = report;
        r->reported = true;
        r->deadline = clock_mono_ns() + GRACE_NS; // what is left is to read the streams to their end
    }
    close_fd(&r->control);
}

static void ask_to_kill(struct running *r)
{
    const char word = EXEC_KILL;
    r->killing = true;
    r->deadline = clock_mono_ns() + GRACE_NS;
    if (r->control >= 0)
        (void)send(r->control, &word, 1, MSG_NOSIGNAL);
}

static int poll_ms(int64_t deadline)
{
    int64_t left = deadline - clock_mono_ns();
    if (left <= 0)
        return 0;
    int64_t ms = (left + NS_PER_MS - 1) / NS_PER_MS;
    return ms > 60000 ? 60000 : (int)ms;
}

// The deadline has passed. True: give up waiting.
static bool out_of_time(struct running *r)
{
    if (r->reported || r->killing)
        return true;
    r->result->timed_out = true;
    ask_to_kill(r);
    return false;
}

static void stay(struct running *r)
{
    const struct spawn *s = r->spawn;
    while (r->out >= 0 || r->err >= 0 || r->control >= 0) {
        struct pollfd fds[] = {
            {.fd = r->out, .events = POLLIN},
            {.fd = r->err, .events = POLLIN},
            {.fd = r->control, .events = POLLIN},
            {.fd = r->killing || r->reported ? -1 : s->cancel_fd, .events = POLLIN},
        };
        int n = poll(fds, ARRAY_LEN(fds), poll_ms(r->deadline));
        if (n < 0)
            continue; // EINTR
        if (fds[3].revents) {
            r->result->cancelled = true;
            ask_to_kill(r);
        }
        if (fds[0].revents)
            read_stream(&r->out, s->out);
        if (fds[1].revents)
            read_stream(&r->err, s->err);
        if (fds[2].revents)
            read_control(r);
        if (clock_mono_ns() >= r->deadline && out_of_time(r))
            return;
    }
}

static void close_all(struct running *r)
{
    for (int i = 0; i < ENDS; i++)
        close_fd(&r->theirs[i]);
    close_fd(&r->out);
    close_fd(&r->err);
    close_fd(&r->control);
}

static void reap(pid_t pid)
{
    int status;
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
}

void spawn_stage_end(struct spawn_stage *stage)
{
    reap(stage->late);
    close_fd(&stage->net);
    close_fd(&stage->user);
    stage->late = 0;
}

int spawn_run(const struct spawn *s, struct spawn_result *ret, struct err *err)
{
    *ret = (struct spawn_result){0};
    struct running r = {.spawn = s, .result = ret, .out = -1, .err = -1, .control = -1};
    for (int i = 0; i < ENDS; i++)
        r.theirs[i] = -1;
    int64_t begun = clock_mono_ns();
    int code = open_ends(&r, err);
    if (code == 0)
        code = start(&r, err);
    if (code < 0) {
        close_all(&r);
        return code;
    }
    for (int i = 0; i < ENDS; i++)
        close_fd(&r.theirs[i]);
    r.deadline = begun + s->wall_ns;
    stay(&r);
    ret->wall_ns = clock_mono_ns() - begun;
    close_all(&r);
    if (!r.reported)
        kill(r.pid, SIGKILL); // its init, or the tool, has a death signal set
    reap(s->stage->late);     // has had a whole call for it
    s->stage->late = r.reported ? r.pid : 0;
    if (!r.reported)
        reap(r.pid);
    if (!r.reported)
        return err_set(err, ERR_INTERNAL, "'%s' ended without a report while it ran '%s'", s->helper, s->argv[0]);
    return 0;
}

int spawn_find_helper(char **ret, struct err *err)
{
    static const char *const PLACES[] = {"baton-exec", "../libexec/baton/baton-exec", "../bin/baton-exec"};
    AUTO_FREE char *self = path_real("/proc/self/exe", err);
    if (!self)
        return -ERR_NOT_FOUND;
    AUTO_FREE char *dir = path_dir(self);
    for (size_t i = 0; i < ARRAY_LEN(PLACES); i++) {
        char *path = path_join(dir, PLACES[i]);
        if (access(path, X_OK) == 0) {
            *ret = path;
            return 0;
        }
        mem_free(path);
    }
    return err_set(err, ERR_NOT_FOUND, "'baton-exec' is neither in '%s' nor in '%s/../libexec/baton': reinstall Baton",
                   dir, dir);
}
