// Frames (function at a line) and functions are numbered; stacks are kept, so that questions about lines can be
// answered later. Marks with the number of the stack make "once per sample" cheap.
#include "profile/hot_inside.h"

#include "profile/demangle.h"

#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

struct hot_table *hot_table_new(const struct crate_roots *roots)
{
    struct hot_table *t = mem_alloc(sizeof(*t));
    t->roots = roots;
    t->texts = intern_new();
    t->function_keys = intern_new();
    t->frame_keys = intern_new();
    t->place_keys = intern_new();
    return t;
}

struct hot_table *hot_table_free(struct hot_table *t)
{
    if (!t)
        return NULL;
    intern_free(t->texts);
    intern_free(t->function_keys);
    intern_free(t->frame_keys);
    intern_free(t->place_keys);
    vec_free(&t->functions);
    vec_free(&t->frames);
    vec_free(&t->place_weights);
    vec_free(&t->frames_of_stacks);
    vec_free(&t->stacks);
    mem_free(t);
    return NULL;
}

static uint32_t find_function(struct hot_table *t, const struct hot_frame *frame)
{
    uint32_t name = intern_text(t->texts, frame->function);
    uint32_t file = frame->file ? intern_text(t->texts, frame->file) : INTERN_NONE;
    uint32_t key[2] = {name, (uint32_t)frame->kind};
    bool fresh = false;
    if (name == INTERN_NONE)
        return INTERN_NONE;
    uint32_t id = intern_bytes(t->function_keys, key, sizeof(key), &fresh);
    if (id == INTERN_NONE)
        return id;
    if (fresh)
        vec_push(&t->functions, (struct hot_row){.name = intern_data(t->texts, name), .kind = frame->kind});
    struct hot_row *f = &t->functions.items[id];
    const char *path = file == INTERN_NONE ? NULL : intern_data(t->texts, file);
    if (!f->file)
        f->file = path;
    if (path && f->file == path) {
        if (frame->function_line > 0 && (!f->declared || frame->function_line < f->first)) {
            f->first = frame->function_line;
            f->declared = true;
        }
        if (!f->declared && frame->line > 0 && (f->first == 0 || frame->line < f->first))
            f->first = frame->line;
        if (frame->line > f->last)
            f->last = frame->line;
        if (frame->function_end > f->last)
            f->last = frame->function_end;
    }
    return id;
}

uint32_t hot_frame_add(struct hot_table *t, const struct hot_frame *frame)
{
    uint32_t function = find_function(t, frame);
    if (function == INTERN_NONE)
        return INTERN_NONE;
    uint32_t file = frame->file ? intern_text(t->texts, frame->file) : INTERN_NONE;
    struct frame_key key = {function, file, frame->line, 0};
    bool fresh = false;
    uint32_t id = intern_bytes(t->frame_keys, &key, sizeof(key), &fresh);
    if (id != INTERN_NONE && fresh)
        vec_push(&t->frames,
                 (struct frame){function, file == INTERN_NONE ? NULL : intern_data(t->texts, file), frame->line});
    return id;
}

// The line with the most weight is found as the weights come in; it only ever grows.
static void add_place(struct hot_table *t, uint32_t function, int line, uint64_t weight)
{
    if (line <= 0 || intern_count(t->place_keys) >= PLACES_MAX)
        return;
    uint32_t key[2] = {function, (uint32_t)line};
    bool fresh = false;
    uint32_t id = intern_bytes(t->place_keys, key, sizeof(key), &fresh);
    if (id == INTERN_NONE)
        return;
    if (fresh)
        vec_push(&t->place_weights, 0);
    uint64_t sum = t->place_weights.items[id] += weight;
    struct hot_row *f = &t->functions.items[function];
    if (sum > f->hot_weight || (sum == f->hot_weight && line < f->hot_line)) {
        f->hot_weight = sum;
        f->hot_line = line;
    }
}

void hot_line_add(struct hot_table *t, uint32_t frame, uint64_t weight)
{
    if (frame < t->frames.len && weight > 0)
        add_place(t, t->frames.items[frame].function, t->frames.items[frame].line, weight);
}

