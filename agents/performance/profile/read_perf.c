// The text of `perf script`. Each frame of the script is expanded once per role (where the processor was, or a caller:
// the address of a caller is that behind its call), then stacks are put together from the expanded parts.
#include "profile/profile_inside.h"

#include "profile/demangle.h"
#include "profile/intern.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

#define HASH_SUFFIX 19 // "::h" and 16 digits

static bool is_unknown(const char *text)
{
    return text[0] == '\0' || strcmp(text, "[unknown]") == 0;
}

// perf that demangled by itself leaves the hash of legacy names.
static void cut_hash(char *name)
{
    size_t n = strlen(name);
    if (n <= HASH_SUFFIX || strncmp(name + n - HASH_SUFFIX, "::h", 3) != 0)
        return;
    if (strspn(name + n - 16, "0123456789abcdef") == 16)
        name[n - HASH_SUFFIX] = '\0';
}

static void add_place(struct profile *p, struct part *part, const struct hot_frame *frame)
{
    if (profile_place(p, frame) != PLACE_NONE)
        part->count++;
}

// A frame that only perf knows.
static void add_plain(struct profile *p, struct part *part, const struct perf_frame *frame)
{
    char *name;
    if (!is_unknown(frame->symbol))
        name = demangle(frame->symbol);
    else if (!is_unknown(frame->dso))
        name = frame->dso[0] == '[' ? str_dup(frame->dso) : str_printf("[%s]", path_base(frame->dso));
    else
        name = str_dup("[unknown]");
    cut_hash(name);
    struct hot_frame hot = {.function = name};
    hot.kind = frame->kernel ? CRATE_KERNEL : profile_kind(p, frame->dso, NULL, name);
    add_place(p, part, &hot);
    mem_free(name);
}

static bool below_any(char **dirs, const char *path)
{
    for (size_t i = 0; dirs && dirs[i]; i++)
        if (path_below(path, dirs[i]))
            return true;
    return false;
}

static void note_without_lines(struct profile_inside *in, const struct perf_frame *frame)
{
    if (frame->kernel || !below_any(in->targets, frame->dso) || symbolizer_has_lines(in->symbols, frame->dso))
        return;
    for (size_t i = 0; i < in->without_lines.len; i++)
        if (strcmp(in->without_lines.items[i], frame->dso) == 0)
            return;
    vec_push(&in->without_lines, str_dup(frame->dso));
}

static void expand(struct profile *p, uint32_t id, bool is_return, struct part *part)
{
    struct profile_inside *in = p->inside;
    const struct perf_frame *frame = perf_script_frame(p->script, id);
    *part = (struct part){.first = in->places.len, .done = true};
    struct source_chain chain = {NULL, 0};
    if (!frame->kernel && !frame->inlined) {
        struct symbolize_query q = {.dso = frame->dso,
                                    .file_offset = frame->ip,
                                    .symbol = frame->symbol,
                                    .offset = frame->offset,
                                    .has_offset = frame->has_offset,
                                    .is_return = is_return};
        chain = symbolize(in->symbols, &q);
        note_without_lines(in, frame);
    }
    for (size_t i = 0; i < chain.count; i++) {
        const struct source_frame *s = &chain.frames[i];
        struct hot_frame hot = {.function = s->function,
                                .file = s->file,
                                .line = s->line,
                                .function_line = s->function_line,
                                .function_end = s->function_end};
        hot.kind = profile_kind(p, frame->dso, s->file, s->function);
        part->lines |= s->line > 0;
        add_place(p, part, &hot);
    }
    if (chain.count == 0)
        add_plain(p, part, frame);
}

static const struct part *part_of(struct profile *p, uint32_t id, bool is_return)
{
    size_t at = (size_t)id * 2 + is_return;
    if (!p->inside->parts.items[at].done) {
        struct part part;
        expand(p, id, is_return, &part);
        p->inside->parts.items[at] = part;
    }
    return &p->inside->parts.items[at];
}

// Addresses that no file is mapped at are noise of the unwinder, unless they are where the processor was.
static bool is_noise(const struct perf_frame *frame, size_t i)
{
    return i > 0 && !frame->kernel && is_unknown(frame->symbol) && is_unknown(frame->dso);
}

// Whether the physical frame behind the "(inlined)" ones of perf has been expanded by ourselves.
static bool expanded_behind(struct profile *p, const struct perf_stack *s, size_t i, bool is_return)
{
    while (i < s->count && perf_script_frame(p->script, s->frames[i])->inlined)
        i++;
    return i < s->count && part_of(p, s->frames[i], is_return)->lines;
}

static void add_stack(struct profile *p, const struct perf_stack *s, bool threads, bool by_weight)
{
    uint32_t at[HOT_DEPTH_MAX]; // places, innermost first
    size_t n = 0;
    bool is_return = false;
    for (size_t i = 0; i < s->count; i++) {
        const struct perf_frame *frame = perf_script_frame(p->script, s->frames[i]);
        p->kernel |= frame->kernel;
        if (is_noise(frame, i) || (frame->inlined && expanded_behind(p, s, i, is_return)))
            continue;
        const struct part *part = part_of(p, s->frames[i], is_return);
        if (n == 0 && part->lines)
            p->resolved += s->samples;
        for (uint32_t k = 0; k < part->count && n < HOT_DEPTH_MAX; k++)
            at[n++] = (uint32_t)(part->first + k);
        is_return |= !frame->inlined;
    }
    if (s->count == 1)
        p->shallow += s->samples;
    profile_add(p, at, n, threads ? s->comm : NULL, s->samples, s->weight, by_weight ? s->weight : s->samples);
}

