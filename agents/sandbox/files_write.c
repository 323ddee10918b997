// Changing files. Rules that the code does not show:
// - Folders on the way may not be links: what is held at the end is the folder that was named, wherever somebody moves
//   it meanwhile, and where it is then is looked at before the name is given.
// - rename gives the name to the new file and never writes into the old one: a link or a second name that appears at
// the
//   last moment changes nothing elsewhere.
#include "files_inside.h"

#include "base/file.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SETTINGS ".cargo/config.toml"

// A file that is to be changed: its folder held, and what is there now.
struct target {
    char *dir, *place; // as named; where it is below the held folder
    const char *name;  // into the caller's path
    int fd;            // of the folder
    bool exists;
    struct stat st;
};

static void target_close(struct target *t)
{
    if (t->fd >= 0)
        close(t->fd);
    mem_free(t->dir);
    mem_free(t->place);
}

static int folder_error(const char *path, int e, struct err *err)
{
    if (e == ELOOP || e == EXDEV)
        return err_set(err, ERR_DENIED, "a folder of '%s' is a symbolic link; name the folder it leads to", path);
    if (e == EAGAIN)
        return err_set(err, ERR_CONFLICT, "'%s' is being moved by somebody: try again", path);
    return err_sys(err, e, "cannot enter the folder of '%s'", path);
}

// Step by step, each folder held while the next is made in it.
static int make_folders(int root, const char *dir)
{
    int at = files_openat(root, ".", O_PATH | O_DIRECTORY, RESOLVE_NO_SYMLINKS);
    char **parts = str_split(dir, "/", true, NULL);
    for (char **p = parts; *p && at >= 0; p++) {
        int next = mkdirat(at, *p, 0777) < 0 && errno != EEXIST ? -errno : 0;
        if (next == 0)
            next = files_openat(at, *p, O_PATH | O_DIRECTORY, RESOLVE_NO_SYMLINKS);
        close(at);
        at = next;
    }
    str_list_free(parts);
    return at;
}

static bool plain(const char *path)
{
    char **parts = str_split(path, "/", false, NULL);
    bool ok = path[0] && path[0] != '/';
    for (char **p = parts; *p && ok; p++)
        ok = **p && !str_eq(*p, ".") && !str_eq(*p, "..");
    str_list_free(parts);
    return ok;
}

static int hold(const struct files *f, const char *path, bool make, struct target *t, struct err *err)
{
    if (!plain(path))
        return err_set(err, ERR_INVALID, "'%s' cannot be changed: expected the plain path of a file below '%s'", path,
                       f->root);
    t->dir = path_dir(path);
    t->name = path_base(path);
    t->fd = files_openat(f->fd, t->dir, O_PATH | O_DIRECTORY, RESOLVE_NO_SYMLINKS);
    if (t->fd == -ENOENT && make)
        t->fd = make_folders(f->fd, t->dir);
    if (t->fd == -ENOENT)
        return err_set(err, ERR_NOT_FOUND, "the folder of '%s' does not exist", path);
    if (t->fd < 0)
        return folder_error(path, -t->fd, err);
    char *dir = NULL;
    int r = files_place(f, t->fd, path, &dir, err);
    if (r < 0)
        return r;
    t->place = str_eq(dir, ".") ? str_dup(t->name) : path_join(dir, t->name);
    mem_free(dir);
    if (fstatat(t->fd, t->name, &t->st, AT_SYMLINK_NOFOLLOW) == 0)
        t->exists = true;
    else if (errno != ENOENT)
        return err_sys(err, errno, "cannot look at '%s'", path);
    return 0;
}

static int check_kind(const struct target *t, const char *path, struct err *err)
{
    if (!t->exists)
        return 0;
    if (S_ISLNK(t->st.st_mode))
        return err_set(err, ERR_DENIED, "'%s' is a symbolic link; name the file it leads to", path);
    if (!S_ISREG(t->st.st_mode))
        return err_set(err, ERR_INVALID, "'%s' is %s; expected a regular file", path,
                       S_ISDIR(t->st.st_mode) ? "a folder" : "a pipe, a socket or a device");
    if (t->st.st_nlink > 1)
        return err_set(err, ERR_DENIED,
                       "'%s' has a second name (hard link), so that changing it could change a file elsewhere", path);
    return 0;
}

static int fill(int fd, const struct target *t, const char *data, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = write(fd, data + at, len - at);
        if (n < 0 && errno != EINTR)
            return errno;
        at += n > 0 ? (size_t)n : 0;
    }
    if (t->exists && fchmod(fd, t->st.st_mode & 0777) < 0)
        return errno;
    if (t->exists && geteuid() == 0 && fchown(fd, t->st.st_uid, t->st.st_gid) < 0) // root in somebody's folder
        return errno;
    return fsync(fd) < 0 ? errno : 0;
}

