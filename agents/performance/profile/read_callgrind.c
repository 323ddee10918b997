// Callgrind knows who called whom, not whole stacks. They are put together from the root: what a function costs below
// one caller is taken to be spread over its own calls as it is over all callers. Exact for functions with one caller,
// and for every function's own and total cost.
#include "profile/read_inside.h"

#include "profile/callgrind.h"
#include "profile/demangle.h"
#include "profile/intern.h"

#include "base/mem.h"
#include "base/str.h"

#include <math.h>
#include <string.h>

#define NARROW 0.0002 // of all: a call that costs less is not followed
#define DEPTH  400

struct walk {
    struct profile *p;
    const struct callgrind *c;
    const uint32_t *places; // of functions
    bool *open;             // functions on the way
    uint32_t path[DEPTH];   // places, root first
    size_t depth;
    double total;
};

static void emit(struct walk *w, double cost)
{
    uint32_t stack[DEPTH];
    uint64_t weight = cost >= 1 ? (uint64_t)llround(cost) : 0;
    for (size_t i = 0; i < w->depth; i++)
        stack[i] = w->path[w->depth - 1 - i];
    if (weight && w->depth) {
        profile_add(w->p, stack, w->depth, NULL, weight, weight, weight);
        read_count(w->p, weight, weight);
    }
}

// `part`: how much of the function's total belongs to this way.
static void follow(struct walk *w, uint32_t f, double part)
{
    const struct callgrind_call *calls;
    const struct callgrind_function *function = callgrind_function_at(w->c, f);
    size_t n = callgrind_calls_of(w->c, f, &calls);
    w->open[f] = true;
    w->path[w->depth++] = w->places[f];
    emit(w, (double)function->self[CALLGRIND_INSTRUCTIONS] * part);
    for (size_t i = 0; i < n; i++) {
        double cost = (double)calls[i].cost[CALLGRIND_INSTRUCTIONS] * part;
        double whole = (double)callgrind_function_at(w->c, calls[i].callee)->total[CALLGRIND_INSTRUCTIONS];
        if (calls[i].callee == f || w->open[calls[i].callee] || cost < 1)
            continue; // counted where it was entered first
        if (cost < w->total * NARROW || w->depth + 1 >= DEPTH || whole <= 0) {
            w->path[w->depth++] = w->places[calls[i].callee];
            emit(w, cost);
            w->depth--;
        } else {
            follow(w, calls[i].callee, cost / whole > 1 ? 1 : cost / whole);
        }
    }
    w->depth--;
    w->open[f] = false;
}

static uint32_t *make_places(struct profile *p, const struct callgrind *c, struct read_places *known)
{
    size_t n = callgrind_function_count(c);
    uint32_t *places = mem_array(n, sizeof(*places));
    for (uint32_t i = 0; i < n; i++) {
        const struct callgrind_function *f = callgrind_function_at(c, i);
        places[i] = read_place(p, known, f->name, f->object, f->file, f->line);
    }
    return places;
}

static void add_lines(struct profile *p, const struct callgrind *c, struct read_places *known)
{
    size_t n;
    const struct callgrind_line *lines = callgrind_lines(c, &n);
    for (size_t i = 0; i < n; i++) {
        const struct callgrind_function *f = callgrind_function_at(c, lines[i].function);
        uint32_t place = read_place(p, known, f->name, f->object, f->file, lines[i].line);
        if (place != PLACE_NONE)
            hot_line_add(p->hot, p->inside->places.items[place].hot, lines[i].cost);
    }
}

// Names are surer than files, once it is known which crates are the project's: those with a source file of it.
static void learn_crates(struct profile *p, const struct callgrind *c)
{
    struct intern *crates = intern_new();
    VEC(char *) list = {0};
    for (uint32_t i = 0; i < callgrind_function_count(c) && !p->inside->crates; i++) {
        const struct callgrind_function *f = callgrind_function_at(c, i);
        AUTO_FREE char *function = demangle(f->name);
        size_t len;
        const char *crate = demangle_crate(function, &len);
        bool fresh = false;
        if (len == 0 || !f->file || profile_kind(p, f->object, f->file, function) != CRATE_PROJECT ||
            crate_kind_of(NULL, NULL, function) == CRATE_STD)
            continue;
        intern_bytes(crates, crate, len, &fresh);
        if (fresh)
            vec_push(&list, str_ndup(crate, len));
    }
    intern_free(crates);
    if (list.len == 0)
        return;
    vec_push(&list, NULL);
    p->inside->crates = list.items;
    p->inside->crate_roots.crates = (const char *const *)list.items;
}

static void add_all(struct profile *p, const struct callgrind *c)
{
    learn_crates(p, c);
    size_t n = callgrind_function_count(c);
    struct read_places known = {0};
    uint32_t *places = make_places(p, c, &known);
    struct walk *w = mem_alloc(sizeof(*w));
    w->p = p;
    w->c = c;
    w->places = places;
    w->open = mem_array(n, sizeof(*w->open));
    w->total = (double)callgrind_total(c, CALLGRIND_INSTRUCTIONS);
    p->unit = "instructions";
    for (uint32_t i = 0; i < n; i++)
        if (callgrind_function_at(c, i)->called == 0)
            follow(w, i, 1);
    add_lines(p, c, &known);
    read_places_free(&known);
    mem_free(w->open);
    mem_free(w);
    mem_free(places);
}

// The object with most cost that is no library.
static const char *main_object(const struct callgrind *c)
{
    const char *best = NULL;
    uint64_t most = 0;
    for (uint32_t i = 0; i < callgrind_function_count(c); i++) {
        const struct callgrind_function *f = callgrind_function_at(c, i);
        if (!f->object || f->object[0] != '/' || strstr(f->object, ".so") || f->total[CALLGRIND_INSTRUCTIONS] <= most)
            continue;
        most = f->total[CALLGRIND_INSTRUCTIONS];
        best = f->object;
    }
    return best;
}

static void build(struct profile *p, const struct callgrind *c)
{
    add_all(p, c);
    const char *program = p->guess_owner && hot_unowned_pct(p->hot) >= 100.0 ? main_object(c) : NULL;
    if (!program)
        return;
    str_set(&p->inside->program, program);
    profile_reset(p);
    add_all(p, c);
}

int read_callgrind(struct profile *p, const char *text, size_t len, struct err *err)
{
    struct callgrind *c = callgrind_new();
    int r = callgrind_add(c, text, len, err);
    if (r == 0) {
        callgrind_finish(c);
        build(p, c);
    }
    callgrind_free(c);
    return r;
}

int profile_of_callgrind(const struct callgrind *c, const struct profile_options *options, struct profile **ret,
                         struct err *err)
{
    struct profile *p = profile_new(options);
    p->guess_owner = options->guess_owner;
    p->format = "callgrind";
    build(p, c);
    if (hot_total_weight(p->hot) == 0) {
        profile_free(p);
        return err_set(err, ERR_NOT_FOUND, "callgrind counted nothing");
    }
    *ret = p;
    return 0;
}
