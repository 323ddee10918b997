#include "confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OPEN_FILES_MAX = 16384 };

// The child's end of the release pipe: which[0] is read by the child, which[1] written by the parent.
static int release_pipe[2];
static bool in_user_namespace;

// glibc's clone() wants a stack for the child; the system call does without one, like fork(). Fork handlers do not run, which
// is right here: this program has one thread and no handlers.
static pid_t clone_like_fork(unsigned long flags)
{
    return (pid_t)syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL);
}

pid_t confine_fork(int *ret_release_fd)
{
    if (pipe2(release_pipe, O_CLOEXEC) < 0)
        return -1;
    in_user_namespace = false;
    pid_t pid = clone_like_fork(CLONE_NEWPID | CLONE_NEWNS);
    if (pid < 0) {
        in_user_namespace = true;
        pid = clone_like_fork(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS);
    }
    if (pid == 0) {
        close(release_pipe[1]);
        *ret_release_fd = release_pipe[0];
        return 0;
    }
    close(release_pipe[0]);
    *ret_release_fd = release_pipe[1];
    if (pid < 0)
        close(release_pipe[1]);
    return pid;
}

static void write_proc(pid_t pid, const char *name, const char *text)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t ignored = write(fd, text, strlen(text)); // the child notices: it cannot mount without a mapping
    (void)ignored;
    close(fd);
}

void confine_release(pid_t child, int release_fd)
{
    if (in_user_namespace) {
        char map[64];
        write_proc(child, "setgroups", "deny");
        snprintf(map, sizeof(map), "%u %u 1\n", (unsigned)geteuid(), (unsigned)geteuid());
        write_proc(child, "uid_map", map);
        snprintf(map, sizeof(map), "%u %u 1\n", (unsigned)getegid(), (unsigned)getegid());
        write_proc(child, "gid_map", map);
    }
    ssize_t ignored = write(release_fd, "g", 1);
    (void)ignored;
    close(release_fd);
}

bool confine_enter(int release_fd)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    char go;
    // No byte: our parent died before the line above could take effect.
    if (read(release_fd, &go, 1) != 1)
        _exit(1);
    close(release_fd);
    // Tools that look at /proc/<own pid> must find themselves: perf does.
    return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0;
}

static bool write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0)
        close(fd);
    return written;
}

// Since Linux 6.14 a PID namespace has its own kernel.pid_max; before, writing it would change the whole machine's.
static bool own_pid_max(void)
{
    struct utsname host;
    int major = 0, minor = 0;
    return uname(&host) == 0 && sscanf(host.release, "%d.%d", &major, &minor) == 2 &&
           (major > 6 || (major == 6 && minor >= 14));
}

// The kernel gives numbers below this one only once; behind it there are as many as pid_max leaves.
enum { RESERVED_PIDS = 300 };

static bool skip_reserved(void)
{
    char text[16];
    snprintf(text, sizeof(text), "%d", RESERVED_PIDS);
    if (write_text("/proc/sys/kernel/ns_last_pid", text))
        return true;
    for (int i = 0; i < RESERVED_PIDS; i++) { // without checkpoint support in the kernel: use them up
        pid_t pid = fork();
        if (pid == 0)
            _exit(0);
        if (pid < 0 || waitpid(pid, NULL, 0) < 0)
            return false;
        if (pid >= RESERVED_PIDS)
            return true;
    }
    return true;
}

bool confine_wall(long processes)
{
    char text[32];
    snprintf(text, sizeof(text), "%ld",
             RESERVED_PIDS + (processes < 1         ? 1
                              : processes > 4000000 ? 4000000
                                                    : processes));
    if (own_pid_max() && skip_reserved() && write_text("/proc/sys/kernel/pid_max", text))
        return true;
    if (!in_user_namespace || geteuid() == 0) // the kernel lets root have as many as it wants
        return false;
    // Counted per user and user namespace, and this one is new: we and the tools.
    const struct rlimit most = {(rlim_t)processes + 1, (rlim_t)processes + 1};
    return setrlimit(RLIMIT_NPROC, &most) == 0;
}

int confine_tasks(void)
{
    char text[128];
    int fd = open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = '\0';
    const char *last = strrchr(text, ' ');
    long pid = last ? strtol(last, NULL, 10) : 0;
    return pid > 1 ? (int)pid - 1 : 0;
}

static void cap_limit(int resource, rlim_t most)
{
    struct rlimit limit;
    if (getrlimit((__rlimit_resource_t)resource, &limit) < 0)
        return;
    if (limit.rlim_max > most)
        limit.rlim_max = most;
    limit.rlim_cur = limit.rlim_max;
    setrlimit((__rlimit_resource_t)resource, &limit);
}

int confine_self(void)
{
    setsid(); // fails only for a leader, which a new process is not
    cap_limit(RLIMIT_CORE, 0);
    cap_limit(RLIMIT_NOFILE, OPEN_FILES_MAX);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return errno;
    if (close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
        return errno;
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    return 0;
}
