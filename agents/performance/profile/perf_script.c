// Frame lines are interned as bytes before they are parsed: the same address in the same function prints the same
// line, so nearly all lines cost one hash. A stack is interned as the bytes of {comm, frame, frame, ...}.
#include "profile/perf_script_inside.h"

#include "profile/perf_line.h"

#include "base/mem.h"
#include "base/str.h"

#include <string.h>

struct perf_script *perf_script_new(const char *event)
{
    struct perf_script *p = mem_alloc(sizeof(*p));
    p->names = intern_new();
    p->lines = intern_new();
    p->stacks = intern_new();
    p->wanted = str_dup(event);
    p->part = BUF_MAX(PERF_SCRIPT_LINE_MAX + 1);
    return p;
}

struct perf_script *perf_script_free(struct perf_script *p)
{
    if (!p)
        return NULL;
    intern_free(p->names);
    intern_free(p->lines);
    intern_free(p->stacks);
    vec_free(&p->frames);
    vec_free(&p->totals);
    mem_free(p->wanted);
    buf_free(&p->part);
    mem_free(p);
    return NULL;
}

static void bad_line(struct perf_script *p, const char *line, size_t len)
{
    if (p->stats.bad_lines++ > 0)
        return;
    size_t n = len < PERF_SCRIPT_BAD_TEXT - 1 ? len : PERF_SCRIPT_BAD_TEXT - 1;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)line[i];
        p->stats.first_bad[i] = c >= 0x20 && c < 0x7f ? (char)c : '?';
    }
    p->stats.first_bad[n] = '\0';
    p->stats.first_bad_line = p->stats.lines;
}

static void end_sample(struct perf_script *p)
{
    if (!p->in_sample)
        return;
    p->in_sample = false;
    if (p->depth == 0) {
        p->stats.without_stack++;
        return;
    }
    bool fresh = false;
    p->stack[0] = p->comm;
    uint32_t id = intern_bytes(p->stacks, p->stack, (p->depth + 1) * sizeof(p->stack[0]), &fresh);
    if (id == INTERN_NONE) {
        p->stats.truncated = true;
        return;
    }
    if (fresh)
        vec_push(&p->totals, (struct totals){0});
    p->totals.items[id].samples++;
    p->totals.items[id].weight += p->period;
    p->stats.samples++;
    p->stats.weight += p->period;
    p->stats.deep += p->sample_deep;
    p->stats.kernel_samples += p->sample_kernel;
}

static const char *name(struct perf_script *p, struct slice s)
{
    uint32_t id = intern_bytes(p->names, s.at, s.len, NULL);
    return id == INTERN_NONE ? "[unknown]" : intern_data(p->names, id);
}

// "[kernel.kallsyms]", "[guest.kernel.kallsyms]", modules "[nf_tables]"; not "[unknown]", "[vdso]", "[heap]"
static bool is_kernel(const struct perf_frame_text *f)
{
    static const char *const user[] = {"[unknown]", "[vdso]", "[vsyscall]", "[heap]", "[stack]", "[anon]"};
    if (f->dso.len < 3 || f->dso.at[0] != '[')
        return f->dso.len > 3 && memcmp(f->dso.at + f->dso.len - 3, ".ko", 3) == 0;
    for (size_t i = 0; i < ARRAY_LEN(user); i++)
        if (f->dso.len == strlen(user[i]) && memcmp(f->dso.at, user[i], f->dso.len) == 0)
            return false;
    return f->ip >> 63 != 0 || memmem(f->dso.at, f->dso.len, "kernel", 6) != NULL;
}

static void frame_line(struct perf_script *p, const char *line, size_t len)
{
    bool fresh = false;
    uint32_t id = intern_bytes(p->lines, line, len, &fresh);
    if (id == INTERN_NONE) {
        p->stats.truncated = true;
        return;
    }
    if (fresh) {
        // A line of which perf_line knows nothing still gets a number, so that numbers of lines and frames agree.
        struct perf_frame frame = {.symbol = NULL, .dso = ""};
        struct perf_frame_text f;
        if (perf_line_frame(line, len, &f))
            frame = (struct perf_frame){.ip = f.ip,
                                        .offset = f.offset,
                                        .symbol = name(p, f.symbol),
                                        .dso = f.dso.len ? name(p, f.dso) : "",
                                        .has_offset = f.has_offset,
                                        .inlined = f.inlined,
                                        .kernel = is_kernel(&f)};
        vec_push(&p->frames, frame);
    }
    const struct perf_frame *frame = &p->frames.items[id];
    if (!frame->symbol) {
        bad_line(p, line, len);
        return;
    }
    if (p->depth >= PERF_SCRIPT_DEPTH_MAX) {
        p->sample_deep = true;
        return;
    }
    p->sample_kernel |= frame->kernel;
    p->stack[++p->depth] = id;
}