static void sync_folder(int held)
{
    int fd = openat(held, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return; // may be entered, but not read: the name is as durable as it gets
    fsync(fd);
    close(fd);
}

static int replace(const struct files *f, const struct target *t, const char *path, const char *data, size_t len,
                   struct err *err)
{
    char temporary[64], id[ID_SHORT_TEXT];
    id_short(id);
    snprintf(temporary, sizeof(temporary), ".baton-%s-%d.tmp", id, (int)getpid());
    int fd = openat(t->fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd < 0)
        return err_sys(err, errno, "cannot make a file beside '%s'", path);
    int e = fill(fd, t, data, len);
    close(fd);
    char *still = NULL;
    int r = e ? err_sys(err, e, "cannot write '%s'", path) : files_place(f, t->fd, path, &still, err);
    mem_free(still);
    if (r == 0 && renameat(t->fd, temporary, t->fd, t->name) < 0)
        r = err_sys(err, errno, "cannot write '%s'", path);
    if (r < 0)
        unlinkat(t->fd, temporary, 0);
    else
        sync_folder(t->fd);
    return r;
}

// data NULL: removes. d: what allowed it.
static int change(struct files *f, const char *tool, const char *path, const void *data, size_t len,
                  const struct decision *d, bool settings, struct err *err)
{
    struct target t = {.fd = -1};
    struct decision at;
    const char *below = files_below(f, path);
    int r = hold(f, below, data != NULL, &t, err);
    if (r == -ERR_NOT_FOUND && !data) {
        target_close(&t);
        return 0;
    }
    if (r == 0 && !settings && !str_eq(t.place, below))
        r = files_decide(f, tool, t.place, &at, err);
    if (r == 0 && (data || !S_ISLNK(t.st.st_mode))) // a link itself can go
        r = check_kind(&t, path, err);
    if (r == 0 && data)
        r = replace(f, &t, path, data, len, err);
    else if (r == 0 && t.exists && unlinkat(t.fd, t.name, 0) < 0 && errno != ENOENT)
        r = err_sys(err, errno, "cannot remove '%s'", path);
    if (r == 0)
        files_note_write(f, tool, t.place, data, len, d);
    target_close(&t);
    return r;
}

int files_write(struct files *f, const char *path, const void *data, size_t len, struct err *err)
{
    struct decision d;
    int r = files_decide(f, "Write", files_below(f, path), &d, err);
    return r < 0 ? r : change(f, "Write", path, data ? data : "", len, &d, false, err);
}

int files_remove(struct files *f, const char *path, struct err *err)
{
    struct decision d;
    int r = files_decide(f, "Write", files_below(f, path), &d, err);
    return r < 0 ? r : change(f, "Write", path, NULL, 0, &d, false, err);
}

int files_touch(struct files *f, const char *path, struct err *err)
{
    struct target t = {.fd = -1};
    struct decision d;
    const char *below = files_below(f, path);
    int r = files_decide(f, "Read", below, &d, err);
    if (r == 0)
        r = hold(f, below, false, &t, err);
    if (r == 0 && !str_eq(t.place, below))
        r = files_decide(f, "Read", t.place, &d, err);
    if (r == 0 && !t.exists)
        r = err_set(err, ERR_NOT_FOUND, "'%s' does not exist", path);
    if (r == 0)
        r = check_kind(&t, path, err);
    if (r == 0 && utimensat(t.fd, t.name, NULL, AT_SYMLINK_NOFOLLOW) < 0)
        r = err_sys(err, errno, "cannot set the time of '%s'", path);
    target_close(&t);
    return r;
}

int files_edit(struct files *f, const char *path, const char *old, const char *new_text, struct err *err)
{
    struct decision d;
    char *text = NULL;
    size_t len = 0, old_len = strlen(old);
    int r = files_decide(f, "Edit", files_below(f, path), &d, err);
    if (r == 0)
        r = files_read(f, path, FILES_READ_MAX, &text, &len, err);
    if (r < 0)
        return r;
    const char *first = old_len ? memmem(text, len, old, old_len) : NULL;
    const char *next = first ? memmem(first + 1, len - (size_t)(first + 1 - text), old, old_len) : NULL;
    if (!first)
        r = err_set(err, ERR_NOT_FOUND, "the text to replace does not stand in '%s'", path);
    else if (next)
        r = err_set(err, ERR_CONFLICT,
                    "the text to replace stands more than once in '%s'; give more of what is around it", path);
    if (r == 0) {
        struct buf out = BUF_INIT;
        buf_add(&out, text, (size_t)(first - text));
        buf_str_add(&out, new_text);
        buf_add(&out, first + old_len, len - (size_t)(first - text) - old_len);
        r = change(f, "Edit", path, buf_str(&out), out.len, &d, false, err);
        buf_free(&out);
    }
    mem_free(text);
    return r;
}

int files_write_settings(struct files *f, const char *path, const void *data, size_t len, struct err *err)
{
    struct decision d;
    const char *below = files_below(f, path);
    size_t n = strlen(below), end = strlen(SETTINGS);
    if (n < end || !str_eq(below + n - end, SETTINGS) || (n > end && below[n - end - 1] != '/'))
        return err_set(err, ERR_INVALID, "'%s' is not '%s' of a folder", path, SETTINGS);
    AUTO_FREE char *manifest = str_printf("%.*sCargo.toml", (int)(n - end), below);
    int r = files_decide(f, "Write", manifest, &d, err);
    if (r < 0)
        return r;
    snprintf(d.reason, sizeof(d.reason),
             "the worker's own step: a measured setting of the build, where \"%.200s\" may be written", manifest);
    return change(f, "Write", path, data, len, &d, true, err);
}