static bool several_threads(const struct perf_script *script)
{
    for (size_t i = 1; i < perf_script_stack_count(script); i++)
        if (!str_eq(perf_script_stack(script, i).comm, perf_script_stack(script, 0).comm))
            return true;
    return false;
}

static void build(struct profile *p)
{
    const struct perf_script_stats *stats = perf_script_stats(p->script);
    // clocks tick evenly: there samples are the plainer unit
    bool by_weight = strstr(stats->event, "clock") == NULL && stats->weight != stats->samples;
    bool threads = several_threads(p->script);
    p->unit = !by_weight ? "samples" : str_starts(stats->event, "cycles") ? "cycles" : "events";
    for (size_t i = 0; i < 2 * perf_script_frame_count(p->script); i++)
        vec_push(&p->inside->parts, (struct part){0});
    for (size_t i = 0; i < perf_script_stack_count(p->script); i++) {
        struct perf_stack s = perf_script_stack(p->script, i);
        add_stack(p, &s, threads, by_weight);
    }
}

static bool is_library(const char *dso)
{
    const char *so = strstr(path_base(dso), ".so");
    return so && (so[3] == '\0' || so[3] == '.');
}

// The program that most samples are inside of: the one nearest to where the processor was counts.
static const char *main_program(const struct perf_script *script)
{
    struct intern *names = intern_new();
    VEC(uint64_t) weights = {0};
    const char *best = NULL;
    uint64_t most = 0;
    for (size_t i = 0; i < perf_script_stack_count(script); i++) {
        struct perf_stack s = perf_script_stack(script, i);
        for (size_t k = 0; k < s.count; k++) {
            const struct perf_frame *f = perf_script_frame(script, s.frames[k]);
            if (f->kernel || f->dso[0] != '/' || is_library(f->dso))
                continue;
            bool fresh = false;
            uint32_t id = intern_bytes(names, f->dso, strlen(f->dso), &fresh);
            if (id == INTERN_NONE)
                break;
            if (fresh)
                vec_push(&weights, 0);
            weights.items[id] += s.weight;
            if (weights.items[id] > most) {
                most = weights.items[id];
                best = f->dso;
            }
            break;
        }
    }
    vec_free(&weights);
    intern_free(names);
    return best;
}

static void build_for_somebody(struct profile *p)
{
    build(p);
    const char *program = p->guess_owner && hot_unowned_pct(p->hot) >= 100.0 ? main_program(p->script) : NULL;
    if (!program)
        return;
    p->inside->program = str_dup(program);
    profile_reset(p);
    build(p);
}

static int check(struct profile *p, const char *path, const char *event, struct err *err)
{
    const struct perf_script_stats *stats = perf_script_stats(p->script);
    if (stats->samples > 0)
        return 0;
    if (stats->bad_lines > 0)
        return err_set(err, ERR_PARSE,
                       "no samples in the profile \"%s\": line %llu is \"%s\", expected the output of perf script",
                       path, (unsigned long long)stats->first_bad_line, stats->first_bad);
    return err_set(err, ERR_NOT_FOUND,
                   "no samples%s%s in the profile: the program was too short or slept; let it work for longer",
                   event ? " of event " : "", event ? event : "");
}

struct folded *folded_of_script(const struct perf_script *script)
{
    struct folded *f = folded_new();
    uint32_t *frames = mem_array(perf_script_frame_count(script), sizeof(*frames)), stack[PERF_SCRIPT_DEPTH_MAX + 1];
    for (uint32_t i = 0; i < perf_script_frame_count(script); i++) {
        const struct perf_frame *frame = perf_script_frame(script, i);
        AUTO_FREE char *name = demangle(frame->symbol ? frame->symbol : "[unknown]");
        cut_hash(name);
        enum crate_kind kind = frame->kernel ? CRATE_KERNEL : crate_kind_of(NULL, NULL, name);
        frames[i] = folded_frame(f, name, strlen(name), kind);
    }
    for (size_t i = 0; i < perf_script_stack_count(script); i++) {
        struct perf_stack s = perf_script_stack(script, i);
        stack[0] = folded_frame(f, s.comm, strlen(s.comm), CRATE_SYSTEM);
        for (size_t k = 0; k < s.count; k++)
            stack[s.count - k] = frames[s.frames[k]];
        folded_add(f, stack, s.count + 1, s.samples);
    }
    mem_free(frames);
    return f;
}

int profile_load(const char *const *paths, size_t count, const struct profile_options *options, struct profile **ret,
                 struct err *err)
{
    struct profile *p = profile_new(options);
    p->script = perf_script_new(options->event);
    p->guess_owner = options->guess_owner;
    p->format = "perf";
    int r = 0;
    for (size_t i = 0; i < count && r >= 0; i++) {
        r = perf_script_read_file(p->script, paths[i], err);
        perf_script_finish(p->script);
    }
    if (r >= 0)
        r = check(p, paths[0], options->event, err);
    if (r < 0) {
        profile_free(p);
        return r;
    }
    build_for_somebody(p);
    *ret = p;
    return 0;
}
