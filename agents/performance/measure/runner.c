#include "measure/runner.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define POLL_MS            50
#define DEFAULT_TIMEOUT_NS (600 * NS_PER_SEC)
#define ERROR_MAX          ((off_t)64 * 1024 * 1024)
#define LEFTOVER_NS        (5 * NS_PER_SEC)
#define PADDING_NAME       "BATON_PADDING="

extern char **environ; // NOLINT: declared by POSIX for the program to use

// What the child needs, complete before vfork: it runs in our memory and may only make system calls.
struct launch {
    char *program;
    char **argv, **env;
    char *padding;
    const char *cwd;
    int in, out, error;
    pid_t parent;
    volatile int failed_errno; // written by the child
    const char *volatile failed_step;
};

static void launch_free(struct launch *l)
{
    mem_free(l->program);
    mem_free(l->argv);
    mem_free(l->env);
    mem_free(l->padding);
    int fds[] = {l->in, l->out, l->error};
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

static size_t list_len(const char *const *list)
{
    size_t n = 0;
    while (list && list[n])
        n++;
    return n;
}

static const char *const *call_env(const struct runner_call *call)
{
    return call->env ? call->env : (const char *const *)environ;
}

static int fill_vectors(struct launch *l, const struct runner_call *call, struct err *err)
{
    size_t prefix = list_len(call->argv_prefix), args = list_len(call->argv);
    const char *const *env = call_env(call);
    size_t variables = list_len(env);
    if (args == 0 || prefix + args > RUNNER_ARGS_MAX)
        return err_set(err, ERR_INVALID, "a command has %zu words, expected 1 to %zu", prefix + args, RUNNER_ARGS_MAX);
    if (variables > RUNNER_ENV_MAX || call->padding > RUNNER_PADDING_MAX)
        return err_set(err, ERR_INVALID, "the environment of \"%s\" is too large", call->argv[0]);
    l->argv = mem_array(prefix + args + 1, sizeof(char *));
    if (prefix)
        memcpy(l->argv, call->argv_prefix, prefix * sizeof(char *));
    memcpy(l->argv + prefix, call->argv, args * sizeof(char *));
    l->env = mem_array(variables + 2, sizeof(char *));
    memcpy(l->env, env, variables * sizeof(char *));
    if (call->padding) {
        size_t name = strlen(PADDING_NAME);
        l->padding = mem_alloc(name + call->padding + 1);
        memcpy(l->padding, PADDING_NAME, name);
        memset(l->padding + name, 'x', call->padding);
        l->env[variables] = l->padding;
    }
    l->program = path_find_program(l->argv[0]);
    if (!l->program && strchr(l->argv[0], '/'))
        l->program = str_dup(l->argv[0]); // relative to cwd: exec decides
    if (!l->program)
        return err_set(err, ERR_NOT_FOUND, "the program \"%s\" is not in PATH", l->argv[0]);
    return 0;
}

static int open_streams(struct launch *l, const struct runner_call *call, struct err *err)
{
    const char *in = call->stdin_path ? call->stdin_path : "/dev/null";
    l->in = open(in, O_RDONLY | O_CLOEXEC);
    if (l->in < 0)
        return err_sys(err, errno, "cannot open \"%s\" as input of the command", in);
    l->out = call->keep_output ? memfd_create("output", MFD_CLOEXEC) : open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (l->out < 0)
        return err_sys(err, errno, "cannot make a place for the output of \"%s\"", call->argv[0]);
    l->error = memfd_create("errors", MFD_CLOEXEC);
    if (l->error < 0)
        return err_sys(err, errno, "cannot make a place for the errors of \"%s\"", call->argv[0]);
    return 0;
}

static void give_up(struct launch *l, const char *step)
{
    l->failed_errno = errno;
    l->failed_step = step;
    _exit(127);
}

// In the child, in borrowed memory: no allocation, no locks, no return.
static void child(struct launch *l)
{
    setsid();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != l->parent)
        _exit(127);
    if (dup2(l->in, 0) < 0 || dup2(l->out, 1) < 0 || dup2(l->error, 2) < 0)
        give_up(l, "redirect the streams of");
    if (l->cwd && chdir(l->cwd) < 0)
        give_up(l, "enter the working folder of");
    sigset_t none;
    sigemptyset(&none);
    struct sigaction usual = {.sa_handler = SIG_DFL};
    sigaction(SIGPIPE, &usual, NULL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execve(l->program, l->argv, l->env);
    give_up(l, "start");
}

// A function of its own, never inlined: the frame that calls vfork must not be left by the child.
__attribute__((noinline)) static pid_t start_child(struct launch *l)
{
    pid_t pid = vfork();
    if (pid == 0)
        child(l);
    return pid;
}

static int spawn(struct launch *l, const char *name, pid_t *ret, struct err *err)
{
    sigset_t all, before;
    sigfillset(&all);
    l->parent = getpid();
    pthread_sigmask(SIG_SETMASK, &all, &before); // no handler of ours may run in the child's borrowed memory
    pid_t pid = start_child(l);
    int saved = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (pid < 0)
        return err_sys(err, saved, "cannot start \"%s\"", name);
    if (l->failed_step) {
        waitpid(pid, NULL, 0);
        return err_sys(err, l->failed_errno, "cannot %s \"%s\"", l->failed_step, name);
    }
    *ret = pid;
    return 0;
}

static off_t stream_size(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? st.st_size : 0;
}

// Why the run has to end now, or 0.
static int verdict_to_kill(const struct runner_call *call, const struct launch *l, int64_t deadline, struct err *err)
{
    if (call->cancelled && call->cancelled(call->user))
        return err_set(err, ERR_CANCELLED, "\"%s\" was cancelled", call->argv[0]);
    if (clock_mono_ns() > deadline)
        return err_set(err, ERR_TIMEOUT, "\"%s\" took longer than its limit and was ended", call->argv[0]);
    if (stream_size(l->out) > (off_t)RUNNER_OUTPUT_MAX || stream_size(l->error) > ERROR_MAX)
        return err_set(err, ERR_LIMIT, "\"%s\" wrote more than %zu bytes and was ended; use a smaller input",
                       call->argv[0], RUNNER_OUTPUT_MAX);
    return 0;
}

static int watch(pid_t pid, const struct runner_call *call, const struct launch *l, int64_t deadline, struct err *err)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    int rc = 0;
    for (;;) {
        if (fd >= 0) {
            struct pollfd p = {.fd = fd, .events = POLLIN};
            if (poll(&p, 1, POLL_MS) > 0)
                break;
        } else { // kernels before 5.3
            siginfo_t info = {0};
            if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid)
                break;
            poll(NULL, 0, 1);
        }
        rc = verdict_to_kill(call, l, deadline, err);
        if (rc < 0)
            break;
    }
    if (fd >= 0)
        close(fd);
    return rc;
}

