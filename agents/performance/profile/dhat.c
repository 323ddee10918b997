#include "profile/dhat.h"

#include "profile/demangle.h"
#include "profile/intern.h"
#include "profile/profile_inside.h"
#include "profile/read.h"
#include "profile/read_inside.h"

#include "base/mem.h"
#include "base/str.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAMES_MAX     ((size_t)1 << 22)
#define FINDINGS_MAX   10
#define HOT_PCT        5.0  // of blocks or bytes: less is no finding
#define BLOCKS_LEAST   100  // fewer are no finding
#define GROWN_LEAST    4    // the same of what grows: its blocks are few and large
#define KEPT_LIFE_PCT  10.0 // of the run: blocks that live so long are kept, not used for a moment
#define SHORT_LIFE_PCT 1.0  // of the run
#define REUSE_BLOCKS   1000 // short-lived ones at one place

struct frame {
    char *name, *file; // name demangled; file NULL: unknown
    char *object;      // NULL: unknown
    int line;
};

struct site {
    const json_t *row, *stack;
    double bytes, blocks, lifetime, peak_bytes, peak_blocks, end_bytes, end_blocks;
};

struct dhat {
    json_t *file;
    VEC(struct frame) frames;
    VEC(struct site) sites;
};

struct dhat *dhat_free(struct dhat *d)
{
    if (!d)
        return NULL;
    for (size_t i = 0; i < d->frames.len; i++) {
        mem_free(d->frames.items[i].name);
        mem_free(d->frames.items[i].file);
        mem_free(d->frames.items[i].object);
    }
    vec_free(&d->frames);
    vec_free(&d->sites);
    json_decref(d->file);
    mem_free(d);
    return NULL;
}

// --- reading ---

// "0x4846828: malloc (in /usr/lib/x.so)", "0x10A123: _ZN1q4main… (/src/q.rs:12)", "[root]"
static void read_frame(const char *text, struct frame *ret)
{
    const char *name = text, *colon = strstr(text, ": ");
    *ret = (struct frame){0};
    if (str_starts(text, "0x") && colon)
        name = colon + 2;
    size_t len = strlen(name);
    const char *open = NULL;
    for (const char *at = strstr(name, " ("); at; at = strstr(at + 1, " ("))
        open = at;
    if (open && len > 0 && name[len - 1] == ')') {
        AUTO_FREE char *place = str_ndup(open + 2, (size_t)(name + len - 1 - open - 2));
        char *line = strrchr(place, ':');
        int64_t number = 0;
        if (str_starts(place, "in ")) {
            ret->object = str_dup(place + 3);
            len = (size_t)(open - name);
        } else if (line && str_to_i64(line + 1, &number) && number >= 0 && number < INT32_MAX) {
            *line = '\0';
            ret->file = str_dup(place);
            ret->line = (int)number;
            len = (size_t)(open - name);
        }
    }
    AUTO_FREE char *plain = str_ndup(name, len);
    ret->name = demangle(plain);
}

static double positive(const json_t *row, const char *key)
{
    double v = json_num(row, key, 0);
    return v > 0 && v < 1e18 ? v : 0;
}

int dhat_parse(const char *text, size_t len, struct dhat **ret, struct err *err)
{
    if (len > READ_JSON_MAX)
        return err_set(err, ERR_LIMIT, "JSON of more than %zu MB is not read", READ_JSON_MAX >> 20);
    json_t *file = json_parse_new(text, len, "profile of DHAT", err);
    if (!file)
        return -(int)err->code;
    struct dhat *d = mem_alloc(sizeof(*d));
    d->file = file;
    const json_t *frames = json_list(file, "ftbl"), *sites = json_list(file, "pps");
    if (json_int(file, "dhatFileVersion", 0) != 2 || !frames || !sites || json_array_size(frames) > FRAMES_MAX) {
        dhat_free(d);
        return err_set(err, ERR_PARSE, "no profile of DHAT: expected \"dhatFileVersion\": 2, \"pps\" and \"ftbl\"");
    }
    size_t i;
    json_t *one;
    json_array_foreach (frames, i, one) {
        struct frame frame;
        read_frame(json_is_string(one) ? json_string_value(one) : "?", &frame);
        vec_push(&d->frames, frame);
    }
    json_array_foreach (sites, i, one)
        vec_push(&d->sites, (struct site){.row = one,
                                          .stack = json_list(one, "fs"),
                                          .bytes = positive(one, "tb"),
                                          .blocks = positive(one, "tbk"),
                                          .lifetime = positive(one, "tl"),
                                          .peak_bytes = positive(one, "gb"),
                                          .peak_blocks = positive(one, "gbk"),
                                          .end_bytes = positive(one, "eb"),
                                          .end_blocks = positive(one, "ebk")});
    *ret = d;
    return 0;
}

