// baton-exec PROGRAM ARGV0 [ARG...]: runs one tool so that nothing of it outlives the call. Started by exec_run with
// its standard streams, working directory and environment in place, the control socket as descriptor 3 and the box
// (box.h) as descriptor 4; not meant for hands. `baton-exec --probe` tells which layers this host offers.
//
// Three processes where the host permits it:
//   supervisor (this) - init (process 1 of a new PID namespace) - tool
// Killing the init kills the whole namespace at once, whatever its processes did (setsid, double fork, ignored
// signals). Without namespaces the supervisor is the subreaper of everything below the tool: orphans become its
// children, and it kills until it has none. The tool's end, EXEC_KILL, the end of the control connection and SIGTERM
// all lead there.
#include "box.h"
#include "confine.h"
#include "probe.h"
#include "report.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum note_kind { NOTE_START_FAILED = 1, NOTE_EXITED, NOTE_NOT_CONFINED, NOTE_LAYERS, NOTE_NO_WALL, NOTE_TASKS };

struct note { // tool or init -> supervisor, over a pipe
    enum note_kind kind;
    int value;      // errno, wait status, layers, or number of tasks
    char what[120]; // what failed
};

static void send_note(int fd, enum note_kind kind, int value, const char *what)
{
    struct note note = {.kind = kind, .value = value};
    snprintf(note.what, sizeof(note.what), "%s", what);
    ssize_t ignored = write(fd, &note, sizeof(note)); // shorter than PIPE_BUF: all or nothing
    (void)ignored;
}

struct start { // what a tool is started with
    char **command;
    const struct box *box;
    const char *cwd;
    int notes;
    bool entered; // inside namespaces and view
};

static void become_tool(const struct start *s) // does not return
{
    const char *what = "";
    int layers = 0;
    int e = confine_self(s->box, s->entered, &layers, &what);
    if (e == 0) {
        what = "";
        send_note(s->notes, NOTE_LAYERS, layers, "");
        execv(s->command[0], s->command + 1);
        e = errno;
    }
    send_note(s->notes, NOTE_START_FAILED, e, what);
    _exit(127);
}

// The tool is set up in our memory, and we stand still until it is another program: copying the memory of a process
// that will be replaced at once takes longer than setting it up.
static pid_t start_tool(const struct start *s)
{
    pid_t pid = vfork();
    if (pid == 0)
        become_tool(s);
    if (pid < 0)
        send_note(s->notes, NOTE_START_FAILED, errno, "");
    return pid;
}

// Process 1 of the namespace. Its end is the end of everything in it.
static void be_init(struct start *s, int release_fd) // does not return
{
    struct view_failure failure;
    confine_wait(release_fd);
    int e = confine_join(s->box); // the host's tree is still there
    if (e) {
        send_note(s->notes, NOTE_START_FAILED, e, "its control group");
        _exit(0);
    }
    e = confine_net(s->box);
    if (e) {
        send_note(s->notes, NOTE_START_FAILED, e, "the network of the stage");
        _exit(0);
    }
    e = confine_enter(s->box, &failure);
    if (e) { // never less of a box because of what lies in the folders of the call
        send_note(s->notes, failure.of_call ? NOTE_START_FAILED : NOTE_NOT_CONFINED, e, failure.what);
        _exit(0);
    }
    s->entered = true;
    bool wall = s->box->processes > 0 && !s->box->counted;
    if (wall && !confine_wall(s->box->processes)) {
        send_note(s->notes, NOTE_NO_WALL, 0, "");
        _exit(0);
    }
    if (chdir(s->cwd) < 0) {
        send_note(s->notes, NOTE_START_FAILED, errno, "its working folder, which the box does not show");
        _exit(0);
    }
    pid_t tool = start_tool(s);
    if (tool < 0)
        _exit(0);
    for (;;) {
        int status;
        pid_t pid = waitpid(-1, &status, 0);
        if (pid == tool) {
            if (!wall) // with a wall of numbers they are used again
                send_note(s->notes, NOTE_TASKS, confine_tasks(), "");
            send_note(s->notes, NOTE_EXITED, status, "");
            if (getpid() == 1)     // as it always is here: outside of a namespace this would be everybody's end
                kill(-1, SIGKILL); // everybody but us; reaped below, so that their time is counted
        } else if (pid < 0 && errno != EINTR) {
            _exit(0);
        }
    }
}

