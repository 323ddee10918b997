// Each frame of the script is expanded once per role (where the processor was, or a caller: the address of a caller is
// that behind its call), then stacks are put together from the expanded parts.
#include "profile/profile.h"

#include "profile/demangle.h"
#include "profile/intern.h"
#include "profile/symbolize.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"

#include <string.h>

#define HASH_SUFFIX 19 // "::h" and 16 digits

// Frames of the Rust runtime between the start of a thread and the code it runs; the flame graph shows them as one.
enum start { START_NONE, START_LAST, START_CALL };

struct part { // what one frame of the script became, innermost first, in `expanded`
    size_t first;
    uint32_t count;
    bool done, lines;
};

struct expanded {
    uint32_t hot, folded;
    enum start start;
};

struct profile_inside {
    char **roots, **targets, **crates; // owned; NULL or NULL-terminated
    struct crate_roots crate_roots;
    struct symbolizer *symbols;
    VEC(struct part) parts; // two for each frame of the script
    VEC(struct expanded) expanded;
    VEC(char *) without_lines; // borrowed from the script
};

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

static bool is_unknown(const char *text)
{
    return text[0] == '\0' || strcmp(text, "[unknown]") == 0;
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

static enum crate_kind kind_without_source(const struct profile_inside *in, const struct perf_frame *frame,
                                           const char *function)
{
    enum crate_kind kind = crate_kind_of(&in->crate_roots, NULL, function);
    if (kind == CRATE_DEPENDENCY && below_any(in->targets, frame->dso) && crate_is_program(frame->dso, function))
        return CRATE_PROJECT;
    return kind;
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

static enum start start_of(const struct hot_frame *frame)
{
    if (str_ends(frame->function, "backtrace::__rust_begin_short_backtrace") ||
        strstr(frame->function, "backtrace::__rust_begin_short_backtrace::<"))
        return START_LAST;
    if (frame->kind == CRATE_STD && strstr(frame->function, "FnOnce") && strstr(frame->function, "::call_once"))
        return START_CALL;
    return START_NONE;
}

static void add_expanded(struct profile *p, struct part *part, const struct hot_frame *frame)
{
    uint32_t hot = hot_frame_add(p->hot, frame);
    uint32_t folded = folded_frame(p->folded, frame->function, strlen(frame->function), frame->kind);
    if (hot == INTERN_NONE || folded == INTERN_NONE)
        return;
    vec_push(&p->inside->expanded, (struct expanded){hot, folded, start_of(frame)});
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
    hot.kind = frame->kernel ? CRATE_KERNEL : kind_without_source(p->inside, frame, name);
    add_expanded(p, part, &hot);
    mem_free(name);
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
    *part = (struct part){.first = in->expanded.len, .done = true};
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
        hot.kind = s->file ? crate_kind_of(&in->crate_roots, s->file, s->function)
                           : kind_without_source(in, frame, s->function);
        part->lines |= s->line > 0;
        add_expanded(p, part, &hot);
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

// Number of leaf-side frames to keep; what is behind them is the start of the thread. n: there is no such part.
static size_t before_start(const struct profile *p, const size_t *at, size_t n)
{
    size_t keep = n;
    for (size_t i = 0; i < n; i++)
        if (p->inside->expanded.items[at[i]].start == START_LAST)
            keep = i;
    if (keep < n && keep > 1 && p->inside->expanded.items[at[keep - 1]].start == START_CALL)
        keep--;
    return keep;
}

static void add_folded(struct profile *p, const size_t *at, size_t n, uint32_t thread, uint64_t weight)
{
    static const char start[] = "[thread start]";
    uint32_t root_first[HOT_DEPTH_MAX + 2];
    size_t keep = before_start(p, at, n), count = 0;
    if (thread != INTERN_NONE)
        root_first[count++] = thread;
    if (keep < n)
        root_first[count++] = folded_frame(p->folded, start, sizeof(start) - 1, CRATE_STD);
    for (size_t i = keep; i-- > 0;)
        root_first[count++] = p->inside->expanded.items[at[i]].folded;
    folded_add(p->folded, root_first, count, weight);
}

static void add_stack(struct profile *p, const struct perf_stack *s, uint32_t thread, bool by_weight)
{
    size_t at[HOT_DEPTH_MAX]; // in `expanded`, innermost first
    uint32_t hot[HOT_DEPTH_MAX];
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
            at[n++] = part->first + k;
        is_return |= !frame->inlined;
    }
    for (size_t i = 0; i < n; i++)
        hot[i] = p->inside->expanded.items[at[i]].hot;
    hot_stack_add(p->hot, hot, n, s->samples, s->weight);
    if (s->count == 1)
        p->shallow += s->samples;
    add_folded(p, at, n, thread, by_weight ? s->weight : s->samples);
}

static size_t count_threads(const struct perf_script *script)
{
    struct intern *names = intern_new();
    for (size_t i = 0; i < perf_script_stack_count(script); i++)
        intern_text(names, perf_script_stack(script, i).comm);
    size_t n = intern_count(names);
    intern_free(names);
    return n;
}

static void build(struct profile *p)
{
    const struct perf_script_stats *stats = perf_script_stats(p->script);
    // clocks tick evenly: there samples are the plainer unit
    bool by_weight = strstr(stats->event, "clock") == NULL && stats->weight != stats->samples;
    bool threads = count_threads(p->script) > 1;
    p->unit = !by_weight ? "samples" : str_starts(stats->event, "cycles") ? "cycles" : "events";
    for (size_t i = 0; i < 2 * perf_script_frame_count(p->script); i++)
        vec_push(&p->inside->parts, (struct part){0});
    for (size_t i = 0; i < perf_script_stack_count(p->script); i++) {
        struct perf_stack s = perf_script_stack(p->script, i);
        uint32_t thread = INTERN_NONE;
        if (threads)
            thread = folded_frame(p->folded, s.comm, strlen(s.comm), CRATE_SYSTEM);
        add_stack(p, &s, thread, by_weight);
    }
}

int profile_load(const char *const *paths, size_t count, const struct profile_options *options, struct profile **ret,
                 struct err *err)
{
    struct profile *p = mem_alloc(sizeof(*p));
    struct profile_inside *in = p->inside = mem_alloc(sizeof(*in));
    in->roots = copy_list(options->project_roots);
    in->targets = copy_list(options->target_dirs);
    in->crates = copy_list(options->crates);
    in->crate_roots = (struct crate_roots){(const char *const *)in->roots, (const char *const *)in->crates};
    in->symbols = symbolizer_new();
    p->script = perf_script_new(options->event);
    p->folded = folded_new();
    p->hot = hot_table_new(&in->crate_roots);
    int result = 0;
    for (size_t i = 0; i < count && result >= 0; i++) {
        result = perf_script_read_file(p->script, paths[i], err);
        perf_script_finish(p->script);
    }
    const struct perf_script_stats *stats = perf_script_stats(p->script);
    if (result >= 0 && stats->samples == 0 && stats->bad_lines > 0)
        result = err_set(err, ERR_PARSE,
                         "no samples in the profile \"%s\": line %llu is \"%s\", expected the output of perf script",
                         paths[0], (unsigned long long)stats->first_bad_line, stats->first_bad);
    else if (result >= 0 && stats->samples == 0)
        result = err_set(err, ERR_NOT_FOUND,
                         "no samples%s%s in the profile: the program was too short or slept; let it work for longer",
                         options->event ? " of event " : "", options->event ? options->event : "");
    if (result < 0) {
        profile_free(p);
        return result;
    }
    build(p);
    *ret = p;
    return 0;
}

struct profile *profile_free(struct profile *p)
{
    if (!p)
        return NULL;
    struct profile_inside *in = p->inside;
    hot_table_free(p->hot);
    folded_free(p->folded);
    perf_script_free(p->script);
    symbolizer_free(in->symbols);
    str_list_free(in->roots);
    str_list_free(in->targets);
    str_list_free(in->crates);
    for (size_t i = 0; i < in->without_lines.len; i++)
        mem_free(in->without_lines.items[i]);
    vec_free(&in->without_lines);
    vec_free(&in->parts);
    vec_free(&in->expanded);
    mem_free(in);
    mem_free(p);
    return NULL;
}

static double share(uint64_t part, uint64_t whole)
{
    return whole ? 100.0 * (double)part / (double)whole : 0.0;
}

json_t *profile_summary_new(const struct profile *p)
{
    const struct perf_script_stats *s = perf_script_stats(p->script);
    json_t *o = json_object();
    json_put(o, "event", json_text_new(s->event, strlen(s->event)));
    json_put_str(o, "unit", p->unit);
    json_put_int(o, "samples", (int64_t)s->samples);
    json_put_int(o, "weight", (int64_t)s->weight);
    json_put_int(o, "lost", (int64_t)s->lost);
    json_put_int(o, "other_events", (int64_t)s->other_events);
    json_put_int(o, "without_stack", (int64_t)s->without_stack);
    json_put_flag(o, "kernel", p->kernel);
    json_put_num(o, "kernel_pct", share(s->kernel_samples, s->samples));
    json_put_int(o, "stacks", (int64_t)perf_script_stack_count(p->script));
    json_put_int(o, "threads", (int64_t)count_threads(p->script));
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
