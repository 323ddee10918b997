#include "landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule       445
#define SYS_landlock_restrict_self  446
#endif

struct ruleset_attr { // grows with the version
    uint64_t handled_fs, handled_net, scoped;
};

struct __attribute__((packed)) path_attr {
    uint64_t allowed;
    int32_t parent_fd;
};

enum { CREATE_VERSION = 1, RULE_PATH_BENEATH = 1 };

enum fs_right {
    FS_EXECUTE = 1 << 0,
    FS_WRITE_FILE = 1 << 1,
    FS_READ_FILE = 1 << 2,
    FS_READ_DIR = 1 << 3,
    FS_REMOVE_DIR = 1 << 4,
    FS_REMOVE_FILE = 1 << 5,
    FS_MAKE_CHAR = 1 << 6,
    FS_MAKE_DIR = 1 << 7,
    FS_MAKE_REG = 1 << 8,
    FS_MAKE_SOCK = 1 << 9,
    FS_MAKE_FIFO = 1 << 10,
    FS_MAKE_BLOCK = 1 << 11,
    FS_MAKE_SYM = 1 << 12,
    FS_REFER = 1 << 13,        // version 2
    FS_TRUNCATE = 1 << 14,     // 3
    FS_IOCTL_DEV = 1 << 15,    // 5
    FS_RESOLVE_UNIX = 1 << 16, // 9: connecting to sockets that others have bound to a path
};

enum { NET_BIND_TCP = 1, NET_CONNECT_TCP = 2, SCOPE_ABSTRACT_UNIX = 1, SCOPE_SIGNAL = 2 };

static const unsigned FOR_READ = FS_READ_FILE | FS_READ_DIR;
static const unsigned FOR_WRITE = FS_WRITE_FILE | FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE_DIR | FS_MAKE_REG |
                                  FS_MAKE_SOCK | FS_MAKE_FIFO | FS_MAKE_SYM | FS_REFER | FS_TRUNCATE | FS_RESOLVE_UNIX;
static const unsigned ON_FILES = FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV;

static uint64_t fs_of_version(int version)
{
    unsigned all = (1U << 13) - 1;
    all |= version >= 2 ? FS_REFER : 0U;
    all |= version >= 3 ? FS_TRUNCATE : 0U;
    all |= version >= 5 ? FS_IOCTL_DEV : 0U;
    all |= version >= 9 ? FS_RESOLVE_UNIX : 0U;
    return all;
}

int landlock_version(void)
{
    long v = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_VERSION);
    return v < 0 ? 0 : (int)v;
}

static int allow(int ruleset, uint64_t handled, unsigned mode, const char *path)
{
    unsigned rights =
        (mode & BOX_READ ? FOR_READ : 0U) | (mode & BOX_WRITE ? FOR_WRITE : 0U) | (mode & BOX_EXEC ? FS_EXECUTE : 0U);
    struct path_attr rule = {.allowed = rights & handled, .parent_fd = open(path, O_PATH | O_CLOEXEC)};
    struct stat st;
    if (rule.parent_fd < 0)
        return errno == ENOENT || errno == EACCES ? 0 : errno; // what is not there needs no grant
    if (fstat(rule.parent_fd, &st) == 0 && !S_ISDIR(st.st_mode))
        rule.allowed &= ON_FILES;
    int e = 0;
    if (rule.allowed && syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0) < 0)
        e = errno;
    close(rule.parent_fd);
    return e;
}

// What the view would have at a path: the mount or folder of memory with the longest matching path; NULL: neither.
static const struct box_item *covering(const struct box *b, const char *path)
{
    const struct box_item *best = NULL;
    size_t best_len = 0;
    for (size_t i = 0; i < b->count; i++) {
        const struct box_item *item = &b->items[i];
        size_t n = strlen(item->path);
        if ((item->kind == BOX_MOUNT || item->kind == BOX_TMPFS) && n >= best_len &&
            strncmp(path, item->path, n) == 0 && (path[n] == '/' || path[n] == '\0')) {
            best = item;
            best_len = n;
        }
    }
    return best;
}

// No view was made: rights of the view, on the host's tree. What the view has of its own (/tmp, /dev) is not there, and
// what it would show read-only or with a layer of memory cannot be written to.
static int allow_on_host(const struct box *b, int ruleset, uint64_t handled, const struct box_item *item)
{
    static const char *const DEVICES[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"};
    const struct box_item *by = covering(b, item->path);
    char room[8192];
    int e = 0;
    if (!by && strcmp(item->path, "/dev") == 0) {
        for (size_t i = 0; i < sizeof(DEVICES) / sizeof(DEVICES[0]) && e == 0; i++)
            e = allow(ruleset, handled, BOX_READ | BOX_WRITE, DEVICES[i]);
        return e;
    }
    if (!by)
        return allow(ruleset, handled, item->mode, item->path);
    if (by->kind == BOX_TMPFS)
        return 0;
    const char *rest = item->path + strlen(by->path);
    if (strlen(by->source) + strlen(rest) >= sizeof(room))
        return ENAMETOOLONG;
    memcpy(room, by->source, strlen(by->source));
    memcpy(room + strlen(by->source), rest, strlen(rest) + 1);
    return allow(ruleset, handled, by->mode & BOX_WRITE ? item->mode : item->mode & ~(unsigned)BOX_WRITE, room);
}

int landlock_enforce(const struct box *b, bool from_host)
{
    int version = landlock_version(), e = 0;
    if (version < 1)
        return ENOSYS;
    struct ruleset_attr attr = {.handled_fs = fs_of_version(version)};
    if (b->net == BOX_NET_NONE && version >= 4)
        attr.handled_net = NET_BIND_TCP | NET_CONNECT_TCP;
    attr.scoped = version >= 6 ? SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL : 0;
    size_t size = version >= 6 ? sizeof(attr) : version >= 4 ? 2 * sizeof(uint64_t) : sizeof(uint64_t);
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
    if (ruleset < 0)
        return errno;
    for (size_t i = 0; i < b->count && e == 0; i++) {
        const struct box_item *item = &b->items[i];
        if (item->kind != BOX_ALLOW)
            continue;
        e = from_host ? allow_on_host(b, ruleset, attr.handled_fs, item)
                      : allow(ruleset, attr.handled_fs, item->mode, item->path);
    }
    if (e == 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
        e = errno;
    close(ruleset);
    return e;
}
