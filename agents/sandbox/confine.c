#include "confine.h"

#include "filter.h"
#include "group.h"
#include "landlock.h"
#include "report.h"
#include "view.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OPEN_FILES_MAX = 16384, CAPABILITIES = 64 };

// The child's end of the release pipe: which[0] is read by the child, which[1] written by the parent.
static int release_pipe[2];
static bool in_user_namespace, mapped, born_in_group;

// glibc's clone() wants a stack for the child; the system call does without one, like fork(). Fork handlers do not run,
// which is right here: this program has one thread and no handlers.
static pid_t clone_like_fork(unsigned long flags)
{
    return (pid_t)syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL);
}

// Into a control group of version 2 the child is born, which costs nothing; joining one later makes everybody wait.
static pid_t clone_into(const struct box *b, unsigned long flags)
{
    int dir = b->groups[0] && group_unified(b->groups[0]) ? open(b->groups[0], O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    if (dir < 0)
        return -1;
    struct clone_args args = {
        .flags = flags | CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = (uint64_t)(unsigned)dir};
    pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
    born_in_group = pid == 0;
    close(dir);
    return pid;
}

static pid_t clone_child(const struct box *b, unsigned long flags)
{
    pid_t pid = clone_into(b, flags);
    return pid < 0 ? clone_like_fork(flags) : pid;
}

int confine_take(const struct box *b)
{
    if (b->given == BOX_GIVEN_NOTHING)
        return 0;
    if (fcntl(EXEC_NET_FD, F_SETFD, FD_CLOEXEC) < 0)
        return errno;
    if (b->given != BOX_GIVEN_USER)
        return 0;
    if (setns(EXEC_USER_FD, CLONE_NEWUSER) < 0)
        return errno;
    close(EXEC_USER_FD);
    prctl(PR_SET_DUMPABLE, 1); // both were lost with the change of rights
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    return 0;
}

int confine_net(const struct box *b)
{
    if (b->given == BOX_GIVEN_NOTHING)
        return 0;
    int e = setns(EXEC_NET_FD, CLONE_NEWNET) < 0 ? errno : 0;
    close(EXEC_NET_FD);
    return e;
}

pid_t confine_fork(const struct box *b, int *ret_release_fd, bool *ret_user)
{
    if (pipe2(release_pipe, O_CLOEXEC) < 0)
        return -1;
    bool own_net = b->net != BOX_NET_HOST && b->given == BOX_GIVEN_NOTHING;
    unsigned long spaces = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | (own_net ? CLONE_NEWNET : 0);
    in_user_namespace = b->given == BOX_GIVEN_USER;
    mapped = in_user_namespace;
    pid_t pid = clone_child(b, spaces);
    if (pid < 0 && b->given == BOX_GIVEN_NOTHING) {
        in_user_namespace = true;
        pid = clone_child(b, CLONE_NEWUSER | spaces);
    }
    if (pid == 0) {
        close(release_pipe[1]);
        *ret_release_fd = release_pipe[0];
        return 0;
    }
    close(release_pipe[0]);
    *ret_release_fd = release_pipe[1];
    *ret_user = in_user_namespace;
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
    if (in_user_namespace && !mapped) {
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

void confine_wait(int release_fd)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    char go;
    // No byte: our parent died before the line above could take effect.
    if (read(release_fd, &go, 1) != 1)
        _exit(1);
    close(release_fd);
}

int confine_join(const struct box *b)
{
    int e = 0;
    for (size_t i = 0; i < BOX_GROUPS && b->groups[i] && !born_in_group && e == 0; i++)
        e = group_join(b->groups[i]);
    return e;
}

static int raise_loopback(void)
{
    struct ifreq request = {.ifr_flags = IFF_UP | IFF_RUNNING};
    memcpy(request.ifr_name, "lo", 3);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno == EAFNOSUPPORT ? 0 : errno; // no IP in this kernel: nothing to raise
    int e = ioctl(fd, SIOCSIFFLAGS, &request) < 0 ? errno : 0;
    close(fd);
    return e;
}

int confine_enter(const struct box *b, struct view_failure *ret)
{
    int e = view_enter(b, ret);
    if (e == 0 && b->net == BOX_NET_LO && b->given == BOX_GIVEN_NOTHING) {
        ret->what = "the loopback device";
        e = raise_loopback();
    }
    prctl(PR_SET_DUMPABLE, 0); // the tool has our user: it shall not look into the init
    return e;
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

bool confine_wall(uint64_t processes)
{
    char text[32];
    snprintf(text, sizeof(text), "%" PRIu64, RESERVED_PIDS + (processes > 4000000 ? 4000000 : processes));
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

static void set_limits(const struct box *b)
{
    cap_limit(RLIMIT_CORE, 0);
    cap_limit(RLIMIT_NOFILE, OPEN_FILES_MAX);
    if (b->file_max)
        cap_limit(RLIMIT_FSIZE, b->file_max);
    if (b->pids_max && geteuid() != 0) // the kernel does not hold root to it
        cap_limit(RLIMIT_NPROC, b->pids_max);
}

static int drop_capabilities(const struct box *b)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    uint32_t keep = b->keep_dac ? 1U << CAP_DAC_OVERRIDE : 0U;
    if (syscall(SYS_capget, &header, data) < 0)
        return errno;
    for (int cap = 0; cap < CAPABILITIES; cap++) {
        if ((keep && cap == CAP_DAC_OVERRIDE) || prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0)
            continue;
        if (errno == EINVAL || errno == EPERM) // behind the last one; an ordinary user, who has nothing to drop
            break;
        return errno;
    }
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    data[0] =
        (struct __user_cap_data_struct){.effective = data[0].effective & keep, .permitted = data[0].permitted & keep};
    data[1] = (struct __user_cap_data_struct){0};
    return syscall(SYS_capset, &header, data) < 0 ? errno : 0;
}

// Without a view there is nothing that holds the files: they are compared as late as possible.
static int check_pins(const struct box *b, const char **ret_what)
{
    int e = 0;
    for (size_t i = 0; i < b->count && e == 0; i++) {
        int fd = b->items[i].pinned ? open(b->items[i].source, O_PATH | O_CLOEXEC) : -1;
        if (fd < 0)
            continue;
        *ret_what = b->items[i].path;
        e = box_identity_check(&b->items[i].is, fd);
        close(fd);
    }
    return e;
}

int confine_self(const struct box *b, bool entered, int *ret_layers, const char **ret_what)
{
    setsid(); // fails only for a leader, which a new process is not
    set_limits(b);
    int e = entered ? 0 : check_pins(b, ret_what);
    if (e)
        return e;
    *ret_what = "capabilities";
    e = drop_capabilities(b);
    if (e == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        e = errno;
    if (e)
        return e;
    *ret_what = "Landlock";
    e = landlock_enforce(b, !entered);
    if (e == 0)
        *ret_layers |= EXEC_LAYER_LANDLOCK;
    else if (b->require != BOX_REQUIRE_NONE)
        return e;
    if (close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
        return errno;
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    *ret_what = "the filter of system calls";
    e = filter_enforce(b, entered && b->net != BOX_NET_HOST);
    if (e == 0)
        *ret_layers |= EXEC_LAYER_CALLS;
    return b->require == BOX_REQUIRE_NONE ? 0 : e;
}
