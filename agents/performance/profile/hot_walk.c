// The weights below a function are kept in one table of {function, callee or doing}, so that one pass over the stacks
// serves all rows.
#include "profile/hot_walk.h"

#include "profile/demangle.h"
#include "profile/hot_inside.h"

#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

enum where { START, ANY };

static const struct doing {
    const char *key, *word;
    enum where where;
} DOING[] = {
#define X(key, word, where) {key, word, where},
#include "profile/hot_doing.def"
#undef X
};

size_t hot_stack_count(const struct hot_table *t)
{
    return t->stacks.len;
}

struct hot_stack hot_stack_at(const struct hot_table *t, size_t i)
{
    must(i < t->stacks.len);
    const struct stack *s = &t->stacks.items[i];
    return (struct hot_stack){t->frames_of_stacks.items + s->first, s->count, s->samples, s->weight};
}

size_t hot_frame_count(const struct hot_table *t)
{
    return t->frames.len;
}

uint32_t hot_frame_function(const struct hot_table *t, uint32_t frame)
{
    must(frame < t->frames.len);
    return t->frames.items[frame].function;
}

struct hot_frame hot_frame_at(const struct hot_table *t, uint32_t frame)
{
    const struct hot_row *f = &t->functions.items[hot_frame_function(t, frame)];
    return (struct hot_frame){.function = f->name,
                              .file = t->frames.items[frame].file,
                              .line = t->frames.items[frame].line,
                              .function_line = f->first,
                              .kind = f->kind};
}

size_t hot_function_count(const struct hot_table *t)
{
    return t->functions.len;
}

uint32_t hot_function_find(const struct hot_table *t, const char *function, enum crate_kind kind)
{
    uint32_t name = intern_find(t->texts, function, strlen(function));
    const uint32_t key[2] = {name, (uint32_t)kind};
    return name == INTERN_NONE ? INTERN_NONE : intern_find(t->function_keys, key, sizeof(key));
}

struct line {
    int line;
    uint64_t weight;
};

static int by_line(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    return (x->line > y->line) - (x->line < y->line);
}

uint32_t *hot_outer_functions(const struct hot_table *t)
{
    uint32_t *as = mem_array(t->functions.len, sizeof(*as));
    for (uint32_t i = 0; i < t->functions.len; i++) {
        const struct hot_row *f = &t->functions.items[i];
        size_t len = demangle_outer(f->name);
        as[i] = i;
        if (f->kind != CRATE_PROJECT || f->name[len] == '\0')
            continue;
        AUTO_FREE char *outer = str_ndup(f->name, len);
        uint32_t found = hot_function_find(t, outer, f->kind);
        as[i] = found == UINT32_MAX ? i : found;
    }
    return as;
}

json_t *hot_lines_new(const struct hot_table *t, const uint32_t *as, uint32_t function)
{
    VEC(struct line) lines = {0};
    for (uint32_t i = 0; i < intern_count(t->place_keys); i++) {
        const uint32_t *key = intern_data(t->place_keys, i);
        if (as[key[0]] == function && str_eq(t->functions.items[key[0]].file, t->functions.items[function].file))
            vec_push(&lines, (struct line){(int)key[1], t->place_weights.items[i]});
    }
    if (lines.len)
        qsort(lines.items, lines.len, sizeof(*lines.items), by_line);
    json_t *list = json_array();
    for (size_t i = 0; i < lines.len; i++) {
        // a line of the function that calls a closure on the same line holds the closure's time already
        if (i + 1 < lines.len && lines.items[i + 1].line == lines.items[i].line) {
            if (lines.items[i].weight > lines.items[i + 1].weight)
                lines.items[i + 1].weight = lines.items[i].weight;
            continue;
        }
        json_t *row = json_object();
        json_put_int(row, "line", lines.items[i].line);
        json_put_num(row, "pct", hot_percent(t, lines.items[i].weight));
        json_array_append_new(list, row);
    }
    vec_free(&lines);
    return list;
}

// --- what time is charged for ---

enum part { BELOW, DONE };

struct charged_key { // bytes are compared: no padding
    uint32_t function, part, what;
};

struct hot_charged {
    const struct hot_table *table;
    struct intern *keys;
    VEC(uint64_t) weights; // beside `keys`
    const uint32_t *as;
    uint8_t *doing; // of functions, as number in DOING + 1; 0: nothing that is known
};

