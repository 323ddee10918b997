// Stacks are arrays of frame numbers, interned as bytes. When reading text, the part that a line shares with the line
// before is not split again: folded text is usually sorted, so most of a line is shared.
#include "profile/folded.h"

#include "profile/intern.h"

#include "base/mem.h"
#include "base/vec.h"

#include <stdlib.h>
#include <string.h>

struct frame {
    uint32_t name;
    enum crate_kind kind;
};

struct folded {
    struct intern *names;
    struct intern *keys; // kind (one byte) and name: one frame each
    VEC(struct frame) frames;
    struct intern *stacks;
    VEC(uint64_t) weights; // beside `stacks`
    VEC(uint64_t) before;  // of a pair, beside `stacks`; else empty
    bool pair;
    uint64_t total, dropped;
};

struct folded *folded_new(void)
{
    struct folded *f = mem_alloc(sizeof(*f));
    f->names = intern_new();
    f->keys = intern_new();
    f->stacks = intern_new();
    return f;
}

struct folded *folded_free(struct folded *f)
{
    if (!f)
        return NULL;
    intern_free(f->names);
    intern_free(f->keys);
    intern_free(f->stacks);
    vec_free(&f->frames);
    vec_free(&f->weights);
    vec_free(&f->before);
    mem_free(f);
    return NULL;
}

uint32_t folded_frame(struct folded *f, const char *name, size_t len, enum crate_kind kind)
{
    uint32_t text = intern_bytes(f->names, name, len, NULL);
    uint32_t key[2] = {text, (uint32_t)kind};
    bool fresh = false;
    uint32_t id = text == INTERN_NONE ? INTERN_NONE : intern_bytes(f->keys, key, sizeof(key), &fresh);
    if (id != INTERN_NONE && fresh)
        vec_push(&f->frames, (struct frame){text, kind});
    return id;
}

const char *folded_frame_name(const struct folded *f, uint32_t frame)
{
    must(frame < f->frames.len);
    return intern_data(f->names, f->frames.items[frame].name);
}

enum crate_kind folded_frame_kind(const struct folded *f, uint32_t frame)
{
    must(frame < f->frames.len);
    return f->frames.items[frame].kind;
}

size_t folded_frame_count(const struct folded *f)
{
    return f->frames.len;
}

void folded_add(struct folded *f, const uint32_t *frames, size_t count, uint64_t weight)
{
    bool fresh = false;
    if (count == 0 || weight == 0)
        return;
    size_t kept = count < FOLDED_DEPTH_MAX ? count : FOLDED_DEPTH_MAX;
    bool known = true;
    for (size_t i = 0; i < kept; i++)
        known &= frames[i] < f->frames.len; // INTERN_NONE when there was no room for the name
    uint32_t id = !known ? INTERN_NONE : intern_bytes(f->stacks, frames, kept * sizeof(*frames), &fresh);
    if (id == INTERN_NONE || weight > UINT64_MAX - f->total) {
        f->dropped += weight;
        return;
    }
    if (fresh)
        vec_push(&f->weights, 0);
    f->weights.items[id] += weight;
    f->total += weight;
}

void folded_merge(struct folded *into, const struct folded *from)
{
    uint32_t *map = mem_array(from->frames.len, sizeof(*map));
    uint32_t stack[FOLDED_DEPTH_MAX];
    for (size_t i = 0; i < from->frames.len; i++) {
        uint32_t name = from->frames.items[i].name;
        map[i] = folded_frame(into, intern_data(from->names, name), intern_len(from->names, name),
                              from->frames.items[i].kind);
    }
    for (uint32_t i = 0; i < from->weights.len; i++) {
        const uint32_t *frames = intern_data(from->stacks, i);
        size_t count = intern_len(from->stacks, i) / sizeof(*frames);
        bool whole = true;
        for (size_t k = 0; k < count; k++) {
            stack[k] = map[frames[k]];
            whole &= stack[k] != INTERN_NONE;
        }
        if (whole)
            folded_add(into, stack, count, from->weights.items[i]);
        else
            into->dropped += from->weights.items[i];
    }
    mem_free(map);
}

static uint64_t scaled(uint64_t weight, uint64_t to, uint64_t from)
{
    return from ? (uint64_t)((double)weight * (double)to / (double)from + 0.5) : 0;
}

// Number of the stack of `from` in `into`, made when it is new. INTERN_NONE: no room.
static uint32_t same_stack(struct folded *into, const struct folded *from, uint32_t stack)
{
    const uint32_t *frames = intern_data(from->stacks, stack);
    size_t count = intern_len(from->stacks, stack) / sizeof(*frames);
    uint32_t mapped[FOLDED_DEPTH_MAX];
    bool fresh = false;
    for (size_t k = 0; k < count; k++) {
        const char *name = folded_frame_name(from, frames[k]);
        mapped[k] = folded_frame(into, name, strlen(name), folded_frame_kind(from, frames[k]));
        if (mapped[k] == INTERN_NONE)
            return INTERN_NONE;
    }
    uint32_t id = intern_bytes(into->stacks, mapped, count * sizeof(*mapped), &fresh);
    if (id != INTERN_NONE && fresh) {
        vec_push(&into->weights, 0);
        vec_push(&into->before, 0);
    }
    return id;
}