struct call {
    struct start start;
    int notes[2]; // pipe
    int signals;  // signalfd: SIGCHLD and the signals that end us
    pid_t child;  // init, or the tool itself; 0 when reaped
    bool confined, user, killed;
    int mounts;                  // of the child, held until our end
    int spaces[EXEC_SPACES_MAX]; // network and user namespace that were made for this call, -1: none
    struct exec_report report;
};

static void drain_notes(struct call *c, bool *ret_not_confined)
{
    struct note note;
    while (read(c->notes[0], &note, sizeof(note)) == (ssize_t)sizeof(note)) {
        switch (note.kind) {
        case NOTE_START_FAILED:
            c->report.start_errno = note.value ? note.value : EIO;
            memcpy(c->report.failed, note.what, sizeof(c->report.failed));
            break;
        case NOTE_EXITED:
            c->report.wait_status = note.value;
            break;
        case NOTE_NOT_CONFINED:
            *ret_not_confined = true;
            c->report.start_errno = note.value;
            memcpy(c->report.failed, note.what, sizeof(c->report.failed));
            break;
        case NOTE_LAYERS:
            c->report.layers |= note.value;
            break;
        case NOTE_NO_WALL:
            c->report.no_wall = 1;
            break;
        case NOTE_TASKS:
            c->report.tasks = note.value;
            break;
        }
    }
}

// Parent of a process, from /proc/<pid>/stat: the field behind the state, which stands behind the last ')'.
static pid_t parent_of(pid_t pid)
{
    char path[64], text[512];
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t n = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (n <= 0)
        return -1;
    text[n] = '\0';
    const char *p = strrchr(text, ')');
    return p && strlen(p) > 4 ? (pid_t)strtol(p + 4, NULL, 10) : -1;
}

static bool is_below_us(pid_t pid)
{
    pid_t self = getpid();
    for (int depth = 0; pid > 1 && depth < 4096; depth++) {
        pid = parent_of(pid);
        if (pid == self)
            return true;
    }
    return false;
}

static void kill_below_us(void)
{
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    while (proc && (entry = readdir(proc)) != NULL) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (pid > 1 && is_below_us(pid))
            kill(pid, SIGKILL);
    }
    if (proc)
        closedir(proc);
}

// Kills and reaps until no child is left. Orphans become our children, so the last ECHILD means that nobody is left.
static void end_everything(struct call *c)
{
    if (c->child)
        kill(c->child, SIGKILL);
    for (;;) {
        if (!c->confined)
            kill_below_us();
        int status;
        pid_t pid = waitpid(-1, &status, c->confined ? 0 : WNOHANG);
        if (pid < 0 && errno == ECHILD)
            return;
        if (pid == c->child && pid > 0) {
            c->child = 0;
            if (!c->confined)
                c->report.wait_status = status;
        }
        if (pid == 0) { // somebody lives, and is dying: wait for the next SIGCHLD, but look again soon (a fork may have
                        // slipped by)
            struct pollfd wait = {.fd = c->signals, .events = POLLIN};
            poll(&wait, 1, 10);
            struct signalfd_siginfo info;
            ssize_t ignored = read(c->signals, &info, sizeof(info));
            (void)ignored;
        }
    }
}

// Reaps what has ended; true when the child we started was among it.
static bool reap(struct call *c)
{
    int status;
    pid_t pid;
    bool ended = false;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid != c->child)
            continue;
        c->child = 0;
        ended = true;
        if (!c->confined)
            c->report.wait_status = status;
    }
    return ended;
}

