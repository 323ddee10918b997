// A large file is parted at line ends; each part is read by a thread of its own, piece by piece, and the parts are put
// together in their order.
#include "profile/folded.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE_BYTES ((size_t)1 << 20)
#define LOOK_BYTES  ((size_t)64 << 10) // where the end of a line is looked for

struct part {
    struct folded *folded;
    const struct crate_roots *roots;
    const char *path;
    int fd, result;
    off_t from, to;
    struct folded_read_stats stats;
    struct err err;
    pthread_t thread;
};

static void add_stats(struct folded_read_stats *into, const struct folded_read_stats *from)
{
    if (into->first_bad_line == 0 && from->first_bad_line > 0)
        into->first_bad_line = into->lines + from->first_bad_line;
    into->lines += from->lines;
    into->bad_lines += from->bad_lines;
    into->cut_stacks += from->cut_stacks;
}

// Whole lines of what is there; a line that fills the piece is cut. Returns what is left over.
static size_t read_lines(struct part *p, struct folded_reader *reader, char *piece, size_t len, bool end)
{
    const char *last = end || len == 0 ? NULL : memrchr(piece, '\n', len);
    size_t use = last ? (size_t)(last - piece) + 1 : end || len == PIECE_BYTES ? len : 0;
    if (use == 0)
        return len;
    folded_reader_feed(reader, piece, use, &p->stats);
    memmove(piece, piece + use, len - use);
    return len - use;
}

static void *work(void *user)
{
    struct part *p = user;
    struct folded_reader *reader = folded_reader_new(p->folded, p->roots);
    char *piece = mem_resize(NULL, PIECE_BYTES, 1);
    size_t held = 0;
    for (off_t at = p->from; at < p->to;) {
        size_t room = PIECE_BYTES - held, want = (size_t)(p->to - at) < room ? (size_t)(p->to - at) : room;
        ssize_t n = pread(p->fd, piece + held, want, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            p->result = err_sys(&p->err, errno, "cannot read \"%s\"", p->path);
        if (n <= 0)
            break;
        at += n;
        held = read_lines(p, reader, piece, held + (size_t)n, at >= p->to);
    }
    if (held > 0)
        read_lines(p, reader, piece, held, true);
    mem_free(piece);
    folded_reader_free(reader);
    return NULL;
}

// Behind the first line end at or after `at`; `end` when there is none nearby.
static off_t line_end(int fd, off_t at, off_t end)
{
    char *look = mem_resize(NULL, LOOK_BYTES, 1);
    ssize_t n = pread(fd, look, LOOK_BYTES, at);
    const char *newline = n > 0 ? memchr(look, '\n', (size_t)n) : NULL;
    off_t found = newline && at + (newline - look) + 1 < end ? at + (newline - look) + 1 : end;
    mem_free(look);
    return found;
}

static int read_parts(struct part *parts, int count, struct folded *f, struct folded_read_stats *ret, struct err *err)
{
    bool started[FOLDED_THREADS_MAX] = {false};
    int result = 0;
    for (int i = 1; i < count; i++)
        started[i] = pthread_create(&parts[i].thread, NULL, work, &parts[i]) == 0;
    work(&parts[0]);
    *ret = (struct folded_read_stats){0};
    for (int i = 0; i < count; i++) {
        if (started[i])
            pthread_join(parts[i].thread, NULL);
        else if (i > 0)
            work(&parts[i]);
        add_stats(ret, &parts[i].stats);
        if (parts[i].result < 0 && result == 0) {
            *err = parts[i].err;
            result = parts[i].result;
        }
        if (i == 0)
            continue;
        folded_merge(f, parts[i].folded);
        folded_free(parts[i].folded);
    }
    return result;
}

int folded_read_file(struct folded *f, const char *path, const struct crate_roots *roots, int threads,
                     struct folded_read_stats *ret, struct err *err)
{
    struct part parts[FOLDED_THREADS_MAX] = {0};
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        int r = err_sys(err, fd < 0 ? errno : EINVAL, "cannot read \"%s\"", path);
        if (fd >= 0)
            close(fd);
        return r;
    }
    size_t most = (size_t)st.st_size / FOLDED_PART_BYTES;
    int count = threads < 1 ? 1 : threads < FOLDED_THREADS_MAX ? threads : FOLDED_THREADS_MAX;
    if ((size_t)count > most)
        count = most ? (int)most : 1;
    off_t at = 0;
    for (int i = 0; i < count; i++) {
        off_t to = i + 1 == count ? st.st_size : line_end(fd, st.st_size / count * (i + 1), st.st_size);
        parts[i] = (struct part){.folded = i ? folded_new() : f,
                                 .roots = roots,
                                 .path = path,
                                 .fd = fd,
                                 .from = at,
                                 .to = to > at ? to : at};
        at = parts[i].to;
    }
    int r = read_parts(parts, count, f, ret, err);
    close(fd);
    return r;
}