static bool start_sample(struct perf_script *p, const struct perf_header *h)
{
    if (!p->wanted && p->stats.samples == 0) {
        p->wanted = str_ndup(h->event.at, h->event.len);
    }
    if (p->stats.event[0] == '\0' && p->wanted) {
        size_t n = str_utf8_cut(p->wanted, sizeof(p->stats.event) - 1);
        memcpy(p->stats.event, p->wanted, n);
    }
    if (!p->wanted || strlen(p->wanted) != h->event.len || memcmp(p->wanted, h->event.at, h->event.len) != 0) {
        p->stats.other_events++;
        return false;
    }
    uint32_t comm = intern_bytes(p->names, h->comm.at, h->comm.len, NULL);
    p->comm = comm;
    p->period = h->period;
    p->depth = 0;
    p->sample_kernel = p->sample_deep = false;
    p->in_sample = comm != INTERN_NONE;
    return p->in_sample;
}

static void header_line(struct perf_script *p, const char *line, size_t len)
{
    end_sample(p);
    struct perf_header h;
    uint64_t lost;
    if (perf_line_lost(line, len, &lost)) {
        p->stats.lost += lost;
    } else if (!perf_line_header(line, len, &h)) {
        bad_line(p, line, len);
    } else if (start_sample(p, &h) && h.rest.len) {
        frame_line(p, h.rest.at, h.rest.len);
        end_sample(p);
    }
}

static void one_line(struct perf_script *p, const char *line, size_t len)
{
    p->stats.lines++;
    if (len && line[len - 1] == '\r')
        len--;
    if (len == 0) {
        end_sample(p);
        return;
    }
    if (line[0] == '#')
        return;
    // perf pads the comm with blanks on its left; only frames start with a tab
    if (line[0] != '\t') {
        header_line(p, line, len);
    } else if (p->in_sample) {
        size_t skip = 1;
        while (skip < len && line[skip] == ' ')
            skip++;
        frame_line(p, line + skip, len - skip);
    }
}

// Part of a line whose end has not come. Returns false when the line has become too long.
static void keep_part(struct perf_script *p, const char *data, size_t len)
{
    if (p->skip_line)
        return;
    buf_add(&p->part, data, len);
    if (p->part.len > PERF_SCRIPT_LINE_MAX) {
        p->stats.lines++;
        bad_line(p, p->part.data, p->part.len);
        buf_clear(&p->part);
        p->skip_line = true;
    }
}

void perf_script_feed(struct perf_script *p, const char *data, size_t len)
{
    if (len > PERF_SCRIPT_TOTAL_MAX - p->total_bytes) {
        p->stats.truncated = true;
        return;
    }
    p->total_bytes += len;
    const char *end = data + len;
    while (data < end) {
        const char *newline = memchr(data, '\n', (size_t)(end - data));
        if (!newline) {
            keep_part(p, data, (size_t)(end - data));
            return;
        }
        size_t n = (size_t)(newline - data);
        if (p->skip_line) {
            p->skip_line = false;
        } else if (p->part.len) {
            keep_part(p, data, n);
            if (!p->skip_line)
                one_line(p, p->part.data, p->part.len);
            p->skip_line = false;
            buf_clear(&p->part);
        } else if (n > PERF_SCRIPT_LINE_MAX) {
            p->stats.lines++;
            bad_line(p, data, n);
        } else {
            one_line(p, data, n);
        }
        data = newline + 1;
    }
}

void perf_script_finish(struct perf_script *p)
{
    if (p->part.len) {
        one_line(p, p->part.data, p->part.len);
        buf_clear(&p->part);
    }
    end_sample(p);
}

const struct perf_script_stats *perf_script_stats(const struct perf_script *p)
{
    return &p->stats;
}

size_t perf_script_stack_count(const struct perf_script *p)
{
    return p->totals.len;
}

struct perf_stack perf_script_stack(const struct perf_script *p, size_t i)
{
    must(i < p->totals.len);
    const uint32_t *all = intern_data(p->stacks, (uint32_t)i);
    size_t count = intern_len(p->stacks, (uint32_t)i) / sizeof(*all);
    return (struct perf_stack){.frames = all + 1,
                               .count = count - 1,
                               .comm = intern_data(p->names, all[0]),
                               .samples = p->totals.items[i].samples,
                               .weight = p->totals.items[i].weight};
}

size_t perf_script_frame_count(const struct perf_script *p)
{
    return p->frames.len;
}

const struct perf_frame *perf_script_frame(const struct perf_script *p, uint32_t id)
{
    must(id < p->frames.len);
    return &p->frames.items[id];
}