struct folded *folded_pair_new(const struct folded *before, const struct folded *after)
{
    struct folded *pair = folded_new();
    pair->pair = true;
    for (uint32_t i = 0; i < after->weights.len; i++) {
        uint32_t id = same_stack(pair, after, i);
        if (id != INTERN_NONE)
            pair->weights.items[id] += after->weights.items[i];
        pair->total += id != INTERN_NONE ? after->weights.items[i] : 0;
    }
    for (uint32_t i = 0; i < before->weights.len; i++) {
        uint32_t id = same_stack(pair, before, i);
        if (id != INTERN_NONE)
            pair->before.items[id] += scaled(before->weights.items[i], after->total, before->total);
    }
    return pair;
}

bool folded_is_pair(const struct folded *f)
{
    return f->pair;
}

uint64_t folded_total(const struct folded *f)
{
    return f->total;
}

uint64_t folded_dropped(const struct folded *f)
{
    return f->dropped;
}

size_t folded_stack_count(const struct folded *f)
{
    return f->weights.len;
}

struct ranked {
    const char *name;
    uint32_t frame;
    enum crate_kind kind;
};

static int compare_ranked(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    int c = strcmp(x->name, y->name);
    return c ? c : (int)x->kind - (int)y->kind;
}

// Place of each frame in the order of names, so that stacks compare as numbers.
static uint32_t *rank_frames(const struct folded *f)
{
    struct ranked *all = mem_array(f->frames.len, sizeof(*all));
    uint32_t *rank = mem_array(f->frames.len, sizeof(*rank));
    for (uint32_t i = 0; i < f->frames.len; i++)
        all[i] = (struct ranked){folded_frame_name(f, i), i, f->frames.items[i].kind};
    if (f->frames.len)
        qsort(all, f->frames.len, sizeof(*all), compare_ranked);
    for (uint32_t i = 0; i < f->frames.len; i++)
        rank[all[i].frame] = i;
    mem_free(all);
    return rank;
}

struct sortable {
    uint64_t head; // ranks of the first two frames: decides most comparisons without touching the stacks
    const uint32_t *rank;
    struct folded_stack stack;
};

static int compare_stacks(const void *a, const void *b)
{
    const struct sortable *x = a, *y = b;
    if (x->head != y->head)
        return x->head < y->head ? -1 : 1;
    size_t n = x->stack.count < y->stack.count ? x->stack.count : y->stack.count;
    for (size_t i = 0; i < n; i++)
        if (x->stack.frames[i] != y->stack.frames[i])
            return x->rank[x->stack.frames[i]] < y->rank[y->stack.frames[i]] ? -1 : 1;
    return (x->stack.count > y->stack.count) - (x->stack.count < y->stack.count);
}

struct folded_stack *folded_sorted(const struct folded *f, size_t *ret_count)
{
    size_t n = f->weights.len;
    uint32_t *rank = rank_frames(f);
    struct sortable *all = mem_array(n, sizeof(*all));
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t *frames = intern_data(f->stacks, i);
        size_t count = intern_len(f->stacks, i) / sizeof(*frames);
        uint64_t head = (uint64_t)rank[frames[0]] << 32 | (count > 1 ? rank[frames[1]] + 1 : 0);
        all[i] = (struct sortable){head, rank, {frames, count, f->weights.items[i], f->pair ? f->before.items[i] : 0}};
    }
    if (n)
        qsort(all, n, sizeof(*all), compare_stacks);
    struct folded_stack *sorted = mem_array(n, sizeof(*sorted));
    for (size_t i = 0; i < n; i++)
        sorted[i] = all[i].stack;
    mem_free(all);
    mem_free(rank);
    *ret_count = n;
    return sorted;
}

struct folded_reader {
    struct folded *f;
    const struct crate_roots *roots;
    const char *before; // the line before, without its count
    size_t before_len;
    uint32_t stack[FOLDED_DEPTH_MAX];
    size_t ends[FOLDED_DEPTH_MAX]; // where each frame of the line before ends
    size_t depth;
    struct intern *raw;         // names as they stand in the text
    VEC(uint32_t) frame_of_raw; // beside `raw`
};

static uint32_t frame_of_text(struct folded_reader *r, const char *name, size_t len)
{
    bool fresh = false;
    uint32_t id = intern_bytes(r->raw, name, len, &fresh);
    if (id == INTERN_NONE)
        return INTERN_NONE;
    if (fresh) {
        bool kernel = len > 4 && memcmp(name + len - 4, "_[k]", 4) == 0;
        enum crate_kind kind = kernel ? CRATE_KERNEL : crate_kind_of(r->roots, NULL, intern_data(r->raw, id));
        vec_push(&r->frame_of_raw, folded_frame(r->f, name, kernel ? len - 4 : len, kind));
    }
    return r->frame_of_raw.items[id];
}

