// Further attempts, and what the cases of the public set say in words.
#include "attacks.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <mqueue.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const off_t LARGE = (off_t)100 << 30;
enum { FIRST_DESCRIPTOR = 3, LAST_DESCRIPTOR = 1023, PIDS = 40000, RACES = 20000 };

extern char **environ;

static int shows(const char *path)
{
    char text[65536];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));
    if (n > 0)
        fwrite(text, 1, (size_t)n, stdout);
    if (fd >= 0)
        close(fd);
    return n > 0;
}

static pid_t parent_of(pid_t pid)
{
    char path[64], text[512] = {0};
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (fd >= 0)
        close(fd);
    const char *end = n > 0 ? strrchr(text, ')') : NULL;
    return end && strlen(end) > 4 ? (pid_t)strtol(end + 4, NULL, 10) : 0;
}

// 1: the attempt returned true; it may be killed for trying.
static int survives(int (*attempt)(void))
{
    int status;
    pid_t pid = fork();
    if (pid == 0)
        _exit(attempt() ? 0 : 1);
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// --- what is shown ---

static int a_print_environment(void)
{
    for (char **e = environ; *e; e++)
        puts(*e);
    return 1;
}
static int a_print_environments(void)
{
    int any = 0;
    for (int pid = 1; pid < PIDS; pid++) {
        char path[64];
        snprintf(path, sizeof(path), "/proc/%d/environ", pid);
        any |= shows(path);
    }
    return any;
}
static int a_print_file(void)
{
    return shows(argument(1));
}
static int a_standard_input(void)
{
    char text[4096];
    ssize_t n = read(STDIN_FILENO, text, sizeof(text));
    if (n > 0)
        fwrite(text, 1, (size_t)n, stdout);
    return n > 0;
}
static int a_terminal(void) // the one that we were started from
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (ioctl(fd, TIOCSTI, "x") == 0)
            return 1;
    return opens("/dev/tty", O_RDWR);
}

// --- processes ---

// The first PID namespace of a machine has this number everywhere.
static int is_real_machine(void)
{
    char name[64] = {0};
    return readlink("/proc/self/ns/pid", name, sizeof(name) - 1) < 0 || strcmp(name, "pid:[4026531836]") == 0;
}

// Everybody but those who started us. Never on a real machine: it ends every process there; cases.py runs it in one to
// throw away.
static int a_kill_named(void)
{
    char keep[PIDS] = {0};
    int any = 0;
    if (is_real_machine())
        return 0;
    for (pid_t pid = getpid(); pid > 0 && pid < PIDS; pid = parent_of(pid))
        keep[pid] = 1;
    for (pid_t pid = 1; pid < PIDS; pid++)
        any |= !keep[pid] && kill(pid, SIGUSR1) == 0;
    return any;
}
static int a_memory_above(void)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/mem", (int)getppid());
    return opens(path, O_RDWR);
}
static int a_descriptors_above(void) // to open again what it holds, or at least to see what that is
{
    char path[64], target[4096];
    for (int fd = 0; fd < 64; fd++) {
        snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)getppid(), fd);
        if (readlink(path, target, sizeof(target)) > 0 || opens(path, O_RDONLY | O_NONBLOCK))
            return 1;
    }
    return 0;
}
static int a_take_descriptor_above(void)
{
    int fd = (int)syscall(SYS_pidfd_open, getppid(), 0);
    return fd >= 0 && syscall(438, fd, 1, 0) >= 0; // pidfd_getfd
}
static int a_inherited(void)
{
    for (int fd = FIRST_DESCRIPTOR; fd <= LAST_DESCRIPTOR; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            return 1;
    return 0;
}
static int a_real_time(void)
{
    return sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 50}) == 0;
}
static int a_priority(void)
{
    return setpriority(PRIO_PROCESS, 0, -5) == 0;
}
static int a_core_files(void)
{
    const struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
    return setrlimit(RLIMIT_CORE, &all) == 0;
}

// --- communication ---

