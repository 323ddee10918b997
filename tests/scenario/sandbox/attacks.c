// One attempt per name, to be run with and without a box. Exit status 0: it worked; 1: it was stopped; 2: unknown name.
// Arguments behind the name are what the test prepared: paths, a process, a port.
#include "attacks.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROCESSES = 5000 };

extern char **environ;

static const char *first, *second;

const char *argument(int number)
{
    return number == 1 ? first : second;
}

int opens(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0644);
    return fd >= 0;
}

int writes(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    return fd >= 0 && write(fd, "x", 1) == 1;
}

int reads(const char *path)
{
    char byte;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && read(fd, &byte, 1) == 1;
}

int starts(const char *program, char *const argv[])
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);
        dup2(null, 1);
        dup2(null, 2);
        execv(program, argv);
        _exit(126);
    }
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int copies(const char *from, int to)
{
    char room[65536];
    ssize_t n;
    int fd = open(from, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || to < 0)
        return 0;
    while ((n = read(fd, room, sizeof(room))) > 0)
        if (write(to, room, (size_t)n) != n)
            return 0;
    close(fd);
    return n == 0;
}

static int connects_in(int type, int send_only)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(first)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, type, 0);
    if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){.tv_sec = 2}, sizeof(struct timeval));
    if (send_only)
        return fd >= 0 && sendto(fd, "leak", 4, 0, (struct sockaddr *)&to, sizeof(to)) == 4 &&
               recv(fd, (char[4]){0}, 4, 0) == 4;
    return fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0;
}

static int connects_un(int abstract, int type)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t n = strlen(first);
    memcpy(to.sun_path + abstract, first, n);
    int fd = socket(AF_UNIX, type, 0);
    return fd >= 0 &&
           connect(fd, (struct sockaddr *)&to,
                   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)abstract + n + (abstract ? 0U : 1U))) ==
               0;
}

static int holds_secret(const char *path)
{
    char text[65536];
    int fd = open(path, O_RDONLY);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    return n > 0 && memmem(text, (size_t)n, "BATON_TEST_SECRET", 17) != NULL;
}

