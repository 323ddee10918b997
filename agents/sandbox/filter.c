#include "filter.h"

#include <asm/ioctls.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCH AUDIT_ARCH_RISCV64
#else
#error "the filter does not know this architecture: add its AUDIT_ARCH value"
#endif

enum {
    CODE_MAX = 400,
    X32_BIT = 0x40000000,
    DEVICE_BIT = 0020000
}; // the last: in S_IFCHR and S_IFBLK, in no other type

struct code {
    struct sock_filter ops[CODE_MAX];
    unsigned short len;
};

static void emit(struct code *c, uint16_t op, uint8_t yes, uint8_t no, uint32_t k)
{
    c->ops[c->len++] = (struct sock_filter){op, yes, no, k};
}

static void load(struct code *c, uint32_t offset)
{
    emit(c, BPF_LD | BPF_W | BPF_ABS, 0, 0, offset);
}

static void answer(struct code *c, uint32_t action)
{
    emit(c, BPF_RET | BPF_K, 0, 0, action);
}

static void load_number(struct code *c)
{
    load(c, (uint32_t)offsetof(struct seccomp_data, nr));
}

// Low half of an argument. Flags and small numbers of the calls below are ints for the kernel, so the high half says
// nothing.
static void load_argument(struct code *c, unsigned n)
{
    load(c, (uint32_t)(offsetof(struct seccomp_data, args) + n * sizeof(uint64_t)));
}

static const uint32_t REFUSE = SECCOMP_RET_ERRNO | EPERM;

static void refuse_call(struct code *c, long number, uint32_t action)
{
    emit(c, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, (uint32_t)number);
    answer(c, action);
}

// Refuses the call when any of `bits` is set in its argument.
static void refuse_bits(struct code *c, long number, unsigned argument, uint32_t bits)
{
    emit(c, BPF_JMP | BPF_JEQ | BPF_K, 0, 4, (uint32_t)number);
    load_argument(c, argument);
    emit(c, BPF_JMP | BPF_JSET | BPF_K, 0, 1, bits);
    answer(c, REFUSE);
    load_number(c);
}

static void refuse_value(struct code *c, long number, unsigned argument, uint32_t value)
{
    emit(c, BPF_JMP | BPF_JEQ | BPF_K, 0, 4, (uint32_t)number);
    load_argument(c, argument);
    emit(c, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, value);
    answer(c, REFUSE);
    load_number(c);
}

// Of the families of sockets only the listed ones.
static void only_families(struct code *c, long number, const uint32_t *families, uint8_t count)
{
    emit(c, BPF_JMP | BPF_JEQ | BPF_K, 0, (uint8_t)(count + 3), (uint32_t)number);
    load_argument(c, 0);
    for (uint8_t i = 0; i < count; i++)
        emit(c, BPF_JMP | BPF_JEQ | BPF_K, (uint8_t)(count - i), 0, families[i]);
    answer(c, REFUSE);
    load_number(c);
}

static const long REFUSED[] = {
    SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_kcmp, SYS_bpf, SYS_userfaultfd, SYS_keyctl,
    SYS_add_key, SYS_request_key, SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_setns, SYS_unshare,
    SYS_open_by_handle_at, SYS_shmget, SYS_shmat, SYS_shmctl, SYS_shmdt, SYS_msgget, SYS_msgsnd, SYS_msgrcv, SYS_msgctl,
    SYS_semget, SYS_semop, SYS_semctl, SYS_semtimedop, SYS_mq_open, SYS_mq_unlink, SYS_kexec_load, SYS_init_module,
    SYS_finit_module, SYS_delete_module, SYS_reboot, SYS_swapon, SYS_swapoff, SYS_acct, SYS_quotactl, SYS_settimeofday,
    SYS_clock_settime, SYS_clock_adjtime, SYS_adjtimex, SYS_sethostname, SYS_setdomainname, SYS_syslog, SYS_vhangup,
    SYS_fanotify_init, SYS_lookup_dcookie,
#ifdef SYS_kexec_file_load
    SYS_kexec_file_load,
#endif
#ifdef SYS_iopl
    SYS_iopl, SYS_ioperm, SYS_modify_ldt,
#endif
    // By number: the headers of older distributions lack the newer ones, the numbers are the same on every
    // architecture.
    425, 426, 427,                // io_uring_setup, _enter, _register
    428, 429, 430, 431, 432, 433, // open_tree, move_mount, fsopen, fsconfig, fsmount, fspick
    438,                          // pidfd_getfd
    442, 443,                     // mount_setattr, quotactl_fd
    447,                          // memfd_secret
    467,                          // open_tree_attr
};