static int a_message_queue(void)
{
    const struct {
        long type;
        char text[4];
    } message = {1, "hi"};
    return msgsnd(atoi(argument(1)), &message, sizeof(message.text), IPC_NOWAIT) == 0;
}
static int a_semaphore(void)
{
    struct sembuf up = {.sem_op = 1, .sem_flg = IPC_NOWAIT};
    return semop(atoi(argument(1)), &up, 1) == 0;
}
static int a_posix_queue(void)
{
    return mq_open(argument(1), O_WRONLY) != (mqd_t)-1;
}
static int a_crypto_socket(void)
{
    return socket(38, SOCK_SEQPACKET, 0) >= 0; // AF_ALG
}
static int a_bluetooth(void)
{
    return socket(31, SOCK_RAW, 0) >= 0; // AF_BLUETOOTH
}

// --- files ---

static int a_large_file(void)
{
    int fd = open(argument(1), O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    signal(SIGXFSZ, SIG_IGN);
    return fd >= 0 && ftruncate(fd, LARGE) == 0 && pwrite(fd, "x", 1, LARGE) == 1;
}
static int a_map_shared(void)
{
    int fd = open(argument(1), O_RDWR | O_CLOEXEC);
    char *map = fd < 0 ? MAP_FAILED : mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        return 0;
    map[0] = 'x';
    return msync(map, 1, MS_SYNC) == 0;
}
static int a_write_through_proc(void) // a descriptor opened for reading, opened again for writing
{
    char path[64];
    int fd = open(argument(1), O_RDONLY | O_CLOEXEC);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return fd >= 0 && writes(path);
}
static int a_rename_over(void) // the folder that holds it is moved away, and one of our own put in its place
{
    char file[4200];
    if (rename(argument(1), argument(2)) < 0 || mkdir(argument(1), 0755) < 0)
        return 0;
    snprintf(file, sizeof(file), "%s/config.toml", argument(1));
    return writes(file);
}
// A folder of ours and a link to theirs change places without end, while we look into it.
static int a_race_symlink(void)
{
    char link[4200], key[4200], byte = 0;
    int found = 0, begun[2];
    snprintf(link, sizeof(link), "%s-link", argument(2));
    snprintf(key, sizeof(key), "%s/key", argument(2));
    if (symlink(argument(1), link) < 0 || pipe(begun) < 0)
        return 0;
    pid_t pid = fork();
    if (pid == 0)
        for (int first = 1;; first = 0) {
            (void)renameat2(AT_FDCWD, link, AT_FDCWD, argument(2), RENAME_EXCHANGE);
            if (first)
                (void)!write(begun[1], "", 1);
        }
    (void)!read(begun[0], &byte, 1); // on a busy machine the other side would come when this one is done
    for (int i = 0; i < RACES && !found; i++) {
        found = reads(key);
        sched_yield();
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return found;
}
// Every name of a list below a folder: written to, replaced by another file, filled as a folder, moved away.
static int a_steer(void)
{
    char names[4096], path[8300], other[8400];
    int any = 0;
    snprintf(names, sizeof(names), "%s", argument(2));
    for (char *name = strtok(names, ","); name; name = strtok(NULL, ",")) {
        snprintf(path, sizeof(path), "%s/%s", argument(1), name);
        for (char *slash = strchr(path + strlen(argument(1)) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
            *slash = '\0';
            (void)mkdir(path, 0755);
            *slash = '/';
        }
        any |= writes(path);
        snprintf(other, sizeof(other), "%s.new", path);
        any |= writes(other) && rename(other, path) == 0;
        any |= rename(path, other) == 0;
        any |= mkdir(path, 0755) == 0;
        snprintf(other, sizeof(other), "%s/kept", path);
        any |= writes(other);
    }
    return any;
}
static int a_immutable(void)
{
    int flags = 0, fd = open(argument(1), O_RDONLY | O_CLOEXEC);
    if (fd < 0 || ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0)
        return 0;
    flags |= FS_IMMUTABLE_FL;
    if (ioctl(fd, FS_IOC_SETFLAGS, &flags) < 0)
        return 0;
    flags &= ~FS_IMMUTABLE_FL;
    return ioctl(fd, FS_IOC_SETFLAGS, &flags) == 0;
}
static int a_open_any_device(void)
{
    static const char *const DEVICES[] = {"/dev/fuse", "/dev/net/tun", "/dev/kvm", "/dev/loop-control", "/dev/mem"};
    for (size_t i = 0; i < sizeof(DEVICES) / sizeof(DEVICES[0]); i++)
        if (opens(DEVICES[i], O_RDWR))
            return 1;
    return opens("/dev/ptmx", O_RDWR);
}
static int a_script(void) // a script of our own that names an interpreter
{
    int fd = open(argument(1), O_CREAT | O_WRONLY | O_CLOEXEC, 0755);
    if (fd < 0 || write(fd, "#!/bin/sh\nexit 0\n", 17) != 17)
        return 0;
    close(fd);
    return starts((char *)(uintptr_t)argument(1), (char *[]){"script", NULL});
}
static int a_set_uid_program(void)
{
    return starts("/usr/bin/su", (char *[]){"su", "--version", NULL});
}

// --- kernel ---

static int try_propagation(void)
{
    (void)unshare(CLONE_NEWNS);
    return mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) == 0;
}
static int a_propagation(void)
{
    return survives(try_propagation);
}
static int try_old_calls(void)
{
#if defined(__x86_64__)
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20L) : "memory"); // getpid of 32-bit programs
    return result > 0;
#else
    return 0;
#endif
}
static int a_old_calls(void)
{
    return survives(try_old_calls);
}
static int try_x32_calls(void)
{
    return syscall(0x40000000 + 39) > 0; // getpid of x32
}
static int a_x32_calls(void)
{
    return survives(try_x32_calls);
}
static int a_kernel_log(void)
{
    return klogctl(10, NULL, 0) > 0;
}
static int a_kernel_memory(void)
{
    return opens("/proc/kcore", O_RDONLY);
}
static int a_core_pattern(void)
{
    return opens("/proc/sys/kernel/core_pattern", O_WRONLY) || opens("/proc/sys/vm/drop_caches", O_WRONLY);
}
static int a_leave_group(void)
{
    static const char *const FILES[] = {"/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/pids/cgroup.procs",
                                        "/sys/fs/cgroup/unified/cgroup.procs"};
    for (size_t i = 0; i < sizeof(FILES) / sizeof(FILES[0]); i++)
        if (opens(FILES[i], O_WRONLY))
            return 1;
    return 0;
}
static int a_memory_bomb(void)
{
    size_t size = (size_t)strtoull(argument(1), NULL, 10);
    char *room = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (size_t i = 0; room != MAP_FAILED && i < size; i += 4096)
        room[i] = 1;
    return room != MAP_FAILED;
}

static const struct {
    const char *name;
    int (*attempt)(void);
} ATTACKS[] = {
#define A(name) {#name, a_##name},
    A(print_environment) A(print_environments) A(print_file) A(standard_input) A(terminal) A(kill_named) A(memory_above)
        A(descriptors_above) A(take_descriptor_above) A(inherited) A(real_time) A(priority) A(core_files)
            A(message_queue) A(semaphore) A(posix_queue) A(crypto_socket) A(bluetooth) A(large_file) A(map_shared)
                A(write_through_proc) A(rename_over) A(immutable) A(open_any_device) A(script) A(set_uid_program)
                    A(propagation) A(old_calls) A(x32_calls) A(kernel_log) A(kernel_memory) A(core_pattern)
                        A(leave_group) A(memory_bomb) A(race_symlink) A(steer)
#undef A
};

int more_attacks(const char *name)
{
    for (size_t i = 0; i < sizeof(ATTACKS) / sizeof(ATTACKS[0]); i++)
        if (strcmp(name, ATTACKS[i].name) == 0)
            return ATTACKS[i].attempt() ? 0 : 1;
    return 2;
}