// The k-th frame of a site's stack, innermost first; NULL beyond the last.
static const struct frame *frame_of(const struct dhat *d, const struct site *s, size_t k)
{
    const json_t *v = json_array_get(s->stack, k);
    json_int_t i = json_is_integer(v) ? json_integer_value(v) : -1;
    return i >= 0 && (size_t)i < d->frames.len ? &d->frames.items[i] : NULL;
}

// --- as a profile ---

static void build(struct profile *p, const struct dhat *d)
{
    uint32_t *places = mem_array(HOT_DEPTH_MAX, sizeof(*places));
    struct read_places known = {0};
    for (size_t i = 0; i < d->sites.len; i++) {
        const struct site *s = &d->sites.items[i];
        size_t n = 0;
        const struct frame *f;
        while (n < HOT_DEPTH_MAX && (f = frame_of(d, s, n)) != NULL) {
            places[n] = read_place(p, &known, f->name, f->object, f->file, f->line);
            n++;
        }
        if (n == 0 || s->bytes < 1)
            continue;
        profile_add(p, places, n, NULL, (uint64_t)s->blocks, (uint64_t)s->bytes, (uint64_t)s->bytes);
        read_count(p, (uint64_t)s->blocks, (uint64_t)s->bytes);
    }
    read_places_free(&known);
    mem_free(places);
}

int dhat_profile(const struct dhat *d, const struct profile_options *options, struct profile **ret, struct err *err)
{
    struct profile *p = profile_new(options);
    p->format = read_format_name(READ_DHAT);
    p->unit = "bytes";
    build(p, d);
    if (options->guess_owner && hot_total_weight(p->hot) > 0 && hot_unowned_pct(p->hot) >= 100.0) {
        p->inside->local_sources = true;
        profile_reset(p);
        build(p, d);
    }
    if (hot_total_weight(p->hot) == 0) {
        profile_free(p);
        return err_set(err, ERR_NOT_FOUND, "nothing was allocated");
    }
    *ret = p;
    return 0;
}

// --- places ---

struct place_of_blocks {
    const struct frame *owner, *below; // below: what the owner called there; NULL: the allocator itself
    const struct frame *around;        // the function that a closure is written in; else the owner
    enum crate_kind kind;
    int advice; // number of the row in ADVICE + 1; 0: none
    double bytes, blocks, lifetime, peak_bytes, end_bytes;
};

static const struct {
    const char *kind, *word, *advice;
} ADVICE[] = {
#define X(kind, word, advice) {kind, word, advice},
#include "profile/dhat_advice.def"
#undef X
};

// "collect<Map<…>>" and "<Vec<T> as Clone>::clone" -> collect, clone
static void bare_name(const char *name, char *out, size_t room)
{
    AUTO_FREE char *brief = demangle_short(name);
    char *at = brief;
    for (char *next = strstr(brief, "::"); next; next = strstr(next + 2, "::"))
        if (next[2] != '{' && next[2] != '<')
            at = next + 2;
    size_t n = strcspn(at, "<(> ");
    snprintf(out, room, "%.*s", (int)n, at);
}

static int advice_of(const struct dhat *d, const struct site *s, size_t owner)
{
    int best = 0;
    for (size_t k = 0; k < owner; k++) {
        const struct frame *f = frame_of(d, s, k);
        char name[128] = "";
        if (f)
            bare_name(f->name, name, sizeof(name));
        for (int i = 0; i < (int)ARRAY_LEN(ADVICE); i++)
            if (str_eq(name, ADVICE[i].word) && (best == 0 || i < best - 1))
                best = i + 1;
    }
    return best;
}

// Debug information names an inlined closure by its last part only.
static const struct frame *function_around(const struct dhat *d, const struct profile *p, const struct site *s,
                                           size_t k)
{
    const struct frame *owner = frame_of(d, s, k), *f;
    if (!owner || !str_starts(owner->name, "{"))
        return owner;
    while ((f = frame_of(d, s, ++k)) != NULL)
        if (!str_starts(f->name, "{") && profile_kind(p, f->object, f->file, f->name) == CRATE_PROJECT)
            return f;
    return owner;
}