static uint8_t doing_of(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(DOING); i++) {
        const char *at =
            DOING[i].where == START ? (str_starts(name, DOING[i].word) ? name : NULL) : strstr(name, DOING[i].word);
        if (at)
            return (uint8_t)(i + 1);
    }
    return 0;
}

static void charge(struct hot_charged *c, uint32_t function, enum part part, uint32_t what, uint64_t weight)
{
    const struct charged_key key = {c->as[function], part, what};
    bool fresh = false;
    uint32_t id = intern_bytes(c->keys, &key, sizeof(key), &fresh);
    if (id == INTERN_NONE)
        return;
    if (fresh)
        vec_push(&c->weights, 0);
    c->weights.items[id] += weight;
}

static void charge_stack(struct hot_charged *c, const struct hot_stack *s)
{
    const struct hot_table *t = c->table;
    uint8_t done = 0;
    for (size_t i = 0; i < s->count; i++) {
        uint32_t function = t->frames.items[s->frames[i]].function;
        if (t->functions.items[function].kind != CRATE_PROJECT) {
            done = done ? done : c->doing[function];
            continue;
        }
        if (i > 0)
            charge(c, function, BELOW, t->frames.items[s->frames[i - 1]].function, s->weight);
        if (done)
            charge(c, function, DONE, done, s->weight);
        return;
    }
}

static_assert(ARRAY_LEN(DOING) < UINT8_MAX, "a number of a row fits");

struct hot_charged *hot_charged_new(const struct hot_table *t, const uint32_t *as)
{
    struct hot_charged *c = mem_alloc(sizeof(*c));
    c->table = t;
    c->as = as;
    c->keys = intern_new();
    c->doing = mem_array(t->functions.len, sizeof(*c->doing));
    for (size_t i = 0; i < t->functions.len; i++)
        c->doing[i] = doing_of(t->functions.items[i].name);
    for (size_t i = 0; i < t->stacks.len; i++) {
        const struct hot_stack s = hot_stack_at(t, i);
        charge_stack(c, &s);
    }
    return c;
}

struct hot_charged *hot_charged_free(struct hot_charged *c)
{
    if (!c)
        return NULL;
    intern_free(c->keys);
    vec_free(&c->weights);
    mem_free(c->doing);
    mem_free(c);
    return NULL;
}

// Keeps the HOT_BELOW_MAX largest.
static size_t keep_largest(const struct hot_charged *c, uint32_t function, uint32_t best[HOT_BELOW_MAX])
{
    size_t n = 0;
    for (uint32_t i = 0; i < intern_count(c->keys); i++) {
        const struct charged_key *key = intern_data(c->keys, i);
        if (key->function != function || key->part != BELOW)
            continue;
        size_t at = n < HOT_BELOW_MAX ? n++ : HOT_BELOW_MAX;
        for (; at > 0 && c->weights.items[best[at - 1]] < c->weights.items[i]; at--)
            if (at < HOT_BELOW_MAX)
                best[at] = best[at - 1];
        if (at < HOT_BELOW_MAX)
            best[at] = i;
    }
    return n;
}

json_t *hot_charged_row_new(const struct hot_charged *c, uint32_t function)
{
    json_t *row = json_object(), *below = json_array(), *doing = json_object();
    uint32_t best[HOT_BELOW_MAX] = {0};
    size_t n = keep_largest(c, function, best);
    for (size_t i = 0; i < n; i++) {
        const struct charged_key *key = intern_data(c->keys, best[i]);
        AUTO_FREE char *brief = demangle_short(c->table->functions.items[key->what].name);
        json_t *one = json_object();
        json_put(one, "function", json_text_new(brief, strlen(brief)));
        json_put_num(one, "pct", hot_percent(c->table, c->weights.items[best[i]]));
        json_array_append_new(below, one);
    }
    for (uint32_t i = 0; i < intern_count(c->keys); i++) {
        const struct charged_key *key = intern_data(c->keys, i);
        if (key->function != function || key->part != DONE)
            continue;
        const char *name = DOING[key->what - 1].key;
        json_put_num(doing, name, json_num(doing, name, 0) + hot_percent(c->table, c->weights.items[i]));
    }
    json_put(row, "below", below);
    json_put(row, "doing", doing);
    return row;
}
