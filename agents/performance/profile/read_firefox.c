// The Firefox Profiler's processed format, as samply writes it: tables of columns, of each thread or (newer versions)
// shared by all. Frames that are only addresses are looked up in the libraries they name, while those are there.
#include "profile/read_inside.h"

#include "profile/intern.h"
#include "profile/read.h"

#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"

#include <ctype.h>
#include <string.h>

struct tables {
    const json_t *strings, *func_name, *func_file, *func_line, *func_resource, *func_source, *frame_func, *frame_line,
        *frame_address, *stack_prefix, *stack_frame, *resource_lib, *source_file;
};

struct reading {
    struct profile *p;
    const json_t *file, *libs;
    struct tables t;
    struct read_places places;
    char *program;
};

static const json_t *table(const json_t *thread, const json_t *shared, const char *name)
{
    const json_t *own = json_obj(thread, name);
    return own ? own : json_obj(shared, name);
}

static void find_tables(struct reading *r, const json_t *thread)
{
    const json_t *shared = json_obj(r->file, "shared");
    const json_t *func = table(thread, shared, "funcTable"), *frame = table(thread, shared, "frameTable"),
                 *stack = table(thread, shared, "stackTable"), *resource = table(thread, shared, "resourceTable"),
                 *strings = json_list(thread, "stringArray");
    r->t = (struct tables){.strings = strings ? strings : json_list(shared, "stringArray"),
                           .func_name = json_list(func, "name"),
                           .func_file = json_list(func, "fileName"),
                           .func_line = json_list(func, "lineNumber"),
                           .func_resource = json_list(func, "resource"),
                           .func_source = json_list(func, "source"),
                           .frame_func = json_list(frame, "func"),
                           .frame_line = json_list(frame, "line"),
                           .frame_address = json_list(frame, "address"),
                           .stack_prefix = json_list(stack, "prefix"),
                           .stack_frame = json_list(stack, "frame"),
                           .resource_lib = json_list(resource, "lib"),
                           .source_file = json_list(json_obj(shared, "sources"), "filename")};
}

// An index in a column; -1: null or none.
static json_int_t index_at(const json_t *column, json_int_t i)
{
    const json_t *v = i >= 0 ? json_array_get(column, (size_t)i) : NULL;
    return json_is_integer(v) ? json_integer_value(v) : -1;
}

static const char *text_at(const struct reading *r, json_int_t i)
{
    return i >= 0 ? json_string_value(json_array_get(r->t.strings, (size_t)i)) : NULL;
}

static bool is_address(const char *name)
{
    if (!str_starts(name, "0x"))
        return false;
    for (name += 2; isxdigit((unsigned char)*name); name++)
        continue;
    return *name == '\0';
}

// The frames a frame stands for: more than one where functions were inlined. Innermost first.
static size_t places_of(struct reading *r, json_int_t frame, bool is_return, uint32_t *out, size_t room)
{
    json_int_t func = index_at(r->t.frame_func, frame), address = index_at(r->t.frame_address, frame);
    const char *name = text_at(r, index_at(r->t.func_name, func)), *file = text_at(r, index_at(r->t.func_file, func));
    if (!file)
        file = text_at(r, index_at(r->t.source_file, index_at(r->t.func_source, func)));
    json_int_t lib = index_at(r->t.resource_lib, index_at(r->t.func_resource, func));
    const char *dso = lib >= 0 ? json_str(json_array_get(r->libs, (size_t)lib), "path", NULL) : NULL;
    name = name ? name : "?";
    struct source_chain chain = {NULL, 0};
    if (dso && address >= 0 && is_address(name)) {
        struct symbolize_query q = {
            .dso = dso, .file_offset = (uint64_t)address, .is_address = true, .is_return = is_return};
        chain = symbolize(r->p->inside->symbols, &q);
    }
    size_t n = 0;
    for (size_t i = 0; i < chain.count && n < room; i++)
        out[n++] =
            read_place(r->p, &r->places, chain.frames[i].function, dso, chain.frames[i].file, chain.frames[i].line);
    if (n == 0 && room > 0) {
        json_int_t line = index_at(r->t.frame_line, frame);
        out[n++] = read_place(r->p, &r->places, name, dso, file, line > 0 && line < INT32_MAX ? (int)line : 0);
    }
    if (!r->program && dso && dso[0] == '/' && !strstr(dso, ".so"))
        r->program = str_dup(dso);
    return n;
}

static void add_stack(struct reading *r, json_int_t stack, const char *thread, uint64_t samples)
{
    uint32_t *places = mem_array(HOT_DEPTH_MAX, sizeof(*places));
    size_t n = 0, steps = 0;
    for (json_int_t at = stack; at >= 0 && n < HOT_DEPTH_MAX && steps < HOT_DEPTH_MAX; steps++) { // a ring ends, too
        n += places_of(r, index_at(r->t.stack_frame, at), at != stack, places + n, HOT_DEPTH_MAX - n);
        at = index_at(r->t.stack_prefix, at);
    }
    if (n > 0) {
        profile_add(r->p, places, n, thread, samples, samples, samples);
        read_count(r->p, samples, samples);
    }
    mem_free(places);
}

static void add_thread(struct reading *r, const json_t *thread, bool several)
{
    const json_t *samples = json_obj(thread, "samples"), *stacks = json_list(samples, "stack"),
                 *weights = json_list(samples, "weight");
    find_tables(r, thread);
    size_t count = json_array_size(r->t.stack_frame), i;
    uint64_t *sums = mem_array(count, sizeof(*sums));
    json_t *stack;
    json_array_foreach (stacks, i, stack) {
        json_int_t at = json_is_integer(stack) ? json_integer_value(stack) : -1;
        json_int_t weight = weights ? index_at(weights, (json_int_t)i) : 1;
        if (at >= 0 && (size_t)at < count && weight > 0 && weight < INT32_MAX)
            sums[at] += (uint64_t)weight;
    }
    const char *name = json_str(thread, "name", "?");
    for (i = 0; i < count; i++)
        if (sums[i])
            add_stack(r, (json_int_t)i, several ? name : NULL, sums[i]);
    mem_free(sums);
}

static void add_threads(struct reading *r)
{
    const json_t *threads = json_list(r->file, "threads");
    size_t i;
    json_t *thread;
    json_array_foreach (threads, i, thread)
        add_thread(r, thread, json_array_size(threads) > 1);
    read_places_free(&r->places);
}

int read_firefox(struct profile *p, const char *text, size_t len, struct err *err)
{
    if (len > READ_JSON_MAX)
        return err_set(err, ERR_LIMIT, "JSON of more than %zu MB is not read", READ_JSON_MAX >> 20);
    AUTO_JSON json_t *file = json_parse_new(text, len, "profile", err);
    if (!file)
        return -(int)err->code;
    if (json_obj(json_array_get(json_list(file, "threads"), 0), "samples") &&
        json_obj(json_obj(json_array_get(json_list(file, "threads"), 0), "samples"), "schema"))
        return err_set(err, ERR_UNSUPPORTED,
                       "this is what Firefox records; load it into profiler.firefox.com and save it from there");
    struct reading r = {.p = p, .file = file, .libs = json_list(file, "libs")};
    add_threads(&r);
    if (p->guess_owner && !p->inside->program && hot_unowned_pct(p->hot) >= 100.0 && r.program) {
        p->inside->program = r.program;
        r.program = NULL;
        profile_reset(p);
        add_threads(&r);
    }
    mem_free(r.program);
    return 0;
}
