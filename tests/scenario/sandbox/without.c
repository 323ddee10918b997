// A host that lacks something, for tests: without WHAT[=ERRNO|=NUMBER]... -- PROGRAM ARGV0 [ARG...]
//   landlock[=EOPNOTSUPP]   no Landlock (ENOSYS unless said)
//   abi=N                   the Landlock of an older kernel: its version, its rights, its sizes
//   namespaces[=ENOSPC]     clone and unshare refuse every new namespace (EPERM unless said)
//   user                    only user namespaces are refused
//   clone3                  ENOSYS
//   proc                    no fresh /proc can be mounted
//   mount                   nothing can be mounted
//   seccomp                 no filter of system calls can be added
// Made by a filter of system calls of its own, which everything below inherits; for `abi` this process answers for the
// kernel.
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CODE_MAX = 200, CREATE_RULESET = 444, ADD_RULE = 445, RESTRICT_SELF = 446, CLONE3 = 435, OPEN_TREE = 428 };

static const uint32_t SPACES =
    CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

struct code {
    struct sock_filter ops[CODE_MAX];
    unsigned short len;
};

static void emit(struct code *c, uint16_t op, uint8_t yes, uint8_t no, uint32_t k)
{
    c->ops[c->len++] = (struct sock_filter){op, yes, no, k};
}

static void load(struct code *c, size_t offset)
{
    emit(c, BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)offset);
}

static void load_argument(struct code *c, unsigned n)
{
    load(c, offsetof(struct seccomp_data, args) + n * sizeof(uint64_t));
}

static void answer_call(struct code *c, long number, uint32_t action)
{
    emit(c, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, (uint32_t)number);
    emit(c, BPF_RET | BPF_K, 0, 0, action);
}

// When any of `bits` (with `exactly`: when the value) is in an argument.
static void answer_argument(struct code *c, long number, unsigned argument, uint32_t bits, int exactly, uint32_t action)
{
    emit(c, BPF_JMP | BPF_JEQ | BPF_K, 0, 4, (uint32_t)number);
    load_argument(c, argument);
    emit(c, (uint16_t)(BPF_JMP | (exactly ? BPF_JEQ : BPF_JSET) | BPF_K), 0, 1, bits);
    emit(c, BPF_RET | BPF_K, 0, 0, action);
    load(c, offsetof(struct seccomp_data, nr));
}

// A mount without options: that of /proc. Those of memory have some.
static void refuse_proc(struct code *c)
{
    emit(c, BPF_JMP | BPF_JEQ | BPF_K, 0, 8, SYS_mount);
    load_argument(c, 3);
    emit(c, BPF_JMP | BPF_JEQ | BPF_K, 0, 5, MS_NOSUID | MS_NODEV | MS_NOEXEC);
    load_argument(c, 4);
    emit(c, BPF_JMP | BPF_JEQ | BPF_K, 0, 3, 0);
    load(c, offsetof(struct seccomp_data, args) + 4 * sizeof(uint64_t) + sizeof(uint32_t));
    emit(c, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0);
    emit(c, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | EPERM);
    load(c, offsetof(struct seccomp_data, nr));
}

static uint32_t error_of(const char *word, uint32_t otherwise)
{
    static const struct {
        const char *name;
        uint32_t value;
    } ERRORS[] = {
        {"EOPNOTSUPP", EOPNOTSUPP}, {"ENOSPC", ENOSPC}, {"EPERM", EPERM}, {"ENOSYS", ENOSYS}, {"EUSERS", EUSERS}};
    const char *said = strchr(word, '=');
    for (size_t i = 0; said && i < sizeof(ERRORS) / sizeof(ERRORS[0]); i++)
        if (strcmp(said + 1, ERRORS[i].name) == 0)
            otherwise = ERRORS[i].value;
    return SECCOMP_RET_ERRNO | otherwise;
}

static int is(const char *word, const char *name)
{
    size_t n = strcspn(word, "=");
    return strlen(name) == n && strncmp(word, name, n) == 0;
}

