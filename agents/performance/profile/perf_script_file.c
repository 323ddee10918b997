// A large file is parted at empty lines, which end samples; each part is parsed by itself, and the parts are merged in
// their order, so that numbers of frames and stacks are those of reading it from start to end.
#include "profile/perf_script_inside.h"

#include "base/mem.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_BYTES ((size_t)1024 * 1024)
#define LOOK_BYTES ((size_t)64 * 1024) // where the end of a sample is looked for

struct part {
    struct perf_script *script;
    const char *path;
    int fd;
    off_t from, to;
    struct err err;
    int result;
    pthread_t thread;
};

static int read_range(struct part *part)
{
    char *piece = mem_resize(NULL, READ_BYTES, 1);
    int result = 0;
    for (off_t at = part->from; at < part->to;) {
        size_t want = (size_t)(part->to - at) < READ_BYTES ? (size_t)(part->to - at) : READ_BYTES;
        ssize_t n = pread(part->fd, piece, want, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            result = err_sys(&part->err, errno, "cannot read the profile \"%s\"", part->path);
        if (n <= 0)
            break;
        perf_script_feed(part->script, piece, (size_t)n);
        at += n;
    }
    mem_free(piece);
    return result;
}

static void *work(void *user)
{
    struct part *part = user;
    part->result = read_range(part);
    perf_script_finish(part->script);
    return NULL;
}

// A pipe, or a file of which nothing is known.
static int read_stream(struct perf_script *p, int fd, const char *path, struct err *err)
{
    char *piece = mem_resize(NULL, READ_BYTES, 1);
    int result = 0;
    for (;;) {
        ssize_t n = read(fd, piece, READ_BYTES);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            result = err_sys(err, errno, "cannot read the profile \"%s\"", path);
        if (n <= 0)
            break;
        perf_script_feed(p, piece, (size_t)n);
    }
    mem_free(piece);
    return result;
}

// Behind the first empty line at or after `at`; `end` when there is none nearby.
static off_t sample_end(int fd, off_t at, off_t end)
{
    char look[LOOK_BYTES];
    ssize_t n = pread(fd, look, sizeof(look), at);
    const char *blank = n > 0 ? memmem(look, (size_t)n, "\n\n", 2) : NULL;
    return blank && at + (blank - look) + 2 < end ? at + (blank - look) + 2 : end;
}

// The event that counts is that of the first sample of the file, for all parts.
static bool find_event(struct perf_script *p, int fd)
{
    if (p->wanted)
        return true;
    struct perf_script *first = perf_script_new(NULL);
    char look[LOOK_BYTES];
    ssize_t n = pread(fd, look, sizeof(look), 0);
    if (n > 0)
        perf_script_feed(first, look, (size_t)n);
    bool found = first->wanted && first->stats.samples > 0;
    if (found)
        p->wanted = str_dup(first->wanted);
    perf_script_free(first);
    return found;
}

static int read_parts(struct perf_script *p, int fd, const char *path, off_t size, int count, struct err *err)
{
    struct part parts[PERF_SCRIPT_THREADS_MAX] = {0};
    bool started[PERF_SCRIPT_THREADS_MAX] = {false};
    off_t at = 0;
    int result = 0;
    for (int i = 0; i < count; i++) {
        off_t to = i + 1 == count ? size : sample_end(fd, size / count * (i + 1), size);
        parts[i] = (struct part){.path = path, .fd = fd, .from = at, .to = to > at ? to : at};
        parts[i].script = i == 0 ? p : perf_script_new(p->wanted);
        at = parts[i].to;
    }
    for (int i = 1; i < count; i++)
        started[i] = pthread_create(&parts[i].thread, NULL, work, &parts[i]) == 0;
    work(&parts[0]);
    for (int i = 1; i < count; i++) {
        if (started[i])
            pthread_join(parts[i].thread, NULL);
        else
            work(&parts[i]);
    }
    for (int i = 0; i < count; i++) {
        if (result == 0 && parts[i].result < 0) {
            *err = parts[i].err;
            result = parts[i].result;
        }
        if (i == 0)
            continue;
        perf_script_merge(p, parts[i].script);
        perf_script_free(parts[i].script);
    }
    return result;
}

int perf_script_read_threads(struct perf_script *p, const char *path, int threads, struct err *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_sys(err, errno, "cannot read the profile \"%s\"", path);
    bool regular = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    size_t most = regular ? (size_t)st.st_size / PERF_SCRIPT_PART_BYTES : 0;
    int count = threads < PERF_SCRIPT_THREADS_MAX ? threads : PERF_SCRIPT_THREADS_MAX;
    if ((size_t)count > most)
        count = (int)most;
    bool fresh = p->total_bytes == 0 && p->part.len == 0;
    int result;
    if (count > 1 && fresh && find_event(p, fd))
        result = read_parts(p, fd, path, st.st_size, count, err);
    else
        result = read_stream(p, fd, path, err);
    close(fd);
    return result;
}

int perf_script_read_file(struct perf_script *p, const char *path, struct err *err)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return perf_script_read_threads(p, path,
                                    cores > 1 && cores < PERF_SCRIPT_THREADS_MAX ? (int)cores
                                    : cores > 1                                  ? PERF_SCRIPT_THREADS_MAX
                                                                                 : 1,
                                    err);
}

