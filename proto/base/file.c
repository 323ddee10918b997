#include "base/file.h"

#include "base/id.h"
#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK_BYTES = 65535 }; // of a file that does not say how large it is

int file_read(const char *path, size_t max, char **ret, size_t *ret_len, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); // non-blocking: a FIFO must not hang us
    if (fd < 0)
        return err_sys(err, errno, "cannot open '%s'", path);
    struct stat st;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return err_set(err, ERR_INVALID, "'%s' is not a regular file", path);
    }
    struct buf b = BUF_INIT;
    for (;;) { // one byte more than it has, so that its end is seen at once
        size_t left =
            (size_t)st.st_size > b.len && (size_t)st.st_size <= max ? (size_t)st.st_size - b.len : CHUNK_BYTES;
        char *chunk = buf_room(&b, left + 1);
        b.len -= left + 1;
        ssize_t n = read(fd, chunk, left + 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            int e = errno;
            close(fd);
            buf_free(&b);
            return err_sys(err, e, "cannot read '%s'", path);
        }
        if (n == 0)
            break;
        b.len += (size_t)n;
        if (b.len > max) {
            close(fd);
            buf_free(&b);
            return err_set(err, ERR_LIMIT, "'%s' is larger than %zu bytes", path, max);
        }
    }
    b.data[b.len] = '\0';
    close(fd);
    if (ret_len)
        *ret_len = b.len;
    *ret = buf_steal(&b);
    return 0;
}

int file_read_if_there(const char *path, size_t max, char **ret, struct err *err)
{
    *ret = NULL;
    return file_is_named(path) ? file_read(path, max, ret, NULL, err) : 0;
}

static int write_all(int fd, const char *data, size_t len)
{
    while (len) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

static int sync_dir(const char *path)
{
    char *dir = path_dir(path);
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    mem_free(dir);
    if (fd < 0)
        return -1;
    int r = fsync(fd);
    close(fd);
    return r;
}

int file_write(const char *path, const void *data, size_t len, bool durable, struct err *err)
{
    char tag[ID_SHORT_TEXT];
    id_short(tag);
    char *temp = str_printf("%s.%s.tmp", path, tag);
    int r = 0;
    int fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0) {
        r = err_sys(err, errno, "cannot create '%s'", temp);
        mem_free(temp);
        return r;
    }
    if (write_all(fd, data, len) < 0 || (durable && fsync(fd) < 0))
        r = err_sys(err, errno, "cannot write '%s'", path);
    if (close(fd) < 0 && r == 0)
        r = err_sys(err, errno, "cannot write '%s'", path);
    if (r == 0 && rename(temp, path) < 0)
        r = err_sys(err, errno, "cannot replace '%s'", path);
    if (r == 0 && durable && sync_dir(path) < 0)
        r = err_sys(err, errno, "cannot sync the folder of '%s'", path);
    if (r < 0)
        unlink(temp);
    mem_free(temp);
    return r;
}

int file_copy(const char *from, const char *to, struct err *err)
{
    int in = open(from, O_RDONLY | O_CLOEXEC);
    if (in < 0)
        return err_sys(err, errno, "cannot open '%s'", from);
    struct stat st;
    if (fstat(in, &st) < 0)
        st.st_mode = 0644;
    int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, st.st_mode & 0777);
    if (out < 0) {
        int r = err_sys(err, errno, "cannot create '%s'", to);
        close(in);
        return r;
    }
    char chunk[65536];
    int r = 0;
    for (;;) {
        ssize_t n = read(in, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            break;
        if (n < 0 || write_all(out, chunk, (size_t)n) < 0) {
            r = err_sys(err, errno, "cannot copy '%s' to '%s'", from, to);
            break;
        }
    }
    close(in);
    if (close(out) < 0 && r == 0)
        r = err_sys(err, errno, "cannot write '%s'", to);
    return r;
}

bool file_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

bool file_is_named(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

bool file_is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int file_make_dirs(const char *path, struct err *err)
{
    AUTO_FREE char *copy = str_dup(path);
    for (char *p = copy + 1; *p; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        if (mkdir(copy, 0777) < 0 && errno != EEXIST)
            return err_sys(err, errno, "cannot create folder '%s'", copy);
        *p = '/';
    }
    if (mkdir(copy, 0777) < 0 && errno != EEXIST)
        return err_sys(err, errno, "cannot create folder '%s'", copy);
    return file_is_dir(path) ? 0 : err_set(err, ERR_EXISTS, "'%s' is in the way of a folder of that name", path);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path) < 0 && errno != ENOENT ? -1 : 0;
}

int file_remove_tree(const char *path, struct err *err)
{
    struct stat st;
    if (lstat(path, &st) < 0 && errno == ENOENT)
        return 0;
    if (nftw(path, remove_one, 32, FTW_DEPTH | FTW_PHYS) < 0)
        return err_sys(err, errno, "cannot remove '%s'", path);
    return 0;
}

int file_hash(const char *path, char out[65], struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_sys(err, errno, "cannot open '%s'", path);
    struct hash *h = hash_new();
    char chunk[65536];
    ssize_t n;
    while ((n = read(fd, chunk, sizeof(chunk))) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            break;
        hash_add(h, chunk, (size_t)n);
    }
    int e = errno;
    close(fd);
    hash_finish(h, out);
    return n < 0 ? err_sys(err, e, "cannot read '%s'", path) : 0;
}

bool path_up(char **path)
{
    char *up = path_dir(*path);
    if (str_eq(up, *path)) {
        mem_free(up);
        return false;
    }
    mem_free(*path);
    *path = up;
    return true;
}

char *path_user_config(const char *below)
{
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    if (config && config[0] == '/')
        return path_join(config, below);
    AUTO_FREE char *own = home && home[0] == '/' ? path_join(home, ".config") : NULL;
    return own ? path_join(own, below) : NULL;
}

char *path_join(const char *a, const char *b)
{
    if (b[0] == '/' || !*a)
        return str_dup(b);
    if (!*b)
        return str_dup(a);
    return str_printf("%s%s%s", a, str_ends(a, "/") ? "" : "/", b);
}

char *path_dir(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return str_dup(".");
    return slash == path ? str_dup("/") : str_ndup(path, (size_t)(slash - path));
}

const char *path_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

char *path_real(const char *path, struct err *err)
{
    char *out = realpath(path, NULL);
    if (!out)
        err_sys(err, errno, "cannot find '%s'", path);
    return out;
}

const char *path_below(const char *path, const char *dir)
{
    size_t n = strlen(dir);
    while (n > 1 && dir[n - 1] == '/')
        n--;
    if (strncmp(path, dir, n) != 0)
        return NULL;
    if (path[n] == '\0')
        return path + n;
    if (n == 1 && dir[0] == '/')
        return path + 1;
    return path[n] == '/' ? path + n + 1 : NULL;
}

char *path_find_program(const char *name)
{
    if (strchr(name, '/'))
        return access(name, X_OK) == 0 && !file_is_dir(name) ? str_dup(name) : NULL;
    const char *env = getenv("PATH");
    char **dirs = str_split(env ? env : "/usr/local/bin:/usr/bin:/bin", ":", true, NULL);
    char *found = NULL;
    for (char **d = dirs; *d && !found; d++) {
        char *candidate = path_join(*d, name);
        if (access(candidate, X_OK) == 0 && !file_is_dir(candidate))
            found = candidate;
        else
            mem_free(candidate);
    }
    str_list_free(dirs);
    return found;
}
