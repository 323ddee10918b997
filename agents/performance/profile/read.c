#include "profile/read.h"

#include "profile/demangle.h"
#include "profile/hot_walk.h"
#include "profile/intern.h"
#include "profile/read_inside.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <ctype.h>
#include <string.h>
#include <zlib.h>

#define LOOK 4096  // bytes that tell what a file is
#define WIDE 65536 // the same where lines may be long

static const char *const FORMAT_NAMES[] = {"unknown", "perf.data",  "perf script", "folded",
                                           "firefox", "speedscope", "callgrind",   "dhat"};

const char *read_format_name(enum read_format format)
{
    return FORMAT_NAMES[format];
}

// --- what it is ---

static bool has(const char *data, size_t len, const char *word)
{
    return memmem(data, len, word, strlen(word)) != NULL;
}

static enum read_format detect_json(const char *data, size_t len)
{
    if (has(data, len, "\"dhatFileVersion\""))
        return READ_DHAT;
    if (has(data, len, "speedscope"))
        return READ_SPEEDSCOPE;
    if (has(data, len, "\"meta\"") || has(data, len, "\"threads\"") || has(data, len, "preprocessedProfileVersion"))
        return READ_FIREFOX;
    return READ_UNKNOWN;
}

// The first line that is neither empty nor a comment.
static bool first_line(const char *data, size_t len, const char **ret, size_t *ret_len)
{
    for (size_t at = 0; at < len;) {
        const char *newline = memchr(data + at, '\n', len - at);
        size_t n = newline ? (size_t)(newline - data) - at : len - at, used = n;
        while (used > 0 && isspace((unsigned char)data[at + used - 1]))
            used--;
        if (used > 0 && data[at] != '#') {
            *ret = data + at;
            *ret_len = used;
            return true;
        }
        at += n + 1;
    }
    return false;
}

// "a;b;c 12": the last word is a number. A line of perf script ends with ':' or with ')'.
static bool looks_folded(const char *line, size_t len)
{
    size_t at = len;
    while (at > 0 && isdigit((unsigned char)line[at - 1]))
        at--;
    return at < len && at > 1 && line[at - 1] == ' ' && !isspace((unsigned char)line[0]);
}

static bool looks_like_perf(const char *line, size_t len)
{
    return line[len - 1] == ':' || (len > 2 && memmem(line, len, ": ", 2) && !looks_folded(line, len));
}

enum read_format read_detect(const char *data, size_t len)
{
    const char *line;
    size_t n;
    if (len >= 8 && (memcmp(data, "PERFILE2", 8) == 0 || memcmp(data, "2ELIFREP", 8) == 0))
        return READ_PERF_DATA;
    size_t look = len < LOOK ? len : LOOK, blank = 0, wide = len < WIDE ? len : WIDE;
    while (blank < look && isspace((unsigned char)data[blank]))
        blank++;
    if (blank < look && data[blank] == '{')
        return detect_json(data, wide);
    if (has(data, look, "# callgrind format") || (has(data, look, "\nevents:") && has(data, look, "\nfn=")))
        return READ_CALLGRIND;
    if (!first_line(data, wide, &line, &n)) // stacks of Rust names are long lines
        return READ_UNKNOWN;
    if (n > 8 && (memcmp(line, "version:", 8) == 0 || memcmp(line, "creator:", 8) == 0))
        return READ_CALLGRIND;
    if (looks_folded(line, n))
        return READ_FOLDED;
    return looks_like_perf(line, n) ? READ_PERF_SCRIPT : READ_UNKNOWN;
}

// --- the file ---

static bool is_gzip(const char *path)
{
    gzFile f = gzopen(path, "rb");
    bool direct = !f || gzdirect(f);
    if (f)
        gzclose(f);
    return !direct;
}

static int inflate_file(const char *path, size_t max, struct buf *out, struct err *err)
{
    gzFile f = gzopen(path, "rb");
    if (!f)
        return err_set(err, ERR_IO, "'%s' cannot be read", path);
    int r = 0, got = 0;
    char part[65536];
    while ((got = gzread(f, part, sizeof(part))) > 0 && r == 0) {
        if (out->len + (size_t)got > max)
            r = err_set(err, ERR_LIMIT, "'%s' is larger than %zu MB when it is unpacked", path, max >> 20);
        else
            buf_add(out, part, (size_t)got);
    }
    if (r == 0 && got < 0)
        r = err_set(err, ERR_PARSE, "'%s' is damaged: gzip cannot be undone", path);
    gzclose(f);
    return r;
}

static int read_whole(const char *path, struct buf *ret, struct err *err)
{
    if (is_gzip(path))
        return inflate_file(path, READ_TEXT_MAX, ret, err);
    char *data = NULL;
    size_t len = 0;
    int r = file_read(path, READ_TEXT_MAX, &data, &len, err);
    if (r == 0)
        *ret = (struct buf){.data = data, .len = len, .cap = len + 1};
    return r;
}

// --- reading ---

uint32_t read_place(struct profile *p, struct read_places *r, const char *function, const char *dso, const char *file,
                    int line)
{
    struct buf key = BUF_INIT;
    bool fresh = false;
    if (!r->keys)
        r->keys = intern_new();
    buf_printf(&key, "%s\n%s\n%s\n%d", function, dso ? dso : "", file ? file : "", line);
    uint32_t id = intern_bytes(r->keys, buf_str(&key), key.len, &fresh);
    buf_free(&key);
    if (id == INTERN_NONE)
        return PLACE_NONE;
    if (fresh) {
        AUTO_FREE char *name = demangle(function);
        size_t n = strlen(name);
        bool kernel = n > 4 && str_ends(name, "_[k]");
        if (kernel)
            name[n - 4] = '\0';
        struct hot_frame frame = {.function = name, .file = file, .line = line};
        frame.kind = kernel ? CRATE_KERNEL : profile_kind(p, dso, file, name);
        p->kernel |= kernel;
        vec_push(&r->places, profile_place(p, &frame));
    }
    return r->places.items[id];
}

