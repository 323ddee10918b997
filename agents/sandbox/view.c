// Rules that the code does not show:
// - The old root lies at /.old until all is mounted, then it goes. Sources are looked up inside it by the kernel
//   (RESOLVE_IN_ROOT), so absolute links in them mean the host's tree.
// - Mounts are cloned with everything below them, and made read-only with everything below them: in a user namespace a
// clone
//   without what is mounted below would uncover it, and the kernel refuses that.
#include "view.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    CALL_OPEN_TREE = 428,
    CALL_MOVE_MOUNT = 429,
    CALL_OPENAT2 = 437,
    CALL_MOUNT_SETATTR = 442,
    TREE_CLONE = 1,
    TREE_RECURSIVE = 0x8000,
    MOVE_EMPTY_FROM = 4,
    ATTR_RDONLY = 1,
    ATTR_NOSUID = 2,
    ATTR_NODEV = 4,
    ATTR_NOEXEC = 8,
};

struct attr {
    uint64_t set, clear, propagation, userns_fd;
};

#define OLD_NAME ".old" // in the new root
#define OLD      "/" OLD_NAME
#define LAYERS   "/.layers"

static int clone_tree(int old_root, const char *source, bool *ret_is_dir)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
    struct stat st;
    int fd = (int)syscall(CALL_OPENAT2, old_root, source, &how, sizeof(how));
    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) < 0) {
        int e = errno;
        close(fd);
        return -e;
    }
    *ret_is_dir = S_ISDIR(st.st_mode);
    unsigned flags = TREE_CLONE | O_CLOEXEC | AT_EMPTY_PATH | (*ret_is_dir ? TREE_RECURSIVE : 0U);
    int tree = (int)syscall(CALL_OPEN_TREE, fd, "", flags);
    int e = errno;
    close(fd);
    return tree < 0 ? -e : tree;
}

static int make_folders(char *path) // all but the last part
{
    for (char *p = path + 1; (p = strchr(p, '/')) != NULL; p++) {
        *p = '\0';
        int r = mkdir(path, 0755);
        *p = '/';
        if (r < 0 && errno != EEXIST && errno != EROFS)
            return errno;
    }
    return 0;
}

static int make_last(const char *path, bool is_dir)
{
    int r = is_dir ? mkdir(path, 0755) : mknod(path, S_IFREG | 0644, 0);
    return r < 0 ? errno : 0;
}

static int make_point(const char *path, bool is_dir)
{
    char room[4200];
    struct stat st;
    int e = make_last(path, is_dir);
    if (e == EEXIST)
        return lstat(path, &st) < 0 ? errno : S_ISDIR(st.st_mode) == is_dir ? 0 : ENOTDIR;
    if (e != ENOENT)
        return e;
    if (strlen(path) >= sizeof(room))
        return ENAMETOOLONG;
    memcpy(room, path, strlen(path) + 1);
    e = make_folders(room);
    return e ? e : make_last(path, is_dir);
}

static int set_attributes(int fd, const char *path, bool recursive, uint64_t bits)
{
    const struct attr attr = {.set = bits};
    unsigned flags = (fd >= 0 ? AT_EMPTY_PATH : 0U) | (recursive ? TREE_RECURSIVE : 0U);
    return syscall(CALL_MOUNT_SETATTR, fd >= 0 ? fd : AT_FDCWD, path, flags, &attr, sizeof(attr)) < 0 ? errno : 0;
}

static int attach(int old_root, const struct box_item *item, uint64_t extra)
{
    bool is_dir = false;
    int tree = clone_tree(old_root, item->source, &is_dir);
    if (tree < 0)
        return tree == -ENOENT ? 0 : -tree; // gone since the box was made: it does not exist inside, either
    uint64_t bits = ATTR_NOSUID | extra;
    bits |= item->mode & BOX_WRITE ? 0U : ATTR_RDONLY;
    bits |= item->mode & (BOX_EXEC | BOX_MAP) ? 0U : ATTR_NOEXEC;
    int e = item->pinned ? box_identity_check(&item->is, tree) : 0; // of what we hold: no name leads to it any more
    if (e == 0)
        e = make_point(item->path, is_dir);
    if (e == 0)
        e = set_attributes(tree, "", is_dir, bits);
    if (e == 0 && syscall(CALL_MOVE_MOUNT, tree, "", AT_FDCWD, item->path, MOVE_EMPTY_FROM) < 0)
        e = errno;
    close(tree);
    return e;
}

// The source with a layer of memory above it, in which this call's writes end up. Not possible: read-only.
static int attach_overlay(int old_root, const struct box_item *item)
{
    static unsigned number;
    char upper[64], work[64], options[8600];
    unsigned long flags = MS_NOSUID | MS_NODEV | (item->mode & (BOX_EXEC | BOX_MAP) ? 0U : (unsigned long)MS_NOEXEC);
    snprintf(upper, sizeof(upper), LAYERS "/%u", number);
    snprintf(work, sizeof(work), LAYERS "/%uw", number++);
    int n = snprintf(options, sizeof(options), "lowerdir=" OLD "%s,upperdir=%s,workdir=%s", item->source, upper, work);
    bool ok = n > 0 && (size_t)n < sizeof(options) && !strpbrk(item->source, ":,\\") &&
              (mkdir(LAYERS, 0700) == 0 || errno == EEXIST) && mkdir(upper, 0755) == 0 && mkdir(work, 0755) == 0 &&
              make_point(item->path, true) == 0 && mount("overlay", item->path, "overlay", flags, options) == 0;
    return ok ? 0 : attach(old_root, item, ATTR_NODEV);
}