static int a_write_outside(void)
{
    return writes(first);
}
static int a_read_key(void)
{
    return reads(first);
}
static int a_tcp(void)
{
    return connects_in(SOCK_STREAM, 0);
}
static int a_udp(void)
{
    return connects_in(SOCK_DGRAM, 1);
}
static int a_ptrace(void)
{
    return ptrace(PTRACE_SEIZE, atoi(first), NULL, NULL) == 0;
}
static int a_signal(void)
{
    return kill(atoi(first), SIGUSR1) == 0;
}
static int a_abstract(void)
{
    return connects_un(1, SOCK_STREAM);
}
static int a_path_socket(void)
{
    return connects_un(0, SOCK_STREAM);
}
static int a_exec_foreign(void)
{
    return starts(first, (char *[]){"program", "--version", NULL});
}
static int a_exec_shell(void)
{
    return starts("/bin/sh", (char *[]){"sh", "-c", "true", NULL});
}
static int a_exec_python(void)
{
    return starts("/usr/bin/python3", (char *[]){"python3", "-c", "1", NULL});
}
static int a_loader(void)
{
    return starts("/lib64/ld-linux-x86-64.so.2", (char *[]){"ld.so", (char *)(size_t)first, "--version", NULL});
}
static int a_chmod(void)
{
    return chmod(first, 0600) == 0;
}
static int a_chown(void)
{
    return chown(first, getuid(), getgid()) == 0;
}
static int a_utime(void)
{
    return utimensat(AT_FDCWD, first, NULL, 0) == 0;
}
static int a_truncate(void)
{
    return truncate(first, 0) == 0;
}
static int a_rename(void)
{
    return rename(first, second) == 0;
}
static int a_unlink(void)
{
    return unlink(first) == 0;
}
static int a_hard_link(void)
{
    return link(first, second) == 0;
}
static int a_list(void)
{
    return opendir(first) != NULL && reads(second);
}
static int a_stat(void)
{
    return access(first, F_OK) == 0;
}
static int a_own_environment(void)
{
    return getenv("BATON_TEST_SECRET") != NULL || holds_secret("/proc/self/environ");
}
static int a_other_environment(void)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/environ", atoi(first));
    return holds_secret(path);
}
static int a_parent_environment(void)
{
    char path[64];
    int found = 0;
    for (int pid = 1; pid <= (int)getpid() && !found; pid++) {
        snprintf(path, sizeof(path), "/proc/%d/environ", pid);
        found = pid != getpid() && holds_secret(path);
    }
    return found;
}
static int a_proc_root(void)
{
    char path[4200];
    snprintf(path, sizeof(path), "/proc/self/root%s", first);
    return reads(path);
}
static int a_init_root(void)
{
    char path[4200];
    snprintf(path, sizeof(path), "/proc/1/root%s", first);
    return reads(path);
}
static int a_copy_exec(void)
{
    int fd = open(second, O_CREAT | O_TRUNC | O_WRONLY, 0755);
    if (!copies(first, fd))
        return 0;
    close(fd);
    return starts(second, (char *[]){"copy", "--version", NULL});
}
static int a_memfd_exec(void)
{
    char path[64];
    int fd = memfd_create("x", 0);
    if (!copies(first, fd))
        return 0;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return starts(path, (char *[]){"memfd", "--version", NULL});
}
static int a_datagram_pair(void)
{
    int pair[2];
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    memcpy(to.sun_path, first, strlen(first));
    return socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0 &&
           sendto(pair[0], "leak", 4, 0, (struct sockaddr *)&to, sizeof(to)) == 4;
}
static int a_vsock(void)
{
    return socket(AF_VSOCK, SOCK_STREAM, 0) >= 0;
}
static int a_netlink(void)
{
    return socket(AF_NETLINK, SOCK_RAW, 0) >= 0;
}
static int a_packet(void)
{
    return socket(AF_PACKET, SOCK_RAW, 0) >= 0;
}
static int a_user_namespace(void)
{
    return unshare(CLONE_NEWUSER) == 0;
}
static int a_clone_namespace(void)
{
    long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL);
    if (pid == 0)
        _exit(0);
    return pid > 0;
}
static int a_clone3_namespace(void)
{
    struct {
        uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
    } args = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
    long pid = syscall(435, &args, sizeof(args));
    if (pid == 0)
        _exit(0);
    return pid > 0;
}
static int a_setns(void)
{
    int fd = open(first, O_RDONLY);
    return fd >= 0 && setns(fd, 0) == 0;
}
static int a_mount(void)
{
    return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 && mount("x", "/tmp", "tmpfs", 0, NULL) == 0;
}
static int a_chroot(void)
{
    return chroot(first) == 0;
}
static int a_io_uring(void)
{
    char parameters[120] = {0};
    return syscall(425, 4, parameters) >= 0;
}
static int a_memory_of_other(void)
{
    char byte;
    struct iovec here = {&byte, 1}, there = {(void *)(size_t)strtoull(second, NULL, 16), 1};
    return process_vm_readv(atoi(first), &here, 1, &there, 1, 0) == 1;
}
static int a_descriptor_of_other(void)
{
    int fd = (int)syscall(SYS_pidfd_open, atoi(first), 0);
    return fd >= 0 && syscall(438, fd, 0, 0) >= 0;
}
static int a_bpf(void)
{
    struct {
        uint32_t type, key_size, value_size, max_entries, flags;
        char rest[100];
    } attr = {.type = 2, .key_size = 4, .value_size = 4, .max_entries = 1};
    return syscall(SYS_bpf, 0, &attr, sizeof(attr)) >= 0;
}
static int a_keyring(void)
{
    return syscall(SYS_add_key, "user", "baton-test", "x", 1, -3) >= 0;
}
static int a_userfault(void)
{
    return syscall(SYS_userfaultfd, 1) >= 0;
}
static int a_shared_memory(void)
{
    return shmat(atoi(first), NULL, SHM_RDONLY) != (void *)-1;
}
static int a_set_uid(void)
{
    return chmod(first, 04755) == 0;
}
static int a_set_uid_open(void)
{
    return opens(first, O_CREAT | O_WRONLY) && fchmod(open(first, O_WRONLY), 06755) == 0;
}
static int a_set_uid_create(void)
{
    return open(first, O_CREAT | O_WRONLY, 04755) >= 0;
}
static int a_set_uid_unnamed(void)
{
    return open(first, O_TMPFILE | O_WRONLY, 02755) >= 0;
}
// No attack: who opens a file that is there may leave anything in the place of a mode, as allocators that call the
// kernel themselves do.
static int a_stray_mode(void)
{
    return syscall(SYS_openat, AT_FDCWD, first, O_RDONLY, 07777) >= 0;
}
static int a_device(void)
{
    return mknod(first, S_IFCHR | 0600, makedev(1, 1)) == 0;
}
static int a_disk(void)
{
    return opens(first, O_RDONLY);
}
static int a_sysctl(void)
{
    return opens("/proc/sys/kernel/domainname", O_WRONLY);
}
static int a_sysrq(void)
{
    return opens("/proc/sysrq-trigger", O_WRONLY);
}
static int a_host_name(void)
{
    char name[65];
    return gethostname(name, sizeof(name)) == 0 && sethostname(name, strlen(name)) == 0;
}
static int a_perf(void)
{
    struct perf_event_attr attr = {
        .type = PERF_TYPE_SOFTWARE, .size = sizeof(attr), .config = PERF_COUNT_SW_CPU_CLOCK, .exclude_kernel = 1};
    return syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0) >= 0;
}
static int a_handle(void)
{
    struct {
        struct file_handle h;
        unsigned char room[128];
    } handle = {.h.handle_bytes = 128};
    int id;
    int mount = open("/", O_RDONLY | O_DIRECTORY);
    return name_to_handle_at(AT_FDCWD, first, &handle.h, &id, 0) == 0 &&
           open_by_handle_at(mount, &handle.h, O_RDONLY) >= 0;
}
static int a_make_folder_file(void)
{
    char dir[4200];
    snprintf(dir, sizeof(dir), "%s", first);
    *strrchr(dir, '/') = '\0';
    mkdir(dir, 0755);
    return writes(first);
}
static int a_symlink_through(void)
{
    return symlink(first, second) == 0 && writes(second);
}
static int a_swap_symlink(void) // a folder of ours becomes a link to theirs
{
    return rename(second, "swapped-away") == 0 && symlink(first, second) == 0 && chdir(second) == 0 && reads("key");
}
static int a_daemon(void)
{
    if (fork() == 0) {
        setsid();
        signal(SIGTERM, SIG_IGN);
        if (fork() == 0) {
            for (int fd = 0; fd < 64; fd++)
                close(fd);
            execl(second, second, "stay", first, (char *)NULL);
        }
        _exit(0);
    }
    return 1; // the test looks whether it is still there
}
static int a_stay(void)
{
    sleep(3600);
    return 1;
}
static int a_fork_bomb(void)
{
    int count = 0;
    pid_t group = fork();
    if (group == 0) {
        setpgid(0, 0);
        for (; count < PROCESSES; count++) {
            pid_t pid = fork();
            if (pid == 0) {
                pause();
                _exit(0);
            }
            if (pid < 0)
                break;
        }
        signal(SIGTERM, SIG_IGN);
        kill(0, SIGTERM);
        _exit(count == PROCESSES ? 0 : 1);
    }
    int status;
    waitpid(group, &status, 0);
    return WEXITSTATUS(status) == 0;
}

