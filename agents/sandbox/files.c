// Holding, deciding and reading. Rules that the code does not show:
// - A path is opened without rights first (O_PATH), which does nothing to a FIFO or a device, then looked at, then
//   decided on by the place the kernel says it is, and only then opened for reading, through that descriptor.
#include "files_inside.h"

#include "receipt.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CALL_OPENAT2 = 437, TRIES_MAX = 100, SHOWN_MAX = 50 };

int files_openat(int dir, const char *path, int flags, unsigned resolve)
{
    struct open_how how = {.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | resolve};
    // EAGAIN: something was renamed while the kernel went up; it cannot tell whether the way stayed beneath.
    for (int i = 0; i < TRIES_MAX; i++) {
        int fd = (int)syscall(CALL_OPENAT2, dir, path, &how, sizeof(how));
        if (fd >= 0)
            return fd;
        if (errno != EAGAIN && errno != EINTR)
            return -errno;
    }
    return -EAGAIN;
}

int files_open(struct exec_context *ctx, const char *root, struct files **ret, struct err *err)
{
    AUTO_FREE char *real = path_real(root, err);
    if (!real)
        return err_wrap(err, "the folder '%s' cannot be held", root);
    int fd = open(real, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return err_sys(err, errno, "cannot hold the folder '%s'", real);
    int probe = files_openat(fd, ".", O_PATH | O_DIRECTORY, 0);
    if (probe < 0) {
        close(fd);
        return err_set(
            err, ERR_UNSUPPORTED,
            "file tools cannot open anything here: openat2 answers '%s'; it takes Linux 5.6, and a container "
            "that allows the call",
            strerror(-probe));
    }
    close(probe);
    struct files *f = mem_alloc(sizeof(*f));
    *f = (struct files){.ctx = ctx, .given = str_dup(root), .root = str_dup(real), .fd = fd};
    *ret = f;
    return 0;
}

int files_open_own(const char *root, struct files **ret, struct err *err)
{
    return files_open(NULL, root, ret, err);
}

void files_free(struct files *f)
{
    if (!f)
        return;
    close(f->fd);
    mem_free(f->given);
    mem_free(f->root);
    mem_free(f);
}

const char *files_root(const struct files *f)
{
    return f->root;
}

const char *files_below(const struct files *f, const char *path)
{
    const char *below = path[0] == '/' ? path_below(path, f->root) : NULL;
    if (path[0] == '/' && !below)
        below = path_below(path, f->given);
    if (!below)
        return path;
    return *below ? below : ".";
}

// --- deciding ---

static json_t *file_receipt_new(const struct files *f, const char *tool, const struct decision *d)
{
    json_t *receipt = receipt_file_new(tool, f->root, d);
    json_array_append_new(f->ctx->receipts, receipt);
    return receipt;
}

int files_decide(struct files *f, const char *tool, const char *path, struct decision *ret, struct err *err)
{
    if (!f->ctx) {
        *ret = (struct decision){.verdict = POLICY_ALLOW};
        return 0;
    }
    const struct policy_context context = {.workspace = f->root, .cwd = f->root, .home = f->ctx->home};
    if (atomic_load(&f->ctx->cancelled))
        return err_set(err, ERR_CANCELLED, "'%s' was not opened: the stage is cancelled", path);
    if (json_array_size(f->ctx->receipts) >= EXEC_RECEIPTS_MAX)
        return err_set(err, ERR_LIMIT, "this stage has made %d calls, which is the maximum", EXEC_RECEIPTS_MAX);
    decide_path(f->ctx->policy, &context, tool, path, ret);
    if (ret->verdict != POLICY_DENY)
        return 0;
    json_t *receipt = file_receipt_new(f, tool, ret);
    json_put(receipt, "path", json_text_new(path, strlen(path)));
    if (ret->needed[0])
        return err_set(err, ERR_DENIED, "%s of '%s' is not allowed: %s; the rule '%s' would allow it", tool, path,
                       ret->reason, ret->needed);
    return err_set(err, ERR_DENIED, "%s of '%s' is not allowed: %s", tool, path, ret->reason);
}

void files_note_read(struct files *f, const char *tool, const char *path, size_t bytes, const struct decision *d)
{
    if (!f->ctx)
        return;
    json_t *r = f->reads;
    const json_t *by = json_obj(r, "decision");
    if (!r || !str_eq(json_str(r, "tool", ""), tool) || !str_eq(json_str(by, "rule", ""), d->rule) ||
        !str_eq(json_str(by, "where", ""), d->where)) {
        r = f->reads = file_receipt_new(f, tool, d);
        json_put(r, "paths", json_array());
    }
    json_put_int(r, "files", json_int(r, "files", 0) + 1);
    json_put_int(r, "bytes", json_int(r, "bytes", 0) + (int64_t)bytes);
    if (json_array_size(json_list(r, "paths")) < SHOWN_MAX)
        json_array_append_new(json_list(r, "paths"), json_text_new(path, strlen(path)));
}

void files_note_write(struct files *f, const char *tool, const char *path, const void *data, size_t len,
                      const struct decision *d)
{
    char hash[HASH_TEXT];
    if (!f->ctx)
        return;
    json_t *receipt = file_receipt_new(f, tool, d);
    json_put(receipt, "path", json_text_new(path, strlen(path)));
    if (data) {
        hash_bytes(data, len, hash);
        json_put_str(receipt, "hash", hash);
        json_put_int(receipt, "bytes", (int64_t)len);
    } else {
        json_put_flag(receipt, "removed", true);
    }
}

int files_place(const struct files *f, int fd, const char *path, char **ret, struct err *err)
{
    char link[64], place[POLICY_PATH_MAX];
    struct stat st;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, place, sizeof(place) - 1);
    if (n < 0 || n >= (ssize_t)sizeof(place) - 1)
        return err_set(err, ERR_UNSUPPORTED, "cannot tell where '%s' is: /proc is not there, or the path is too long",
                       path);
    place[n] = '\0';
    if (fstat(fd, &st) < 0 || st.st_nlink == 0)
        return err_set(err, ERR_CONFLICT, "'%s' is being replaced by somebody: try again", path);
    const char *below = path_below(place, f->root);
    if (!below)
        return err_set(err, ERR_DENIED, "'%s' leads to '%s', outside of '%s'", path, place, f->root);
    *ret = str_dup(*below ? below : ".");
    return 0;
}

