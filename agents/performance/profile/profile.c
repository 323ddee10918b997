// The tables of a profile and what is said about them. Who fills them: read_*.c.
#include "profile/profile_inside.h"

#include "profile/demangle.h"
#include "profile/hot_walk.h"
#include "profile/intern.h"
#include "profile/runtimes.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

static char **copy_list(const char *const *list)
{
    VEC(char *) copy = {0};
    if (!list)
        return NULL;
    for (size_t i = 0; list[i]; i++)
        vec_push(&copy, str_dup(list[i]));
    vec_push(&copy, NULL);
    return copy.items;
}

static bool below_any(char **dirs, const char *path)
{
    for (size_t i = 0; dirs && dirs[i]; i++)
        if (path_below(path, dirs[i]))
            return true;
    return false;
}

// Whether the crate has the name of the program: "my-tool" or "my_tool-0123456789abcdef" and "my_tool::run".
static bool crate_is_program(const char *dso, const char *function)
{
    size_t len;
    const char *crate = demangle_crate(function, &len), *program = path_base(dso);
    if (len == 0)
        return false;
    for (size_t i = 0; i < len; i++)
        if (crate[i] != (program[i] == '-' ? '_' : program[i]))
            return false;
    return program[len] == '\0' || program[len] == '-' || program[len] == '.';
}

static enum crate_kind kind_without_source(const struct profile_inside *in, const char *dso, const char *function)
{
    enum crate_kind kind = crate_kind_of(&in->crate_roots, NULL, function);
    bool own = in->program && str_eq(dso, in->program);
    if (kind == CRATE_DEPENDENCY && dso && (own || below_any(in->targets, dso)) && crate_is_program(dso, function))
        return CRATE_PROJECT;
    size_t len = 0;
    demangle_crate(function, &len);
    return own && kind == CRATE_SYSTEM && len == 0 ? CRATE_PROJECT : kind; // C
}

enum crate_kind profile_kind(const struct profile *p, const char *dso, const char *file, const char *function)
{
    const struct profile_inside *in = p->inside;
    if (!file)
        return kind_without_source(in, dso, function);
    enum crate_kind kind = crate_kind_of(&in->crate_roots, file, function);
    if (kind == CRATE_STD && crate_kind_of(&in->crate_roots, NULL, function) == CRATE_PROJECT)
        return CRATE_PROJECT; // a function of the project that begins with an inlined one of std
    if ((kind == CRATE_SYSTEM || kind == CRATE_DEPENDENCY) &&
        (in->local_sources || (in->program && str_eq(dso, in->program))) && !crate_path_foreign(file))
        return CRATE_PROJECT;
    return kind;
}

static enum start start_of(const struct hot_frame *frame)
{
    if (str_ends(frame->function, "backtrace::__rust_begin_short_backtrace") ||
        strstr(frame->function, "backtrace::__rust_begin_short_backtrace::<"))
        return START_LAST;
    if (frame->kind == CRATE_STD && strstr(frame->function, "FnOnce") && strstr(frame->function, "::call_once"))
        return START_CALL;
    return START_NONE;
}

uint32_t profile_place(struct profile *p, const struct hot_frame *frame)
{
    uint32_t hot = hot_frame_add(p->hot, frame);
    uint32_t folded = folded_frame(p->folded, frame->function, strlen(frame->function), frame->kind);
    if (hot == INTERN_NONE || folded == INTERN_NONE)
        return PLACE_NONE;
    uint8_t runtime = p->inside->every_frame || frame->kind != CRATE_DEPENDENCY ? 0 : runtime_of(frame->function);
    vec_push(&p->inside->places, (struct place){hot, folded, start_of(frame), runtime});
    return (uint32_t)p->inside->places.len - 1;
}

// Number of leaf-side frames to keep; what is behind them is the start of the thread. n: there is no such part.
static size_t before_start(const struct profile *p, const uint32_t *at, size_t n)
{
    size_t keep = n;
    for (size_t i = 0; i < n; i++)
        if (p->inside->places.items[at[i]].start == START_LAST)
            keep = i;
    if (keep < n && keep > 1 && p->inside->places.items[at[keep - 1]].start == START_CALL)
        keep--;
    return keep;
}