static size_t shared_length(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t n = a_len < b_len ? a_len : b_len, i = 0;
    for (; i + 8 <= n; i += 8) {
        uint64_t x, y;
        memcpy(&x, a + i, 8);
        memcpy(&y, b + i, 8);
        if (x != y)
            break;
    }
    while (i < n && a[i] == b[i])
        i++;
    return i;
}

// Number of leading frames of the line before that this line starts with too.
static size_t shared_frames(const struct folded_reader *r, const char *line, size_t len)
{
    size_t shared = shared_length(r->before, r->before_len, line, len), depth = r->depth;
    while (depth > 0 && !(r->ends[depth - 1] <= shared &&
                          (r->ends[depth - 1] == len || (r->ends[depth - 1] < len && line[r->ends[depth - 1]] == ';'))))
        depth--;
    return depth;
}

static bool read_count(const char *line, size_t len, size_t *ret_stack_len, uint64_t *ret)
{
    size_t at = len;
    uint64_t v = 0, unit = 1;
    while (at > 0 && line[at - 1] >= '0' && line[at - 1] <= '9' && len - at < 18) {
        v += (uint64_t)(line[at - 1] - '0') * unit;
        unit *= 10;
        at--;
    }
    if (at == len || at < 2 || (line[at - 1] != ' ' && line[at - 1] != '\t'))
        return false;
    *ret_stack_len = at - 1;
    *ret = v;
    return true;
}

static bool read_stack(struct folded_reader *r, const char *line, size_t len, struct folded_read_stats *stats)
{
    uint64_t weight;
    size_t stack_len;
    if (!read_count(line, len, &stack_len, &weight))
        return false;
    size_t depth = shared_frames(r, line, stack_len);
    size_t at = depth ? r->ends[depth - 1] + 1 : 0;
    while (at < stack_len && depth < FOLDED_DEPTH_MAX) {
        const char *next = memchr(line + at, ';', stack_len - at);
        size_t end = next ? (size_t)(next - line) : stack_len;
        if (end > at) { // ";;" and a leading ';' hold no frame
            uint32_t frame = frame_of_text(r, line + at, end - at);
            if (frame == INTERN_NONE) {
                r->depth = 0;
                r->f->dropped += weight;
                return true;
            }
            r->stack[depth] = frame;
            r->ends[depth++] = end;
        }
        at = end + 1;
    }
    stats->cut_stacks += at < stack_len;
    r->before = line;
    r->before_len = stack_len;
    r->depth = depth;
    folded_add(r->f, r->stack, depth, weight);
    return depth > 0;
}

struct folded_reader *folded_reader_new(struct folded *f, const struct crate_roots *roots)
{
    struct folded_reader *r = mem_alloc(sizeof(*r));
    r->f = f;
    r->roots = roots;
    r->raw = intern_new();
    return r;
}

struct folded_reader *folded_reader_free(struct folded_reader *r)
{
    if (!r)
        return NULL;
    intern_free(r->raw);
    vec_free(&r->frame_of_raw);
    mem_free(r);
    return NULL;
}

void folded_reader_feed(struct folded_reader *r, const char *text, size_t len, struct folded_read_stats *stats)
{
    r->before = text; // the line before may be gone
    r->before_len = r->depth = 0;
    for (const char *at = text, *end = text + len; at < end;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t n = (size_t)((newline ? newline : end) - at);
        stats->lines++;
        size_t used = n;
        while (used > 0 && (at[used - 1] == '\r' || at[used - 1] == ' '))
            used--;
        if (used > 0 && at[0] != '#' && !read_stack(r, at, used, stats)) {
            if (stats->bad_lines++ == 0)
                stats->first_bad_line = stats->lines;
        }
        at += n + 1;
    }
}

void folded_read(struct folded *f, const char *text, size_t len, const struct crate_roots *roots,
                 struct folded_read_stats *ret)
{
    struct folded_read_stats stats = {0};
    struct folded_reader *r = folded_reader_new(f, roots);
    folded_reader_feed(r, text, len, &stats);
    folded_reader_free(r);
    if (ret)
        *ret = stats;
}

static void write_name(struct buf *out, const char *name)
{
    if (!strpbrk(name, ";\n\r")) {
        buf_str_add(out, name);
        return;
    }
    for (; *name; name++)
        buf_char(out, *name == ';' ? ':' : *name == '\n' || *name == '\r' ? ' ' : *name);
}

void folded_write(const struct folded *f, struct buf *out)
{
    size_t n;
    struct folded_stack *sorted = folded_sorted(f, &n);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < sorted[i].count; k++) {
            if (k > 0)
                buf_char(out, ';');
            write_name(out, folded_frame_name(f, sorted[i].frames[k]));
        }
        buf_printf(out, " %llu\n", (unsigned long long)sorted[i].weight);
    }
    mem_free(sorted);
}