// The innermost frame of the project; without one the first that is no allocator.
static void find_owner(const struct dhat *d, const struct profile *p, const struct site *s, struct place_of_blocks *ret)
{
    const struct frame *f;
    *ret = (struct place_of_blocks){.kind = CRATE_SYSTEM};
    for (size_t k = 0; (f = frame_of(d, s, k)) != NULL; k++) {
        enum crate_kind kind = profile_kind(p, f->object, f->file, f->name);
        if (kind == CRATE_PROJECT) {
            *ret = (struct place_of_blocks){.owner = f, .below = k ? frame_of(d, s, k - 1) : NULL, .kind = kind};
            ret->advice = advice_of(d, s, k);
            ret->around = function_around(d, p, s, k);
            return;
        }
        if (k == 1 || !ret->owner)
            *ret = (struct place_of_blocks){.owner = f, .around = f, .kind = kind};
    }
}

static bool same_place(const struct place_of_blocks *a, const struct place_of_blocks *b)
{
    return str_eq(a->owner->name, b->owner->name) && str_eq(a->owner->file, b->owner->file) &&
           a->owner->line == b->owner->line && a->advice == b->advice;
}

typedef VEC(struct place_of_blocks) places;

static void sum_up(const struct dhat *d, const struct profile *p, places *ret)
{
    struct intern *keys = intern_new();
    for (size_t i = 0; i < d->sites.len; i++) {
        const struct site *s = &d->sites.items[i];
        struct place_of_blocks one;
        find_owner(d, p, s, &one);
        if (!one.owner)
            continue;
        AUTO_FREE char *key = str_printf("%s\n%s\n%d\n%d", one.owner->name, one.owner->file ? one.owner->file : "",
                                         one.owner->line, one.advice);
        bool fresh = false;
        uint32_t id = intern_bytes(keys, key, strlen(key), &fresh);
        if (id == INTERN_NONE)
            break;
        if (fresh)
            vec_push(ret, one);
        struct place_of_blocks *at = &ret->items[id];
        must(same_place(at, &one));
        at->bytes += s->bytes;
        at->blocks += s->blocks;
        at->lifetime += s->lifetime;
        at->peak_bytes += s->peak_bytes;
        at->end_bytes += s->end_bytes;
    }
    intern_free(keys);
}

static double share(double part, double whole)
{
    return whole > 0 ? 100 * part / whole : 0;
}

struct totals {
    double bytes, blocks, peak_bytes, peak_blocks, end_bytes, end_blocks;
};

static struct totals total_of(const struct dhat *d)
{
    struct totals t = {0};
    for (size_t i = 0; i < d->sites.len; i++) {
        const struct site *s = &d->sites.items[i];
        t.bytes += s->bytes;
        t.blocks += s->blocks;
        t.peak_bytes += s->peak_bytes;
        t.peak_blocks += s->peak_blocks;
        t.end_bytes += s->end_bytes;
        t.end_blocks += s->end_blocks;
    }
    return t;
}

static json_t *amount_new(double bytes, double blocks)
{
    json_t *o = json_object();
    json_put_int(o, "bytes", (int64_t)bytes);
    json_put_int(o, "blocks", (int64_t)blocks);
    return o;
}

static json_t *place_new(const struct place_of_blocks *at, const struct profile *p, const struct totals *all,
                         double run)
{
    json_t *o = json_object();
    char what[128] = "";
    AUTO_FREE char *brief = demangle_short(at->around->name);
    double life = at->blocks > 0 ? at->lifetime / at->blocks : 0;
    if (at->below)
        bare_name(at->below->name, what, sizeof(what));
    const char *file = at->owner->file ? crate_path_short(&p->inside->crate_roots, at->owner->file) : NULL;
    json_put(o, "function", json_text_new(at->around->name, strlen(at->around->name)));
    json_put(o, "short", json_text_new(brief, strlen(brief)));
    json_put(o, "what", json_text_new(what, strlen(what)));
    json_put(o, "file", file ? json_text_new(file, strlen(file)) : json_null());
    json_put_int(o, "line", at->owner->line);
    json_put_str(o, "crate_kind", crate_kind_name(at->kind));
    json_put_int(o, "bytes", (int64_t)at->bytes);
    json_put_int(o, "blocks", (int64_t)at->blocks);
    json_put_num(o, "bytes_pct", share(at->bytes, all->bytes));
    json_put_num(o, "blocks_pct", share(at->blocks, all->blocks));
    json_put_num(o, "lifetime", life);
    json_put_num(o, "lifetime_pct", share(life, run));
    json_put_int(o, "peak_bytes", (int64_t)at->peak_bytes);
    json_put_int(o, "end_bytes", (int64_t)at->end_bytes);
    return o;
}