// A folder of the root's own file system, which is one for all of them, as a mount that can be written to.
static int make_tmpfs(const struct box_item *item)
{
    int e = make_point(item->path, true);
    if (e == 0 && chmod(item->path, 01777) < 0)
        e = errno;
    if (e)
        return e;
    int tree = (int)syscall(CALL_OPEN_TREE, AT_FDCWD, item->path, TREE_CLONE | O_CLOEXEC);
    if (tree < 0)
        return errno;
    e = set_attributes(tree, "", false,
                       ATTR_NOSUID | ATTR_NODEV | (item->mode & BOX_EXEC ? 0U : (uint64_t)ATTR_NOEXEC));
    if (e == 0 && syscall(CALL_MOVE_MOUNT, tree, "", AT_FDCWD, item->path, MOVE_EMPTY_FROM) < 0)
        e = errno;
    close(tree);
    return e;
}

static int make_link(const struct box_item *item)
{
    char room[4200];
    if (strlen(item->path) >= sizeof(room))
        return ENAMETOOLONG;
    memcpy(room, item->path, strlen(item->path) + 1);
    int e = make_folders(room);
    return e ? e : symlink(item->source, item->path) < 0 && errno != EEXIST ? errno : 0;
}

static int make_dev(int old_root)
{
    static const char *const NODES[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"};
    static const char *const LINKS[][2] = {{"/dev/fd", "/proc/self/fd"},
                                           {"/dev/stdin", "/proc/self/fd/0"},
                                           {"/dev/stdout", "/proc/self/fd/1"},
                                           {"/dev/stderr", "/proc/self/fd/2"}};
    int e = mkdir("/dev", 0755) < 0 && errno != EEXIST ? errno : 0;
    for (size_t i = 0; i < sizeof(NODES) / sizeof(NODES[0]) && e == 0; i++) {
        const struct box_item node = {
            .kind = BOX_MOUNT, .mode = BOX_READ | BOX_WRITE, .path = NODES[i], .source = NODES[i]};
        e = attach(old_root, &node, 0);
    }
    for (size_t i = 0; i < sizeof(LINKS) / sizeof(LINKS[0]) && e == 0; i++)
        e = symlink(LINKS[i][1], LINKS[i][0]) < 0 ? errno : 0;
    const struct box_item shm = {.kind = BOX_TMPFS, .mode = BOX_READ | BOX_WRITE, .path = "/dev/shm"};
    return e ? e : make_tmpfs(&shm);
}

static int fill(const struct box *b, int old_root, const char **ret_what)
{
    int e = 0;
    for (size_t i = 0; i < b->count && e == 0; i++) {
        const struct box_item *item = &b->items[i];
        *ret_what = item->path;
        switch (item->kind) {
        case BOX_MOUNT:
            e = item->mode & BOX_OVERLAY ? attach_overlay(old_root, item) : attach(old_root, item, ATTR_NODEV);
            break;
        case BOX_TMPFS:
            e = make_tmpfs(item);
            break;
        case BOX_LINK:
            e = make_link(item);
            break;
        case BOX_ALLOW:
            break;
        }
    }
    return e;
}

static int new_root(void)
{
    static const char *const BASES[] = {"/tmp", "/var", "/usr"};
    for (size_t i = 0; i < sizeof(BASES) / sizeof(BASES[0]); i++) {
        if (mount("tmpfs", BASES[i], "tmpfs", MS_NOSUID | MS_NODEV, "mode=755") == 0)
            return chdir(BASES[i]) < 0 ? errno : 0;
    }
    return errno;
}

// A container may refuse a fresh one where parts of its own are covered: then the call has none.
static int make_proc(void)
{
    if (mkdir("/proc", 0755) < 0)
        return errno;
    if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0 && errno != EPERM)
        return errno;
    return 0;
}

static int make_view(const struct box *b, struct view_failure *ret)
{
    ret->what = "private mounts";
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return errno;
    ret->what = "a root of its own";
    int e = new_root();
    if (e)
        return e;
    if (mkdir(OLD_NAME, 0700) < 0 || syscall(SYS_pivot_root, ".", OLD_NAME) < 0 || chdir("/") < 0)
        return errno;
    int old_root = open(OLD, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (old_root < 0)
        return errno;
    ret->of_call = true;
    e = fill(b, old_root, &ret->what);
    if (e == 0) {
        ret->of_call = false;
        ret->what = "/dev";
        e = make_dev(old_root);
    }
    if (e == 0) {
        ret->what = "/proc";
        e = make_proc();
    }
    close(old_root);
    if (e)
        return e;
    ret->what = "leaving the host's tree";
    if (umount2(OLD, MNT_DETACH) < 0 || rmdir(OLD) < 0)
        return errno;
    return set_attributes(-1, "/", false, ATTR_RDONLY | ATTR_NOSUID | ATTR_NODEV);
}

int view_enter(const struct box *b, struct view_failure *ret)
{
    mode_t mask = umask(022);
    *ret = (struct view_failure){.what = ""};
    int e = make_view(b, ret);
    umask(mask);
    return e;
}