// --- reading ---

static int open_error(const char *path, int e, struct err *err)
{
    if (e == EXDEV || e == ELOOP)
        return err_set(err, ERR_DENIED, "'%s' leads out of its folder through a link, or in a circle", path);
    if (e == EAGAIN)
        return err_set(err, ERR_CONFLICT, "'%s' is being moved by somebody: try again", path);
    return err_sys(err, e, "cannot open '%s'", path);
}

static int look(const struct files *f, int fd, const char *path, size_t max, char **ret_place, struct err *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return err_sys(err, errno, "cannot look at '%s'", path);
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_INVALID, "'%s' is %s; expected a regular file", path,
                       S_ISDIR(st.st_mode) ? "a folder" : "a pipe, a socket or a device");
    if ((uint64_t)st.st_size > max)
        return err_set(err, ERR_LIMIT, "'%s' is larger than %zu bytes", path, max);
    return files_place(f, fd, path, ret_place, err);
}

struct found {   // a file that may be read
    int fd;      // without rights; opened through /proc/self/fd
    char *place; // below the folder
    struct decision by;
};

// Decides on the path, holds what is there, looks at it, and decides on the place that it is at.
static int find(struct files *f, const char *path, size_t max, struct found *ret, struct err *err)
{
    struct found found = {0};
    struct decision at;
    const char *below = files_below(f, path);
    int r = files_decide(f, "Read", below, &found.by, err);
    if (r < 0)
        return r;
    if (below[0] == '/')
        return err_set(err, ERR_DENIED, "'%s' is outside of '%s'", path, f->root);
    found.fd = files_openat(f->fd, below, O_PATH, 0);
    if (found.fd < 0)
        return open_error(path, -found.fd, err);
    r = look(f, found.fd, path, max, &found.place, err);
    if (r == 0 && !str_eq(found.place, below))
        r = files_decide(f, "Read", found.place, &at, err);
    if (r < 0) {
        close(found.fd);
        mem_free(found.place);
        return r;
    }
    *ret = found;
    return 0;
}