// True when a signal asked us to end.
static bool take_signals(const struct call *c)
{
    struct signalfd_siginfo info;
    bool end = false;
    while (read(c->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
        end = end || info.ssi_signo != (uint32_t)SIGCHLD;
    return end;
}

// Until the child has ended or we were asked to end it.
static void supervise(struct call *c)
{
    struct pollfd fds[] = {{.fd = EXEC_CONTROL_FD, .events = POLLIN}, {.fd = c->signals, .events = POLLIN}};
    for (;;) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return;
        if (fds[0].revents) { // EXEC_KILL or the end of the connection: both mean the same
            char word;
            ssize_t ignored =
                read(EXEC_CONTROL_FD, &word, 1); // unread, it would make our report an error at the other end
            (void)ignored;
            c->killed = true;
            return;
        }
        if (take_signals(c)) {
            c->killed = true;
            return;
        }
        if (reap(c))
            return;
    }
}

static void start_plain(struct call *c)
{
    c->confined = false;
    if (c->start.box->processes) { // only a namespace of its own can count its processes
        send_note(c->notes[1], NOTE_NO_WALL, 0, "");
        return;
    }
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); // if we are killed, at least the tool itself goes
        int e = confine_join(c->start.box);
        if (e == 0)
            become_tool(&c->start);
        send_note(c->notes[1], NOTE_START_FAILED, e, "its control group");
        _exit(127);
    }
    c->child = pid > 0 ? pid : 0;
    if (pid < 0)
        send_note(c->notes[1], NOTE_START_FAILED, errno, "");
}

static int open_space(pid_t pid, const char *name)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, name);
    return open(path, O_RDONLY | O_CLOEXEC);
}

// The child still waits. Its mounts are held, too: they are taken down when we end, after the worker has its report.
static void hold_spaces(struct call *c, pid_t pid)
{
    const struct box *b = c->start.box;
    c->mounts = open_space(pid, "mnt");
    if (b->given != BOX_GIVEN_NOTHING || b->net == BOX_NET_HOST)
        return;
    c->spaces[0] = open_space(pid, "net");
    if (c->user && c->spaces[0] >= 0)
        c->spaces[1] = open_space(pid, "user");
}

// An earlier call of the stage had namespaces, so this one does not go without.
static void fail_given(struct call *c)
{
    if (c->start.box->given == BOX_GIVEN_NOTHING)
        return;
    c->report.start_errno = errno ? errno : EPERM;
    snprintf(c->report.failed, sizeof(c->report.failed), "the namespaces of the stage");
}

static void start_confined(struct call *c)
{
    int release_fd = -1;
    pid_t pid = confine_fork(c->start.box, &release_fd, &c->user);
    if (pid == 0)
        be_init(&c->start, release_fd);
    c->child = pid > 0 ? pid : 0;
    c->confined = pid > 0;
    if (pid < 0) {
        fail_given(c);
        return;
    }
    hold_spaces(c, pid);
    confine_release(pid, release_fd);
}

static int64_t nanoseconds(struct timeval t)
{
    return (int64_t)t.tv_sec * 1000000000 + (int64_t)t.tv_usec * 1000;
}

// Namespaces or the view are not to be had: the tool runs under what its own process can put on, or not at all.
static void run_plain(struct call *c)
{
    bool ignored = false;
    if (c->start.box->require == BOX_REQUIRE_FULL) {
        if (!c->report.start_errno) {
            c->report.start_errno = EPERM;
            snprintf(c->report.failed, sizeof(c->report.failed), "namespaces");
        }
        return;
    }
    c->report.start_errno = 0;
    c->report.failed[0] = '\0';
    start_plain(c);
    if (c->child)
        supervise(c);
    end_everything(c);
    drain_notes(c, &ignored);
    if (c->start.box->counted)
        c->report.layers |= EXEC_LAYER_COUNT;
}