static void refuse_sockets(struct code *c, const struct box *b, bool own_net)
{
    static const uint32_t OPEN[] = {AF_UNIX, AF_INET, AF_INET6}, HOST[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK},
                          PAIR[] = {AF_UNIX};
    only_families(c, SYS_socketpair, PAIR, 1);
    if (b->net == BOX_NET_HOST) {
        only_families(c, SYS_socket, HOST, 4);
    } else if (b->net == BOX_NET_LO && own_net) {
        only_families(c, SYS_socket, OPEN, 3);
    } else {
        refuse_call(c, SYS_socket, REFUSE);
        refuse_value(c, SYS_socketpair, 1, SOCK_DGRAM);
        refuse_value(c, SYS_socketpair, 1, SOCK_DGRAM | SOCK_CLOEXEC);
        refuse_value(c, SYS_socketpair, 1, SOCK_DGRAM | SOCK_NONBLOCK);
        refuse_value(c, SYS_socketpair, 1, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK);
    }
}

static void build(struct code *c, const struct box *b, bool own_net)
{
    static const uint32_t SPACES =
        CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
    load(c, (uint32_t)offsetof(struct seccomp_data, arch));
    emit(c, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, ARCH);
    answer(c, SECCOMP_RET_KILL_PROCESS);
    load_number(c);
#if defined(__x86_64__)
    emit(c, BPF_JMP | BPF_JGE | BPF_K, 0, 1, X32_BIT);
    answer(c, SECCOMP_RET_KILL_PROCESS);
#endif
    for (size_t i = 0; i < sizeof(REFUSED) / sizeof(REFUSED[0]); i++)
        refuse_call(c, REFUSED[i], REFUSE);
    refuse_call(c, 435, SECCOMP_RET_ERRNO | ENOSYS); // clone3: its flags lie behind a pointer, libc falls back to clone
    refuse_call(c, 437, SECCOMP_RET_ERRNO | ENOSYS); // openat2: so does its mode, which could hold a set-uid bit
    if (!b->perf)
        refuse_call(c, SYS_perf_event_open, REFUSE);
    refuse_bits(c, SYS_clone, 0, SPACES);
    refuse_value(c, SYS_ioctl, 1, TIOCSTI);
    refuse_value(c, SYS_ioctl, 1, 0x541C); // TIOCLINUX
    refuse_bits(c, SYS_fchmod, 1, S_ISUID | S_ISGID);
    refuse_bits(c, SYS_fchmodat, 2, S_ISUID | S_ISGID);
    refuse_bits(c, 452, 2, S_ISUID | S_ISGID); // fchmodat2
    refuse_bits(c, SYS_openat, 3, S_ISUID | S_ISGID);
    refuse_bits(c, SYS_mknodat, 2, DEVICE_BIT);
#ifdef SYS_chmod
    refuse_bits(c, SYS_mknod, 1, DEVICE_BIT);
    refuse_bits(c, SYS_chmod, 1, S_ISUID | S_ISGID);
    refuse_bits(c, SYS_creat, 1, S_ISUID | S_ISGID);
    refuse_bits(c, SYS_open, 2, S_ISUID | S_ISGID);
#endif
    refuse_sockets(c, b, own_net);
    answer(c, SECCOMP_RET_ALLOW);
}

int filter_enforce(const struct box *b, bool own_net)
{
    struct code c = {.len = 0};
    build(&c, b, own_net);
    const struct sock_fprog program = {.len = c.len, .filter = c.ops};
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) < 0 ? errno : 0;
}

bool filter_possible(void)
{
    // With a program at address 0 the kernel gets as far as reading it: EFAULT says that filters are there.
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL, 0, 0) < 0 && errno == EFAULT;
}
