// The tables of the format are written column by column; a thread has tables of its own. Stacks become a tree: each
// node is a frame behind its caller, found again by {caller, frame}.
#include "profile/export.h"

#include "profile/hot_walk.h"
#include "profile/intern.h"

#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"

#include <inttypes.h>
#include <string.h>

struct node {
    int64_t prefix; // -1: a root
    uint32_t frame; // of the hot table
};

struct thread_tables {
    const struct profile *p;
    struct intern *strings;
    struct intern *nodes; // {prefix, frame}
    VEC(struct node) stack;
    VEC(uint32_t) sample_stacks;
    VEC(uint64_t) weights;
};

static const char *const CATEGORIES[][2] = {
    {"project", "orange"}, {"dependency", "green"}, {"std", "blue"}, {"system", "grey"}, {"kernel", "purple"}};
static_assert(ARRAY_LEN(CATEGORIES) == CRATE_KINDS, "one for each owner");

static void collect(struct thread_tables *t, const char *thread)
{
    for (size_t i = 0; i < hot_stack_count(t->p->hot); i++) {
        struct hot_stack s = hot_stack_at(t->p->hot, i);
        if (!str_eq(profile_thread(t->p, i), thread))
            continue;
        int64_t at = -1;
        for (size_t k = s.count; k-- > 0;) {
            const int64_t key[2] = {at, s.frames[k]};
            bool fresh = false;
            uint32_t id = intern_bytes(t->nodes, key, sizeof(key), &fresh);
            if (id == INTERN_NONE)
                break;
            if (fresh)
                vec_push(&t->stack, (struct node){at, s.frames[k]});
            at = id;
        }
        if (at < 0)
            continue;
        vec_push(&t->sample_stacks, (uint32_t)at);
        vec_push(&t->weights, s.samples);
    }
}

// A column: `count` values, each written by `value`.
static void column(struct thread_tables *t, struct buf *out, const char *name, size_t count,
                   void (*value)(struct thread_tables *, struct buf *, size_t))
{
    buf_printf(out, ",\"%s\":[", name);
    for (size_t i = 0; i < count; i++) {
        if (i)
            buf_char(out, ',');
        value(t, out, i);
    }
    buf_char(out, ']');
}

static void put_null(struct thread_tables *t, struct buf *out, size_t i)
{
    (void)t;
    (void)i;
    buf_str_add(out, "null");
}

static void put_zero(struct thread_tables *t, struct buf *out, size_t i)
{
    (void)t;
    (void)i;
    buf_char(out, '0');
}

static void put_minus_one(struct thread_tables *t, struct buf *out, size_t i)
{
    (void)t;
    (void)i;
    buf_str_add(out, "-1");
}

static void put_false(struct thread_tables *t, struct buf *out, size_t i)
{
    (void)t;
    (void)i;
    buf_str_add(out, "false");
}

static void put_prefix(struct thread_tables *t, struct buf *out, size_t i)
{
    if (t->stack.items[i].prefix < 0)
        buf_str_add(out, "null");
    else
        buf_printf(out, "%" PRId64, t->stack.items[i].prefix);
}

static void put_frame(struct thread_tables *t, struct buf *out, size_t i)
{
    buf_printf(out, "%" PRIu32, t->stack.items[i].frame);
}

static void put_category_of_node(struct thread_tables *t, struct buf *out, size_t i)
{
    buf_printf(out, "%d", (int)hot_frame_at(t->p->hot, t->stack.items[i].frame).kind);
}

static void put_category(struct thread_tables *t, struct buf *out, size_t i)
{
    buf_printf(out, "%d", (int)hot_frame_at(t->p->hot, (uint32_t)i).kind);
}

static void put_function(struct thread_tables *t, struct buf *out, size_t i)
{
    buf_printf(out, "%" PRIu32, hot_frame_function(t->p->hot, (uint32_t)i));
}

static void put_line(struct thread_tables *t, struct buf *out, size_t i)
{
    int line = hot_frame_at(t->p->hot, (uint32_t)i).line;
    if (line > 0)
        buf_printf(out, "%d", line);
    else
        buf_str_add(out, "null");
}

static void put_stack(struct thread_tables *t, struct buf *out, size_t i)
{
    buf_printf(out, "%" PRIu32, t->sample_stacks.items[i]);
}

static void put_weight(struct thread_tables *t, struct buf *out, size_t i)
{
    buf_printf(out, "%" PRIu64, t->weights.items[i]);
}

static void put_time(struct thread_tables *t, struct buf *out, size_t i)
{
    (void)t;
    buf_printf(out, "%zu", i);
}

// Names, files and first lines of functions, one column each.
static void function_columns(struct thread_tables *t, struct buf *out)
{
    size_t n = hot_function_count(t->p->hot);
    struct hot_frame *first = mem_array(n, sizeof(*first));
    for (uint32_t i = 0; i < hot_frame_count(t->p->hot); i++) {
        struct hot_frame *f = &first[hot_frame_function(t->p->hot, i)], next = hot_frame_at(t->p->hot, i);
        if (!f->function || (!f->file && next.file))
            *f = next;
    }
    static const char *const NAMES[] = {"name", "fileName", "lineNumber"};
    for (size_t c = 0; c < ARRAY_LEN(NAMES); c++) {
        buf_printf(out, ",\"%s\":[", NAMES[c]);
        for (size_t i = 0; i < n; i++) {
            const char *text = c == 0 ? (first[i].function ? first[i].function : "?") : first[i].file;
            buf_str_add(out, i ? "," : "");
            if (c < 2 && text)
                buf_printf(out, "%" PRIu32, intern_text(t->strings, text));
            else if (c == 2 && first[i].function_line > 0)
                buf_printf(out, "%d", first[i].function_line);
            else
                buf_str_add(out, "null");
        }
        buf_char(out, ']');
    }
    mem_free(first);
}