void hot_stack_add(struct hot_table *t, const uint32_t *frames, size_t count, uint64_t samples, uint64_t weight)
{
    if (count == 0 || weight == 0)
        return;
    if (count > HOT_DEPTH_MAX)
        count = HOT_DEPTH_MAX;
    uint64_t mark = t->stacks.len + 1;
    struct stack stack = {.first = t->frames_of_stacks.len, .samples = samples, .weight = weight};
    bool owned = false;
    for (size_t i = 0; i < count; i++) {
        if (frames[i] >= t->frames.len)
            continue;
        vec_push(&t->frames_of_stacks, frames[i]);
        const struct frame *frame = &t->frames.items[frames[i]];
        struct hot_row *f = &t->functions.items[frame->function];
        if (stack.count++ == 0) {
            f->self += weight;
            f->samples += samples;
        }
        if (!owned && f->kind == CRATE_PROJECT) {
            f->owned += weight;
            owned = true;
        }
        if (f->mark != mark) {
            // the first time a function is met it is at its innermost; that line stands for the sample
            f->mark = mark;
            f->total += weight;
            if (frame->file == f->file) // a macro of another file has lines of its own
                add_place(t, frame->function, frame->line, weight);
        }
    }
    if (stack.count == 0)
        return;
    vec_push(&t->stacks, stack);
    t->weight += weight;
    if (!owned)
        t->unowned += weight;
}

double hot_percent(const struct hot_table *t, uint64_t weight)
{
    return t->weight ? 100.0 * (double)weight / (double)t->weight : 0.0;
}

uint64_t hot_total_weight(const struct hot_table *t)
{
    return t->weight;
}

double hot_unowned_pct(const struct hot_table *t)
{
    return hot_percent(t, t->unowned);
}

static int compare_functions(const void *a, const void *b)
{
    const struct hot_row *x = *(const struct hot_row *const *)a, *y = *(const struct hot_row *const *)b;
    if (x->owned != y->owned)
        return x->owned > y->owned ? -1 : 1;
    if (x->self != y->self)
        return x->self > y->self ? -1 : 1;
    if (x->total != y->total)
        return x->total > y->total ? -1 : 1;
    int c = strcmp(x->name, y->name);
    return c ? c : (int)x->kind - (int)y->kind;
}

struct hot_function *hot_rank(const struct hot_table *t, size_t *ret_count)
{
    size_t n = 0;
    const struct hot_row **order = mem_array(t->functions.len, sizeof(*order));
    for (size_t i = 0; i < t->functions.len; i++)
        if (t->functions.items[i].total > 0)
            order[n++] = &t->functions.items[i];
    if (n)
        qsort(order, n, sizeof(*order), compare_functions);
    struct hot_function *rows = mem_array(n, sizeof(*rows));
    for (size_t i = 0; i < n; i++) {
        const struct hot_row *f = order[i];
        rows[i] = (struct hot_function){.function = f->name,
                                        .file = f->file ? crate_path_short(t->roots, f->file) : NULL,
                                        .line = f->first,
                                        .line_end = f->last,
                                        .hot_line = f->hot_line,
                                        .kind = f->kind,
                                        .samples = f->samples,
                                        .self_pct = hot_percent(t, f->self),
                                        .total_pct = hot_percent(t, f->total),
                                        .owned_pct = hot_percent(t, f->owned)};
    }
    mem_free(order);
    *ret_count = n;
    return rows;
}

static bool same_file(const struct hot_table *t, const char *path, const char *asked)
{
    if (!path)
        return false;
    if (str_eq(path, asked) || str_eq(crate_path_short(t->roots, path), asked))
        return true;
    if (t->roots && t->roots->project && t->roots->project[0])
        return false; // "src/lib.rs" is a file of the root, not the one of every dependency
    size_t n = strlen(path), m = strlen(asked);
    return m > 0 && asked[0] != '/' && n > m && path[n - m - 1] == '/' && strcmp(path + n - m, asked) == 0;
}