void read_places_free(struct read_places *r)
{
    r->keys = intern_free(r->keys);
    vec_free(&r->places);
}

void read_count(struct profile *p, uint64_t samples, uint64_t weight)
{
    p->inside->stats.samples += samples;
    p->inside->stats.weight += weight;
}

// The crate that most weight is below: nearest to the root, not of std. Owned by the caller, NULL: there is none.
static char *main_crate(const struct profile *p)
{
    struct intern *names = intern_new();
    VEC(uint64_t) weights = {0};
    uint64_t most = 0;
    char *best = NULL;
    for (size_t i = 0; i < hot_stack_count(p->hot); i++) {
        struct hot_stack s = hot_stack_at(p->hot, i);
        for (size_t k = s.count; k-- > 0;) {
            struct hot_frame f = hot_frame_at(p->hot, s.frames[k]);
            size_t len = 0;
            const char *crate = demangle_crate(f.function, &len);
            if (f.kind != CRATE_DEPENDENCY || len == 0)
                continue;
            bool fresh = false;
            uint32_t id = intern_bytes(names, crate, len, &fresh);
            if (id == INTERN_NONE)
                break;
            if (fresh)
                vec_push(&weights, 0);
            weights.items[id] += s.weight;
            if (weights.items[id] > most) {
                most = weights.items[id];
                str_set(&best, intern_data(names, id));
            }
            break;
        }
    }
    vec_free(&weights);
    intern_free(names);
    return best;
}

static int read_into(struct profile *p, enum read_format format, const char *text, size_t len, struct err *err)
{
    switch (format) {
    case READ_FOLDED:
        return read_folded(p, text, len, err);
    case READ_FIREFOX:
        return read_firefox(p, text, len, err);
    case READ_SPEEDSCOPE:
        return read_speedscope(p, text, len, err);
    case READ_CALLGRIND:
        return read_callgrind(p, text, len, err);
    case READ_UNKNOWN:
    case READ_PERF_DATA:
    case READ_PERF_SCRIPT:
    case READ_DHAT:
        break;
    }
    return err_set(
        err, ERR_UNSUPPORTED,
        "no profile that is known: expected perf.data, the output of perf script, folded stacks, a profile of "
        "samply or Firefox, speedscope JSON, or what callgrind or DHAT wrote");
}

static int read_for_somebody(struct profile *p, enum read_format format, const char *text, size_t len, struct err *err)
{
    int r = read_into(p, format, text, len, err);
    if (r < 0 || !p->guess_owner || hot_unowned_pct(p->hot) < 100.0 || p->inside->crates)
        return r;
    char *crate = main_crate(p);
    if (!crate)
        return 0;
    p->inside->crates = mem_array(2, sizeof(char *));
    p->inside->crates[0] = crate;
    p->inside->crate_roots.crates = (const char *const *)p->inside->crates;
    profile_reset(p);
    return read_into(p, format, text, len, err);
}

static int read_data(const struct buf *data, enum read_format format, const struct profile_options *options,
                     struct profile **ret, struct err *err)
{
    struct profile *p = profile_new(options);
    p->guess_owner = options->guess_owner;
    p->format = read_format_name(format);
    int r = read_for_somebody(p, format, buf_str(data), data->len, err);
    if (r == 0 && hot_stack_count(p->hot) == 0)
        r = err_set(err, ERR_NOT_FOUND, "there is no sample in it");
    if (r < 0) {
        profile_free(p);
        return format == READ_UNKNOWN ? r : err_wrap(err, "read as %s", read_format_name(format));
    }
    *ret = p;
    return 0;
}

int profile_read_text(const char *text, size_t len, const struct profile_options *options, struct profile **ret,
                      struct err *err)
{
    char empty[] = "";
    const struct buf data = {.data = len ? (char *)(uintptr_t)text : empty, .len = len}; // read only
    return read_data(&data, read_detect(text, len), options, ret, err);
}

int profile_read_format(const char *path, enum read_format *ret, struct err *err)
{
    gzFile f = gzopen(path, "rb");
    char part[WIDE];
    if (!file_exists(path) || !f) {
        if (f)
            gzclose(f);
        return err_set(err, ERR_NOT_FOUND, "'%s' cannot be read", path);
    }
    int got = gzread(f, part, sizeof(part));
    gzclose(f);
    if (got < 0)
        return err_set(err, ERR_PARSE, "'%s' is damaged: gzip cannot be undone", path);
    *ret = read_detect(part, (size_t)got);
    return 0;
}

int profile_read(const char *path, const struct profile_options *options, enum read_format *ret_format,
                 struct profile **ret, struct err *err)
{
    enum read_format format = READ_UNKNOWN;
    int r = profile_read_format(path, &format, err);
    if (ret_format)
        *ret_format = format;
    if (r < 0)
        return r;
    if (format == READ_PERF_SCRIPT && !is_gzip(path))
        return profile_load(&path, 1, options, ret, err);
    struct buf data = BUF_INIT;
    r = read_whole(path, &data, err);
    if (r == 0)
        r = read_data(&data, format, options, ret, err);
    buf_free(&data);
    return r;
}