static void add_tables(struct thread_tables *t, struct buf *out)
{
    size_t frames = hot_frame_count(t->p->hot), functions = hot_function_count(t->p->hot);
    buf_printf(out, ",\"samples\":{\"length\":%zu,\"weightType\":\"samples\"", t->sample_stacks.len);
    column(t, out, "stack", t->sample_stacks.len, put_stack);
    column(t, out, "time", t->sample_stacks.len, put_time);
    column(t, out, "weight", t->weights.len, put_weight);
    buf_printf(out, "}\n,\"stackTable\":{\"length\":%zu", t->stack.len);
    column(t, out, "prefix", t->stack.len, put_prefix);
    column(t, out, "frame", t->stack.len, put_frame);
    column(t, out, "category", t->stack.len, put_category_of_node);
    column(t, out, "subcategory", t->stack.len, put_zero);
    buf_printf(out, "}\n,\"frameTable\":{\"length\":%zu", frames);
    column(t, out, "func", frames, put_function);
    column(t, out, "line", frames, put_line);
    column(t, out, "category", frames, put_category);
    column(t, out, "address", frames, put_minus_one);
    static const char *const NULLS[] = {"column", "nativeSymbol", "innerWindowID", "implementation"};
    for (size_t i = 0; i < ARRAY_LEN(NULLS); i++)
        column(t, out, NULLS[i], frames, put_null);
    column(t, out, "inlineDepth", frames, put_zero);
    column(t, out, "subcategory", frames, put_zero);
    buf_printf(out, "}\n,\"funcTable\":{\"length\":%zu", functions);
    function_columns(t, out);
    column(t, out, "columnNumber", functions, put_null);
    column(t, out, "resource", functions, put_minus_one);
    column(t, out, "isJS", functions, put_false);
    column(t, out, "relevantForJS", functions, put_false);
    buf_str_add(out, "}\n,\"stringArray\":[");
    for (uint32_t i = 0; i < intern_count(t->strings); i++) {
        buf_str_add(out, i ? "," : "");
        export_json_text(out, intern_data(t->strings, i));
    }
    buf_char(out, ']');
}

static void add_thread(const struct profile *p, const char *title, const char *thread, size_t number, struct buf *out)
{
    struct thread_tables t = {.p = p, .strings = intern_new(), .nodes = intern_new()};
    collect(&t, thread);
    buf_str_add(out, "{\"name\":");
    export_json_text(out, thread ? thread : title);
    buf_str_add(out, ",\"processName\":");
    export_json_text(out, title);
    buf_printf(out,
               ",\"isMainThread\":%s,\"pid\":\"1\",\"tid\":%zu,\"processType\":\"default\",\"processStartupTime\":0,"
               "\"processShutdownTime\":null,\"registerTime\":0,\"unregisterTime\":null,\"pausedRanges\":[]",
               number == 0 ? "true" : "false", number + 1);
    buf_str_add(out, ",\"markers\":{\"length\":0,\"category\":[],\"data\":[],\"endTime\":[],\"name\":[],\"phase\":[],"
                     "\"startTime\":[]},\"nativeSymbols\":{\"length\":0,\"address\":[],\"functionSize\":[],"
                     "\"libIndex\":[],\"name\":[]},\"resourceTable\":{\"length\":0,\"lib\":[],\"name\":[],\"host\":[],"
                     "\"type\":[]}");
    add_tables(&t, out);
    buf_char(out, '}');
    intern_free(t.strings);
    intern_free(t.nodes);
    vec_free(&t.stack);
    vec_free(&t.sample_stacks);
    vec_free(&t.weights);
}

void export_firefox(const struct profile *p, const char *title, struct buf *out)
{
    buf_str_add(out, "{\"meta\":{\"version\":27,\"preprocessedProfileVersion\":47,\"interval\":1,\"startTime\":0,"
                     "\"processType\":0,\"stackwalk\":1,\"symbolicated\":true,\"debug\":false,\"pausedRanges\":[],"
                     "\"extensions\":{\"length\":0,\"baseURL\":[],\"id\":[],\"name\":[]},\"markerSchema\":[],"
                     "\"usesOnlyOneStackType\":true,\"doesNotUseFrameImplementation\":true,"
                     "\"sourceCodeIsNotOnSearchfox\":true,\"sampleUnits\":{\"time\":\"ms\",\"eventDelay\":\"ms\","
                     "\"threadCPUDelta\":\"µs\"},\"product\":");
    export_json_text(out, title);
    buf_str_add(out, ",\"categories\":[");
    for (size_t i = 0; i < ARRAY_LEN(CATEGORIES); i++)
        buf_printf(out, "%s{\"name\":\"%s\",\"color\":\"%s\",\"subcategories\":[\"Other\"]}", i ? "," : "",
                   CATEGORIES[i][0], CATEGORIES[i][1]);
    buf_str_add(out, "]}\n,\"libs\":[],\"pages\":[],\"counters\":[],\"profilerOverhead\":[],\"threads\":[\n");
    size_t n = profile_thread_count(p);
    for (size_t t = 0; t < n; t++) {
        buf_str_add(out, t ? ",\n" : "");
        add_thread(p, title, profile_thread_name(p, t), t, out);
    }
    if (n == 0)
        add_thread(p, title, NULL, 0, out);
    buf_str_add(out, "]}\n");
}
