#include "filter.h"

#include <asm/ioctls.h>
#include <errno.h>
#include <fcntl.h>
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
    CODE_MAX = 600,
    RULES_MAX = 150,
    X32_BIT = 0x40000000,
    DEVICE_BIT = 0020000, // in S_IFCHR and S_IFBLK, in no other type
    NEW_FILE = O_CREAT | (O_TMPFILE & ~O_DIRECTORY)
};

// What is asked of a call. Rules of one number are asked in their order; what none of them refuses is allowed.
enum question { ALWAYS, BITS, CREATED, VALUE, FAMILIES };

struct rule {
    uint32_t number, last; // of a run of calls that are always refused
    uint32_t answer;
    enum question question;
    unsigned argument;
    uint32_t value; // BITS: refused when one of them is set; VALUE: refused when equal; CREATED: as BITS, when
                    // the argument before it asks for a new file: else the kernel does not look at a mode
    const uint32_t *families; // FAMILIES: allowed are these only, ended by 0
};

struct rules {
    struct rule list[RULES_MAX];
    size_t count;
    bool full;
};

struct code {
    struct sock_filter ops[CODE_MAX];
    unsigned short len;
    bool full;
};

static const uint32_t REFUSE = SECCOMP_RET_ERRNO | EPERM, MISSING = SECCOMP_RET_ERRNO | ENOSYS;

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

// --- rules ---

static void add(struct rules *r, struct rule rule)
{
    if (r->count < RULES_MAX)
        r->list[r->count++] = rule;
    else
        r->full = true;
}

static void refuse_call(struct rules *r, long number, uint32_t answer)
{
    add(r, (struct rule){.number = (uint32_t)number, .answer = answer, .question = ALWAYS});
}

// Refuses the call when any of `bits` is set in its argument.
static void refuse_bits(struct rules *r, long number, unsigned argument, uint32_t bits)
{
    add(r, (struct rule){(uint32_t)number, 0, REFUSE, BITS, argument, bits, NULL});
}

// The mode of a new file. Who opens one that is there may leave anything in this argument: the C library of a program
// that calls the kernel itself, or its allocator, does.
static void refuse_created(struct rules *r, long number, unsigned argument, uint32_t bits)
{
    add(r, (struct rule){(uint32_t)number, 0, REFUSE, CREATED, argument, bits, NULL});
}

static void refuse_value(struct rules *r, long number, unsigned argument, uint32_t value)
{
    add(r, (struct rule){(uint32_t)number, 0, REFUSE, VALUE, argument, value, NULL});
}

// Of the families of sockets only the listed ones.
static void only_families(struct rules *r, long number, const uint32_t *families)
{
    add(r, (struct rule){(uint32_t)number, 0, REFUSE, FAMILIES, 0, 0, families});
}

static void refuse_sockets(struct rules *r, const struct box *b, bool own_net)
{
    static const uint32_t OPEN[] = {AF_UNIX, AF_INET, AF_INET6, 0},
                          HOST[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, 0}, PAIR[] = {AF_UNIX, 0};
    only_families(r, SYS_socketpair, PAIR);
    if (b->net == BOX_NET_HOST) {
        only_families(r, SYS_socket, HOST);
    } else if (b->net == BOX_NET_LO && own_net) {
        only_families(r, SYS_socket, OPEN);
    } else {
        refuse_call(r, SYS_socket, REFUSE);
        refuse_value(r, SYS_socketpair, 1, SOCK_DGRAM);
        refuse_value(r, SYS_socketpair, 1, SOCK_DGRAM | SOCK_CLOEXEC);
        refuse_value(r, SYS_socketpair, 1, SOCK_DGRAM | SOCK_NONBLOCK);
        refuse_value(r, SYS_socketpair, 1, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK);
    }
}

static void collect(struct rules *r, const struct box *b, bool own_net)
{
    static const uint32_t SPACES =
        CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
    for (size_t i = 0; i < sizeof(REFUSED) / sizeof(REFUSED[0]); i++)
        refuse_call(r, REFUSED[i], REFUSE);
    refuse_call(r, 435, MISSING); // clone3: its flags lie behind a pointer, libc falls back to clone
    refuse_call(r, 437, MISSING); // openat2: so does its mode, which could hold a set-uid bit
    if (!b->perf)
        refuse_call(r, SYS_perf_event_open, REFUSE);
    refuse_bits(r, SYS_clone, 0, SPACES);
    refuse_value(r, SYS_ioctl, 1, TIOCSTI);
    refuse_value(r, SYS_ioctl, 1, 0x541C); // TIOCLINUX
    refuse_bits(r, SYS_fchmod, 1, S_ISUID | S_ISGID);
    refuse_bits(r, SYS_fchmodat, 2, S_ISUID | S_ISGID);
    refuse_bits(r, 452, 2, S_ISUID | S_ISGID); // fchmodat2
    refuse_created(r, SYS_openat, 3, S_ISUID | S_ISGID);
    refuse_bits(r, SYS_mknodat, 2, DEVICE_BIT);
#ifdef SYS_chmod
    refuse_bits(r, SYS_mknod, 1, DEVICE_BIT);
    refuse_bits(r, SYS_chmod, 1, S_ISUID | S_ISGID);
    refuse_bits(r, SYS_creat, 1, S_ISUID | S_ISGID);
    refuse_created(r, SYS_open, 2, S_ISUID | S_ISGID);
#endif
    refuse_sockets(r, b, own_net);
}

// Stable: rules of one number keep their order.
static void sort(struct rules *r)
{
    for (size_t i = 1; i < r->count; i++) {
        struct rule one = r->list[i];
        size_t k = i;
        for (; k > 0 && r->list[k - 1].number > one.number; k--)
            r->list[k] = r->list[k - 1];
        r->list[k] = one;
    }
}