static void run(struct call *c)
{
    bool not_confined = false;
    start_confined(c);
    if (c->confined) {
        supervise(c);
        end_everything(c);
        drain_notes(c, &not_confined);
    }
    if (c->confined && !not_confined)
        c->report.layers |= EXEC_LAYER_PROCESSES | EXEC_LAYER_FILES | (c->user ? EXEC_LAYER_USER : 0) |
                            (c->start.box->net == BOX_NET_HOST ? 0 : EXEC_LAYER_NETWORK) |
                            (c->start.box->counted ? EXEC_LAYER_COUNT : 0);
    else if (!c->killed && c->start.box->given == BOX_GIVEN_NOTHING)
        run_plain(c);
    struct rusage usage;
    if (getrusage(RUSAGE_CHILDREN, &usage) == 0) {
        c->report.user_ns = nanoseconds(usage.ru_utime);
        c->report.sys_ns = nanoseconds(usage.ru_stime);
        c->report.max_rss_kb = usage.ru_maxrss;
    }
}

static int open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGQUIT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int refuse(const struct call *c, int e, const char *what)
{
    struct exec_report report = c->report;
    report.start_errno = e;
    snprintf(report.failed, sizeof(report.failed), "%s", what);
    ssize_t ignored = write(EXEC_CONTROL_FD, &report, sizeof(report));
    (void)ignored;
    return 2;
}

// The descriptors go with it when all there should be are there, and the call had its own network up.
static void send_report(const struct call *c)
{
    struct exec_report report = c->report;
    size_t count = c->user ? 2 : 1;
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(EXEC_SPACES_MAX * sizeof(int))];
    } rights = {.room = {0}};
    struct iovec part = {.iov_base = &report, .iov_len = sizeof(report)};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (c->spaces[count - 1] >= 0 && report.layers & EXEC_LAYER_NETWORK && !report.start_errno) {
        message.msg_control = &rights;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(header), c->spaces, count * sizeof(int));
    }
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) // the worker reads the streams to their end
        close(fd);
    ssize_t ignored = sendmsg(EXEC_CONTROL_FD, &message, MSG_NOSIGNAL); // nobody there: we were ended because of that
    (void)ignored;
}

int main(int argc, char **argv)
{
    static struct box box; // large, and one for the life of the process
    if (argc >= 2 && strcmp(argv[1], "--probe") == 0)
        return probe_print();
    if (argc < 3 || fcntl(EXEC_CONTROL_FD, F_SETFD, FD_CLOEXEC) < 0) {
        fprintf(stderr, "baton-exec: started by Baton's workers only, with a control socket as descriptor %d\n",
                EXEC_CONTROL_FD);
        return 2;
    }
    char cwd[4096];
    struct call c = {.start = {.command = argv + 1, .box = &box, .cwd = cwd},
                     .report = {.magic = EXEC_REPORT_MAGIC, .wait_status = SIGKILL},
                     .spaces = {-1, -1}};
    prctl(PR_SET_PDEATHSIG, SIGTERM); // besides the control socket, should somebody else hold its other end
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    int e = box_read(EXEC_BOX_FD, &box);
    if (e)
        return refuse(&c, e, "the description of the box");
    close(EXEC_BOX_FD);
    e = confine_take(&box);
    if (e)
        return refuse(&c, e, "the namespaces of the stage");
    if (!getcwd(cwd, sizeof(cwd)))
        return refuse(&c, errno, "the working folder");
    c.signals = open_signals();
    if (c.signals < 0 || pipe2(c.notes, O_CLOEXEC | O_NONBLOCK) < 0) {
        fprintf(stderr, "baton-exec: %s\n", strerror(errno));
        return 2;
    }
    c.start.notes = c.notes[1];
    run(&c);
    c.report.killed = c.killed;
    c.report.confined = c.confined;
    for (int i = 1; i < argc; i++) // while we end, nobody shall take us for the tool
        memset(argv[i], 0, strlen(argv[i]));
    send_report(&c);
    return 0;
}