static int add(struct code *c, const char *word, int *ret_abi)
{
    if (is(word, "landlock")) {
        for (long call = CREATE_RULESET; call <= RESTRICT_SELF; call++)
            answer_call(c, call, error_of(word, ENOSYS));
    } else if (is(word, "abi")) {
        *ret_abi = atoi(strchr(word, '=') + 1);
        answer_call(c, CREATE_RULESET, SECCOMP_RET_USER_NOTIF);
    } else if (is(word, "namespaces") || is(word, "user")) {
        uint32_t bits = is(word, "user") ? CLONE_NEWUSER : SPACES;
        answer_argument(c, SYS_clone, 0, bits, 0, error_of(word, EPERM));
        answer_argument(c, SYS_unshare, 0, bits, 0, error_of(word, EPERM));
        answer_call(c, CLONE3, SECCOMP_RET_ERRNO | ENOSYS);
    } else if (is(word, "clone3")) {
        answer_call(c, CLONE3, SECCOMP_RET_ERRNO | ENOSYS);
    } else if (is(word, "proc")) {
        refuse_proc(c);
    } else if (is(word, "mount")) {
        answer_call(c, SYS_mount, SECCOMP_RET_ERRNO | EPERM);
        answer_call(c, OPEN_TREE, SECCOMP_RET_ERRNO | EPERM);
    } else if (is(word, "seccomp")) {
        answer_argument(c, SYS_prctl, 0, PR_SET_SECCOMP, 1, SECCOMP_RET_ERRNO | EINVAL);
        answer_call(c, SYS_seccomp, SECCOMP_RET_ERRNO | EINVAL);
    } else {
        return -1;
    }
    return 0;
}

// --- an older Landlock ---

static uint64_t fs_rights(int abi)
{
    return (1U << 13) - 1 + (abi >= 2 ? 1U << 13 : 0) + (abi >= 3 ? 1U << 14 : 0) + (abi >= 5 ? 1U << 15 : 0) +
           (abi >= 9 ? 1U << 16 : 0);
}

// What a kernel of that version says to the size and the rights of a rule set: 0 when it takes them.
static int judge(const struct seccomp_notif *asked, int abi)
{
    uint64_t attr[3] = {0};
    size_t size = (size_t)asked->data.args[1], known = (abi >= 6 ? 3U : abi >= 4 ? 2U : 1U) * sizeof(uint64_t);
    struct iovec here = {attr, size < sizeof(attr) ? size : sizeof(attr)},
                 there = {(void *)(uintptr_t)asked->data.args[0], here.iov_len};
    if (process_vm_readv((pid_t)asked->pid, &here, 1, &there, 1, 0) < 0)
        return size > known ? E2BIG : 0; // in a user namespace of its own, where an ordinary user cannot look
    for (size_t i = known / sizeof(uint64_t); i < 3; i++)
        if (attr[i])
            return E2BIG;
    return attr[0] & ~fs_rights(abi) ? EINVAL : 0;
}

static void answer_for_kernel(int listener, int abi, int ended)
{
    for (;;) {
        struct pollfd wait[] = {{.fd = listener, .events = POLLIN}, {.fd = ended, .events = POLLIN}};
        struct seccomp_notif asked = {0};
        if (poll(wait, 2, -1) < 0 || (wait[1].revents && !(wait[0].revents & POLLIN)))
            return;
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &asked) < 0)
            continue; // who asked is gone
        struct seccomp_notif_resp said = {.id = asked.id};
        int error = asked.data.args[2] == 1 ? 0 : judge(&asked, abi);
        if (asked.data.args[2] == 1)
            said.val = abi;
        else if (error)
            said.error = -error;
        else
            said.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
        ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &said);
    }
}

static int supervise(int listener, int abi, char **argv)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        close(listener);
        execv(argv[0], argv + 1);
        _exit(126);
    }
    answer_for_kernel(listener, abi, (int)syscall(SYS_pidfd_open, child, 0));
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
    struct code c = {.len = 0};
    int i = 1, abi = 0;
    load(&c, offsetof(struct seccomp_data, nr));
    for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (add(&c, argv[i], &abi) < 0) {
            fprintf(stderr, "without: '%s' is not known\n", argv[i]);
            return 2;
        }
    }
    emit(&c, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW);
    const struct sock_fprog program = {.len = c.len, .filter = c.ops};
    if (i + 2 >= argc)
        return 2;
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    long listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, abi ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0, &program);
    if (listener < 0) {
        perror("without: seccomp");
        return 77;
    }
    if (abi)
        return supervise((int)listener, abi, argv + i + 1);
    execv(argv[i + 1], argv + i + 2);
    perror(argv[i + 1]);
    return 126;
}