static int64_t time_ns(struct timeval t)
{
    return t.tv_sec * NS_PER_SEC + t.tv_usec * (NS_PER_SEC / 1000000);
}

static void fill_result(struct runner_result *r, int status, const struct rusage *usage)
{
    r->user_ns = time_ns(usage->ru_utime);
    r->sys_ns = time_ns(usage->ru_stime);
    r->cpu_ns = r->user_ns + r->sys_ns;
    r->max_rss_kb = usage->ru_maxrss;
    struct rusage own;
    r->rss_is_bound = getrusage(RUSAGE_SELF, &own) == 0 && usage->ru_maxrss <= own.ru_maxrss;
    r->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    r->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static int hash_stream(int fd, struct buf *copy, struct runner_result *r, struct err *err)
{
    off_t size = stream_size(fd);
    if (size == 0) {
        hash_bytes("", 0, r->output);
        return 0;
    }
    if (size > (off_t)RUNNER_OUTPUT_MAX)
        return err_set(err, ERR_LIMIT, "the command wrote more than %zu bytes", RUNNER_OUTPUT_MAX);
    void *map = mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        return err_sys(err, errno, "cannot read the output of the command back");
    hash_bytes(map, (size_t)size, r->output);
    if (copy)
        buf_add(copy, map, (size_t)size);
    munmap(map, (size_t)size);
    r->output_bytes = (uint64_t)size;
    return 0;
}

static void read_error_tail(int fd, struct runner_result *r)
{
    off_t size = stream_size(fd);
    off_t from = size > RUNNER_ERROR_TAIL - 1 ? size - (RUNNER_ERROR_TAIL - 1) : 0;
    ssize_t n = pread(fd, r->error_tail, RUNNER_ERROR_TAIL - 1, from);
    r->error_tail[n > 0 ? n : 0] = '\0';
}

static bool is_child(const char *pid)
{
    char path[300], text[512];
    snprintf(path, sizeof(path), "/proc/%s/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = '\0';
    const char *p = strrchr(text, ')'); // the name before it is the process's to choose
    return p && strlen(p) > 4 && strtol(p + 4, NULL, 10) == (long)getpid();
}

// Every process below us becomes our child in the end, because its parents are killed.
static int end_leftovers(const char *name, struct err *err)
{
    int64_t give_up = clock_mono_ns() + LEFTOVER_NS;
    while (waitpid(-1, NULL, WNOHANG) >= 0 || errno == EINTR) {
        DIR *proc = opendir("/proc");
        struct dirent *entry;
        while (proc && (entry = readdir(proc)) != NULL) {
            if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' && is_child(entry->d_name))
                kill((pid_t)strtol(entry->d_name, NULL, 10), SIGKILL);
        }
        if (proc)
            closedir(proc);
        poll(NULL, 0, 1);
        if (clock_mono_ns() > give_up)
            return err_set(err, ERR_TIMEOUT, "\"%s\" leaves processes behind that cannot be ended", name);
    }
    return 0;
}

int runner_run(const struct runner_call *call, struct runner_result *ret, struct err *err)
{
    AUTO(launch_free) struct launch l = {.cwd = call->cwd, .in = -1, .out = -1, .error = -1};
    int rc = fill_vectors(&l, call, err);
    if (rc >= 0)
        rc = open_streams(&l, call, err);
    if (rc < 0)
        return rc;
    struct runner_result r = {0};
    int64_t start = clock_mono_ns();
    pid_t pid = 0;
    rc = spawn(&l, call->argv[0], &pid, err);
    if (rc < 0)
        return rc;
    rc = watch(pid, call, &l, start + (call->timeout_ns > 0 ? call->timeout_ns : DEFAULT_TIMEOUT_NS), err);
    r.wall_ns = clock_mono_ns() - start;
    // The leader is not reaped yet, so its group number cannot belong to anyone else.
    kill(-pid, SIGKILL);
    int status = 0;
    struct rusage usage = {0};
    pid_t reaped;
    do
        reaped = wait4(pid, &status, 0, &usage);
    while (reaped < 0 && errno == EINTR);
    int saved = errno;
    if (call->alone && rc >= 0)
        rc = end_leftovers(call->argv[0], err);
    if (rc < 0)
        return rc;
    if (reaped < 0) // somebody set SIGCHLD to ignored: the kernel threw the result away
        return err_sys(err, saved, "cannot read how \"%s\" ended", call->argv[0]);
    fill_result(&r, status, &usage);
    if (call->keep_output)
        rc = hash_stream(l.out, call->output, &r, err);
    if (rc < 0)
        return rc;
    read_error_tail(l.error, &r);
    *ret = r;
    return 0;
}

static size_t list_bytes(const char *const *list)
{
    size_t n = 0;
    for (size_t i = 0; list && list[i]; i++)
        n += strlen(list[i]) + 1;
    return n;
}

size_t runner_stack_bytes(const struct runner_call *call)
{
    const char *first = call->argv_prefix && call->argv_prefix[0] ? call->argv_prefix[0] : call->argv[0];
    AUTO_FREE char *program = path_find_program(first);
    return strlen(program ? program : first) + list_bytes(call->argv_prefix) + list_bytes(call->argv) +
           list_bytes(call_env(call));
}

char *runner_describe(const struct runner_result *r)
{
    AUTO_FREE char *copy = str_dup(r->error_tail);
    char *tail = str_trim(copy);
    char *line = strrchr(tail, '\n'); // the last line says most
    line = line ? line + 1 : tail;
    const char *between = *line ? ": " : "";
    if (r->signal)
        return str_printf("signal %d (%s)%s%s", r->signal, strsignal(r->signal), between, line);
    return str_printf("exit %d%s%s", r->exit_code, between, line);
}