// Share of stacks that hold at least one of the chosen frames.
static double share_of_frames(const struct hot_table *t, const bool *chosen)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < t->stacks.len; i++) {
        const struct stack *s = &t->stacks.items[i];
        bool hit = false;
        for (size_t k = 0; k < s->count && !hit; k++)
            hit = chosen[t->frames_of_stacks.items[s->first + k]];
        if (hit)
            sum += s->weight;
    }
    return hot_percent(t, sum);
}

double hot_share_of_lines(const struct hot_table *t, const char *file, int a, int b)
{
    bool *chosen = mem_array(t->frames.len, sizeof(*chosen));
    bool any = false;
    for (size_t i = 0; i < t->frames.len; i++) {
        const struct frame *f = &t->frames.items[i];
        chosen[i] = f->line > 0 && f->line >= a && f->line <= b && same_file(t, f->file, file);
        any |= chosen[i];
    }
    double share = any ? share_of_frames(t, chosen) : 0.0;
    mem_free(chosen);
    return share;
}

static const struct hot_row *function_around(const struct hot_table *t, const char *file, int line)
{
    const struct hot_row *best = NULL;
    for (size_t i = 0; i < t->functions.len; i++) {
        const struct hot_row *f = &t->functions.items[i];
        if (f->first <= 0 || line < f->first || line > f->last || !same_file(t, f->file, file))
            continue;
        // a closure lies inside its function: the one that starts last, then the shortest, is the innermost
        if (!best || f->first > best->first || (f->first == best->first && f->last < best->last))
            best = f;
    }
    return best;
}

double hot_owned_of_function(const struct hot_table *t, const char *file, int line, const char **ret_function)
{
    const struct hot_row *best = function_around(t, file, line);
    uint64_t sum = 0;
    if (ret_function)
        *ret_function = best ? best->name : NULL;
    for (size_t i = 0; best && i < t->functions.len; i++) {
        const struct hot_row *f = &t->functions.items[i];
        if (f->first >= best->first && f->last <= best->last && str_eq(f->file, best->file))
            sum += f->owned;
    }
    return hot_percent(t, sum);
}

double hot_share_of_function(const struct hot_table *t, const char *file, int line, const char **ret_function)
{
    const struct hot_row *best = function_around(t, file, line);
    if (ret_function)
        *ret_function = best ? best->name : NULL;
    if (!best)
        return 0.0;
    bool *chosen = mem_array(t->frames.len, sizeof(*chosen));
    for (size_t i = 0; i < t->frames.len; i++) { // all instances of a generic, whatever their names
        const struct hot_row *f = &t->functions.items[t->frames.items[i].function];
        chosen[i] = f->first == best->first && str_eq(f->file, best->file);
    }
    double share = share_of_frames(t, chosen);
    mem_free(chosen);
    return share;
}

json_t *hot_row_json_new(const struct hot_function *f)
{
    json_t *row = json_object();
    AUTO_FREE char *brief = demangle_short(f->function);
    json_put(row, "function", json_text_new(f->function, strlen(f->function)));
    json_put(row, "short", json_text_new(brief, strlen(brief)));
    json_put_num(row, "self_pct", f->self_pct);
    json_put_num(row, "total_pct", f->total_pct);
    json_put_num(row, "owned_pct", f->owned_pct);
    json_put(row, "file", f->file ? json_text_new(f->file, strlen(f->file)) : json_null());
    json_put_int(row, "line", f->line);
    json_put_int(row, "line_end", f->line_end);
    json_put_int(row, "hot_line", f->hot_line);
    json_put_str(row, "crate_kind", crate_kind_name(f->kind));
    json_put_int(row, "samples", (int64_t)f->samples);
    return row;
}

json_t *hot_json_new(const struct hot_table *t, size_t max)
{
    size_t n;
    struct hot_function *rows = hot_rank(t, &n);
    json_t *list = json_array();
    for (size_t i = 0; i < n && (max == 0 || i < max); i++)
        json_array_append_new(list, hot_row_json_new(&rows[i]));
    mem_free(rows);
    return list;
}