// Neighbours that are always refused become one rule.
static void join(struct rules *r)
{
    size_t kept = 0;
    for (size_t i = 0; i < r->count; i++) {
        struct rule *before = kept ? &r->list[kept - 1] : NULL, one = r->list[i];
        one.last = one.number;
        if (before && before->question == ALWAYS && one.question == ALWAYS && before->answer == one.answer &&
            before->last + 1 == one.number)
            before->last = one.number;
        else
            r->list[kept++] = one;
    }
    r->count = kept;
}

// --- code ---

static void emit(struct code *c, uint16_t op, uint8_t yes, uint8_t no, uint32_t k)
{
    if (c->len < CODE_MAX)
        c->ops[c->len++] = (struct sock_filter){op, yes, no, k};
    else
        c->full = true;
}

static void load(struct code *c, uint32_t offset)
{
    emit(c, BPF_LD | BPF_W | BPF_ABS, 0, 0, offset);
}

static void answer(struct code *c, uint32_t action)
{
    emit(c, BPF_RET | BPF_K, 0, 0, action);
}

// Low half of an argument. Flags and small numbers of the calls above are ints for the kernel, so the high half says
// nothing.
static void load_argument(struct code *c, unsigned n)
{
    load(c, (uint32_t)(offsetof(struct seccomp_data, args) + n * sizeof(uint64_t)));
}

static void ask(struct code *c, const struct rule *rule)
{
    uint8_t count = 0;
    switch (rule->question) {
    case ALWAYS:
        break;
    case BITS:
        load_argument(c, rule->argument);
        emit(c, BPF_JMP | BPF_JSET | BPF_K, 0, 1, rule->value);
        break;
    case CREATED:
        load_argument(c, rule->argument - 1);
        emit(c, BPF_JMP | BPF_JSET | BPF_K, 0, 3, NEW_FILE);
        load_argument(c, rule->argument);
        emit(c, BPF_JMP | BPF_JSET | BPF_K, 0, 1, rule->value);
        break;
    case VALUE:
        load_argument(c, rule->argument);
        emit(c, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, rule->value);
        break;
    case FAMILIES:
        load_argument(c, rule->argument);
        while (rule->families[count])
            count++;
        for (uint8_t i = 0; i < count; i++)
            emit(c, BPF_JMP | BPF_JEQ | BPF_K, (uint8_t)(count - i), 0, rule->families[i]);
        break;
    }
    answer(c, rule->answer);
}

// One number, or a run of numbers.
static void leaf(struct code *c, const struct rules *r, size_t first, size_t end)
{
    const struct rule *rule = &r->list[first];
    if (rule->last > rule->number) {
        emit(c, BPF_JMP | BPF_JGE | BPF_K, 0, 2, rule->number);
        emit(c, BPF_JMP | BPF_JGT | BPF_K, 1, 0, rule->last);
        answer(c, rule->answer);
    } else {
        unsigned short branch = c->len;
        emit(c, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, rule->number);
        for (size_t i = first; i < end; i++)
            ask(c, &r->list[i]);
        c->ops[branch].jf = (uint8_t)(c->len - branch - 1);
    }
    answer(c, SECCOMP_RET_ALLOW);
}

// Where the second half begins: rules of one number stay together. `end`: there is one number only.
static size_t part(const struct rules *r, size_t first, size_t end)
{
    size_t middle = first + (end - first) / 2, down = middle;
    while (down > first && r->list[down].number == r->list[down - 1].number)
        down--;
    if (down > first)
        return down;
    while (middle < end && r->list[middle].number == r->list[first].number)
        middle++;
    return middle;
}

// The rules [first, end) of sorted numbers, halved until one number is left: the kernel walks through the filter once
// for every call there is when it is put on, and through a list that takes ten times as long.
static void search(struct code *c, const struct rules *r, size_t first, size_t end)
{
    size_t middle = part(r, first, end);
    if (middle == end) {
        leaf(c, r, first, end);
        return;
    }
    unsigned short branch = c->len;
    emit(c, BPF_JMP | BPF_JGE | BPF_K, 0, 0, r->list[middle].number);
    search(c, r, first, middle);
    c->full = c->full || c->len - branch - 1 > UINT8_MAX;
    c->ops[branch].jt = (uint8_t)(c->len - branch - 1);
    search(c, r, middle, end);
}

static void build(struct code *c, const struct rules *r)
{
    load(c, (uint32_t)offsetof(struct seccomp_data, arch));
    emit(c, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, ARCH);
    answer(c, SECCOMP_RET_KILL_PROCESS);
    load(c, (uint32_t)offsetof(struct seccomp_data, nr));
#if defined(__x86_64__)
    emit(c, BPF_JMP | BPF_JGE | BPF_K, 0, 1, X32_BIT);
    answer(c, SECCOMP_RET_KILL_PROCESS);
#endif
    search(c, r, 0, r->count);
}

int filter_enforce(const struct box *b, bool own_net)
{
    struct rules r = {.count = 0};
    struct code c = {.len = 0};
    collect(&r, b, own_net);
    sort(&r);
    join(&r);
    build(&c, &r);
    if (r.full || c.full)
        return E2BIG;
    const struct sock_fprog program = {.len = c.len, .filter = c.ops};
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) < 0 ? errno : 0;
}

bool filter_possible(void)
{
    // With a program at address 0 the kernel gets as far as reading it: EFAULT says that filters are there.
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL, 0, 0) < 0 && errno == EFAULT;
}