static const struct {
    const char *name;
    int (*attempt)(void);
} ATTACKS[] = {
#define A(name)                                                                                                        \
    {                                                                                                                  \
#name, a_##name                                                                                                \
    }
    A(write_outside),
    A(read_key),
    A(tcp),
    A(udp),
    A(ptrace),
    A(signal),
    A(abstract),
    A(path_socket),
    A(exec_foreign),
    A(exec_shell),
    A(exec_python),
    A(loader),
    A(chmod),
    A(chown),
    A(utime),
    A(truncate),
    A(rename),
    A(unlink),
    A(hard_link),
    A(list),
    A(stat),
    A(own_environment),
    A(other_environment),
    A(parent_environment),
    A(proc_root),
    A(init_root),
    A(copy_exec),
    A(memfd_exec),
    A(datagram_pair),
    A(vsock),
    A(netlink),
    A(packet),
    A(user_namespace),
    A(clone_namespace),
    A(clone3_namespace),
    A(setns),
    A(mount),
    A(chroot),
    A(io_uring),
    A(memory_of_other),
    A(descriptor_of_other),
    A(bpf),
    A(keyring),
    A(userfault),
    A(shared_memory),
    A(set_uid),
    A(set_uid_open),
    A(set_uid_create),
    A(set_uid_unnamed),
    A(stray_mode),
    A(device),
    A(disk),
    A(sysctl),
    A(sysrq),
    A(host_name),
    A(perf),
    A(handle),
    A(make_folder_file),
    A(symlink_through),
    A(swap_symlink),
    A(daemon),
    A(stay),
    A(fork_bomb),
#undef A
};

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--version") == 0)
        return 0; // started as a foreign program
    first = argc > 2 ? argv[2] : "";
    second = argc > 3 ? argv[3] : "";
    int status = by_name(argc, argv);
    if (status >= 0)
        return status;
    for (size_t i = 0; argc > 1 && i < sizeof(ATTACKS) / sizeof(ATTACKS[0]); i++)
        if (strcmp(argv[1], ATTACKS[i].name) == 0)
            return ATTACKS[i].attempt() ? 0 : 1;
    return more_attacks(argc > 1 ? argv[1] : "");
}