struct line_up { // a stack as it is shown, root first
    struct profile *p;
    uint32_t frames[HOT_DEPTH_MAX + 3];
    size_t count;
    uint8_t runtime;      // whose frames are being left out; 0: none
    size_t first, length; // where their one frame stands, and of how many it is made
    const struct place *last;
    size_t glue; // frames of std behind them, shown only when nothing of others follows
};

// A single frame of a runtime is shown as it is, and so is the last one of a stack.
static void end_runtime(struct line_up *l, bool end_of_stack)
{
    if (!l->runtime)
        return;
    if (!end_of_stack)
        l->count -= l->glue;
    if (l->length == 1)
        l->frames[l->first] = l->last->folded;
    else if (end_of_stack && l->glue == 0)
        l->frames[l->count++] = l->last->folded;
    l->runtime = 0;
    l->glue = 0;
}

static void line_up(struct line_up *l, const struct place *place)
{
    if (place->runtime && place->runtime == l->runtime) {
        l->count -= l->glue;
        l->glue = 0;
        l->length++;
        l->last = place;
        return;
    }
    if (place->runtime) {
        const char *label = runtime_label(place->runtime);
        end_runtime(l, false);
        l->runtime = place->runtime;
        l->first = l->count;
        l->length = 1;
        l->last = place;
        l->frames[l->count++] = folded_frame(l->p->folded, label, strlen(label), CRATE_DEPENDENCY);
        return;
    }
    bool glue = l->runtime && folded_frame_kind(l->p->folded, place->folded) == CRATE_STD;
    if (!glue)
        end_runtime(l, false);
    l->frames[l->count++] = place->folded;
    l->glue += glue;
}

static void add_folded(struct profile *p, const uint32_t *at, size_t n, uint32_t thread, uint64_t weight)
{
    static const char start[] = "[thread start]";
    struct line_up l = {.p = p};
    size_t keep = before_start(p, at, n);
    if (thread != INTERN_NONE)
        l.frames[l.count++] = thread;
    if (keep < n)
        l.frames[l.count++] = folded_frame(p->folded, start, sizeof(start) - 1, CRATE_STD);
    for (size_t i = keep; i-- > 0;)
        line_up(&l, &p->inside->places.items[at[i]]);
    end_runtime(&l, true);
    for (size_t i = 0; i < l.count; i++)
        if (l.frames[i] == INTERN_NONE)
            return;
    folded_add(p->folded, l.frames, l.count, weight);
}

void profile_add(struct profile *p, const uint32_t *places, size_t count, const char *thread, uint64_t samples,
                 uint64_t weight, uint64_t shown)
{
    uint32_t hot[HOT_DEPTH_MAX], root = INTERN_NONE, name = INTERN_NONE;
    if (count > HOT_DEPTH_MAX)
        count = HOT_DEPTH_MAX;
    for (size_t i = 0; i < count; i++) {
        if (places[i] == PLACE_NONE)
            return;
        hot[i] = p->inside->places.items[places[i]].hot;
    }
    size_t before = hot_stack_count(p->hot);
    hot_stack_add(p->hot, hot, count, samples, weight);
    if (thread) {
        root = folded_frame(p->folded, thread, strlen(thread), CRATE_SYSTEM);
        name = intern_text(p->inside->threads, thread);
    }
    if (hot_stack_count(p->hot) > before)
        vec_push(&p->inside->thread_of, name);
    add_folded(p, places, count, root, shown);
}

const char *profile_thread(const struct profile *p, size_t stack)
{
    uint32_t name = stack < p->inside->thread_of.len ? p->inside->thread_of.items[stack] : INTERN_NONE;
    return name == INTERN_NONE ? NULL : intern_data(p->inside->threads, name);
}

size_t profile_thread_count(const struct profile *p)
{
    return intern_count(p->inside->threads);
}

const char *profile_thread_name(const struct profile *p, size_t i)
{
    return intern_data(p->inside->threads, (uint32_t)i);
}

static void make_tables(struct profile *p)
{
    p->folded = folded_new();
    p->hot = hot_table_new(&p->inside->crate_roots);
    p->inside->threads = intern_new();
}

static void drop_tables(struct profile *p)
{
    p->hot = hot_table_free(p->hot);
    p->folded = folded_free(p->folded);
    p->inside->threads = intern_free(p->inside->threads);
    vec_free(&p->inside->thread_of);
    vec_free(&p->inside->parts);
    vec_free(&p->inside->places);
}