// --- merging ---

static const char *same_name(struct perf_script *into, const char *text)
{
    uint32_t id = intern_text(into->names, text);
    return id == INTERN_NONE ? "[unknown]" : intern_data(into->names, id);
}

// Number in `into` of each frame of `from`.
static uint32_t *map_frames(struct perf_script *into, const struct perf_script *from)
{
    uint32_t *map = mem_array(from->frames.len, sizeof(*map));
    for (uint32_t i = 0; i < from->frames.len; i++) {
        bool fresh = false;
        map[i] = intern_bytes(into->lines, intern_data(from->lines, i), intern_len(from->lines, i), &fresh);
        if (!fresh)
            continue;
        struct perf_frame frame = from->frames.items[i];
        if (frame.symbol)
            frame.symbol = same_name(into, frame.symbol);
        frame.dso = frame.dso[0] ? same_name(into, frame.dso) : "";
        vec_push(&into->frames, frame);
    }
    return map;
}

static void merge_stats(struct perf_script_stats *into, const struct perf_script_stats *from)
{
    if (into->bad_lines == 0 && from->bad_lines > 0) {
        memcpy(into->first_bad, from->first_bad, sizeof(into->first_bad));
        into->first_bad_line = into->lines + from->first_bad_line;
    }
    if (into->event[0] == '\0')
        memcpy(into->event, from->event, sizeof(into->event));
    into->samples += from->samples;
    into->weight += from->weight;
    into->lost += from->lost;
    into->other_events += from->other_events;
    into->without_stack += from->without_stack;
    into->deep += from->deep;
    into->kernel_samples += from->kernel_samples;
    into->lines += from->lines;
    into->bad_lines += from->bad_lines;
    into->truncated |= from->truncated;
}

void perf_script_merge(struct perf_script *into, const struct perf_script *from)
{
    uint32_t *map = map_frames(into, from), stack[PERF_SCRIPT_DEPTH_MAX + 1];
    for (uint32_t i = 0; i < from->totals.len; i++) {
        const uint32_t *all = intern_data(from->stacks, i);
        size_t count = intern_len(from->stacks, i) / sizeof(*all);
        bool fresh = false;
        stack[0] = intern_bytes(into->names, intern_data(from->names, all[0]), intern_len(from->names, all[0]), NULL);
        bool whole = stack[0] != INTERN_NONE;
        for (size_t k = 1; k < count; k++) {
            stack[k] = map[all[k]];
            whole &= stack[k] != INTERN_NONE;
        }
        uint32_t id = whole ? intern_bytes(into->stacks, stack, count * sizeof(*stack), &fresh) : INTERN_NONE;
        if (id == INTERN_NONE) {
            into->stats.truncated = true;
            continue;
        }
        if (fresh)
            vec_push(&into->totals, (struct totals){0});
        into->totals.items[id].samples += from->totals.items[i].samples;
        into->totals.items[id].weight += from->totals.items[i].weight;
    }
    merge_stats(&into->stats, &from->stats);
    into->total_bytes += from->total_bytes;
    mem_free(map);
}