static int open_found(const struct found *found, const char *path, struct err *err)
{
    char link[64];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", found->fd);
    int fd = open(link, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    return fd < 0 ? err_sys(err, errno, "cannot read '%s'", path) : fd;
}

static void found_clear(struct found *found)
{
    close(found->fd);
    mem_free(found->place);
}

static int read_all(const struct found *found, const char *path, size_t max, struct buf *text, struct err *err)
{
    char chunk[65536];
    int fd = open_found(found, path, err), r = 0;
    if (fd < 0)
        return fd;
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            r = err_sys(err, errno, "cannot read '%s'", path);
        if (n <= 0)
            break;
        buf_add(text, chunk, (size_t)n);
        if (text->len > max) {
            r = err_set(err, ERR_LIMIT, "'%s' is larger than %zu bytes", path, max);
            break;
        }
    }
    close(fd);
    return r;
}

int files_read(struct files *f, const char *path, size_t max, char **ret, size_t *ret_len, struct err *err)
{
    struct found found;
    struct buf text = BUF_INIT;
    max = max < FILES_READ_MAX ? max : FILES_READ_MAX;
    int r = find(f, path, max, &found, err);
    if (r < 0)
        return r;
    r = read_all(&found, path, max, &text, err);
    if (r == 0) {
        files_note_read(f, "Read", found.place, text.len, &found.by);
        if (ret_len)
            *ret_len = text.len;
        *ret = buf_steal(&text);
    }
    buf_free(&text);
    found_clear(&found);
    return r;
}

static int copy_all(int in, int out)
{
    char chunk[65536];
    for (;;) {
        ssize_t n = read(in, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : 0;
        for (ssize_t at = 0; at < n;) {
            ssize_t w = write(out, chunk + at, (size_t)(n - at));
            if (w < 0 && errno != EINTR)
                return errno;
            at += w > 0 ? w : 0;
        }
    }
}

// Consumes the descriptor.
static int copy_to(int in, const char *path, const char *to, size_t *ret_bytes, struct err *err)
{
    struct stat st;
    int r = fstat(in, &st) < 0 ? err_sys(err, errno, "cannot read '%s'", path) : 0;
    int out = r == 0 ? open(to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, st.st_mode & 0777) : -1;
    if (r == 0 && out < 0)
        r = err_sys(err, errno, "cannot make '%s'", to);
    int e = r == 0 ? copy_all(in, out) : 0;
    if (out >= 0 && close(out) < 0 && e == 0)
        e = errno;
    close(in);
    *ret_bytes = r == 0 ? (size_t)st.st_size : 0;
    return e ? err_sys(err, e, "cannot copy '%s' to '%s'", path, to) : r;
}

int files_copy_out(struct files *f, const char *path, const char *to, struct err *err)
{
    struct found found;
    size_t bytes = 0;
    int r = find(f, path, SIZE_MAX, &found, err);
    if (r < 0)
        return r;
    int in = open_found(&found, path, err);
    r = in < 0 ? in : copy_to(in, path, to, &bytes, err);
    if (r == 0)
        files_note_read(f, "Read", found.place, bytes, &found.by);
    found_clear(&found);
    return r;
}