struct profile *profile_new(const struct profile_options *options)
{
    struct profile *p = mem_alloc(sizeof(*p));
    struct profile_inside *in = p->inside = mem_alloc(sizeof(*in));
    in->roots = copy_list(options->project_roots);
    in->targets = copy_list(options->target_dirs);
    in->crates = copy_list(options->crates);
    in->every_frame = options->every_frame;
    in->crate_roots = (struct crate_roots){(const char *const *)in->roots, (const char *const *)in->crates};
    in->symbols = symbolizer_new();
    p->unit = "samples";
    make_tables(p);
    return p;
}

void profile_reset(struct profile *p)
{
    drop_tables(p);
    make_tables(p);
    p->shallow = p->resolved = 0;
    p->inside->stats = (struct perf_script_stats){0};
    p->kernel = false;
}

struct profile *profile_free(struct profile *p)
{
    if (!p)
        return NULL;
    struct profile_inside *in = p->inside;
    drop_tables(p);
    perf_script_free(p->script);
    symbolizer_free(in->symbols);
    str_list_free(in->roots);
    str_list_free(in->targets);
    str_list_free(in->crates);
    mem_free(in->program);
    for (size_t i = 0; i < in->without_lines.len; i++)
        mem_free(in->without_lines.items[i]);
    vec_free(&in->without_lines);
    mem_free(in);
    mem_free(p);
    return NULL;
}

const struct perf_script_stats *profile_stats(const struct profile *p)
{
    return p->script ? perf_script_stats(p->script) : &p->inside->stats;
}

static double share(uint64_t part, uint64_t whole)
{
    return whole ? 100.0 * (double)part / (double)whole : 0.0;
}

json_t *profile_summary_new(const struct profile *p)
{
    const struct perf_script_stats *s = profile_stats(p);
    json_t *o = json_object();
    json_put_str(o, "format", p->format);
    json_put(o, "event", json_text_new(s->event, strlen(s->event)));
    json_put_str(o, "unit", p->unit);
    json_put_int(o, "samples", (int64_t)s->samples);
    json_put_int(o, "weight", (int64_t)s->weight);
    json_put_int(o, "lost", (int64_t)s->lost);
    json_put_int(o, "other_events", (int64_t)s->other_events);
    json_put_int(o, "without_stack", (int64_t)s->without_stack);
    json_put_flag(o, "kernel", p->kernel);
    json_put_num(o, "kernel_pct", share(s->kernel_samples, s->samples));
    json_put_int(o, "stacks", (int64_t)hot_stack_count(p->hot));
    json_put_int(o, "threads", (int64_t)intern_count(p->inside->threads));
    json_put_int(o, "deep", (int64_t)s->deep);
    json_put_num(o, "shallow_pct", share(p->shallow, s->samples));
    json_put_num(o, "resolved_pct", share(p->resolved, s->samples));
    json_put_num(o, "unowned_pct", hot_unowned_pct(p->hot));
    json_put_int(o, "lines", (int64_t)s->lines);
    json_put_int(o, "bad_lines", (int64_t)s->bad_lines);
    json_t *bad = json_null();
    if (s->bad_lines > 0) {
        bad = json_object();
        json_put_int(bad, "line", (int64_t)s->first_bad_line);
        json_put_str(bad, "text", s->first_bad);
    }
    json_put(o, "first_bad", bad);
    json_put_flag(o, "truncated", s->truncated || folded_dropped(p->folded) > 0);
    json_t *without = json_array();
    for (size_t i = 0; i < p->inside->without_lines.len; i++)
        json_array_append_new(
            without, json_text_new(p->inside->without_lines.items[i], strlen(p->inside->without_lines.items[i])));
    json_put(o, "without_lines", without);
    return o;
}

json_t *profile_json_new(const struct profile *p, size_t max)
{
    json_t *o = json_object();
    json_put(o, "summary", profile_summary_new(p));
    json_put(o, "hot_paths", hot_json_new(p->hot, max));
    return o;
}

int profile_flamegraph(const struct profile *p, const struct flamegraph_options *options, struct buf *out,
                       struct err *err)
{
    struct flamegraph_options with_unit = *options;
    with_unit.unit = p->unit;
    return flamegraph_write(p->folded, &with_unit, out, err);
}