// NULL: nothing that is worth a change.
static json_t *finding_new(const struct place_of_blocks *at, const struct profile *p, const struct totals *all,
                           double run)
{
    double life = share(at->blocks > 0 ? at->lifetime / at->blocks : 0, run);
    const char *kind = at->advice ? ADVICE[at->advice - 1].kind : "reuse";
    bool hot = share(at->blocks, all->blocks) >= HOT_PCT || share(at->bytes, all->bytes) >= HOT_PCT;
    bool kept = life >= KEPT_LIFE_PCT && (str_eq(kind, "reuse") || str_eq(kind, "iterate")); // somebody needs them
    bool seldom = at->blocks < (str_eq(kind, "pre-allocate") ? GROWN_LEAST : BLOCKS_LEAST);
    bool plain = !at->advice && (at->blocks < REUSE_BLOCKS || life >= SHORT_LIFE_PCT);
    if (at->kind != CRATE_PROJECT || !hot || kept || seldom || plain)
        return NULL;
    json_t *o = json_object();
    AUTO_FREE char *brief = demangle_short(at->around->name);
    const char *file = at->owner->file ? crate_path_short(&p->inside->crate_roots, at->owner->file) : NULL;
    const char *advice = at->advice
                             ? ADVICE[at->advice - 1].advice
                             : "its blocks live for a moment: allocate once outside of the loop and use that again";
    AUTO_FREE char *text = str_printf(
        "%s allocates %.0f blocks (%.0f %% of all), %.0f bytes (%.0f %%), that live %.2g %% of "
        "the run: %s",
        brief, at->blocks, share(at->blocks, all->blocks), at->bytes, share(at->bytes, all->bytes), life, advice);
    json_put_str(o, "kind", kind);
    json_put(o, "file", file ? json_text_new(file, strlen(file)) : json_null());
    json_put_int(o, "line", at->owner->line);
    json_put(o, "function", json_text_new(brief, strlen(brief)));
    json_put(o, "text", json_text_new(text, strlen(text)));
    json_put_num(o, "blocks_pct", share(at->blocks, all->blocks));
    json_put_num(o, "bytes_pct", share(at->bytes, all->bytes));
    return o;
}

// The project's places first, then by their part of blocks or of bytes, whichever is more.
struct ordered {
    const struct place_of_blocks *at;
    double part;
};

static int by_part(const void *a, const void *b)
{
    const struct ordered *x = a, *y = b;
    bool own_x = x->at->kind == CRATE_PROJECT, own_y = y->at->kind == CRATE_PROJECT;
    if (own_x != own_y)
        return own_x ? -1 : 1;
    if (x->part > y->part || x->part < y->part)
        return x->part > y->part ? -1 : 1;
    return x->at->owner->line - y->at->owner->line;
}

json_t *dhat_json_new(const struct dhat *d, const struct profile *p, size_t max)
{
    places all = {0};
    struct totals t = total_of(d);
    double run = positive(d->file, "te");
    json_t *o = json_object(), *sites = json_array(), *findings = json_array();
    sum_up(d, p, &all);
    struct ordered *order = mem_array(all.len, sizeof(*order));
    for (size_t i = 0; i < all.len; i++) {
        double bytes = share(all.items[i].bytes, t.bytes), blocks = share(all.items[i].blocks, t.blocks);
        order[i] = (struct ordered){&all.items[i], bytes > blocks ? bytes : blocks};
    }
    if (all.len)
        qsort(order, all.len, sizeof(*order), by_part);
    for (size_t i = 0; i < all.len; i++) {
        if (i < max)
            json_array_append_new(sites, place_new(order[i].at, p, &t, run));
        json_t *finding = json_array_size(findings) < FINDINGS_MAX ? finding_new(order[i].at, p, &t, run) : NULL;
        if (finding)
            json_array_append_new(findings, finding);
    }
    json_put_str(o, "command", json_str(d->file, "cmd", NULL));
    json_put_num(o, "instructions", run);
    json_put(o, "total", amount_new(t.bytes, t.blocks));
    json_put(o, "peak", amount_new(t.peak_bytes, t.peak_blocks));
    json_put(o, "end", amount_new(t.end_bytes, t.end_blocks));
    json_put(o, "sites", sites);
    json_put(o, "findings", findings);
    mem_free(order);
    vec_free(&all);
    return o;
}
