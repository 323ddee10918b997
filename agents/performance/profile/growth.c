#include "profile/growth.h"

#include "profile/demangle.h"
#include "profile/intern.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHARE_LEAST     2.0 // per cent of the largest run: less is no finding
#define EXPONENT_LEAST  1.3
#define EXPONENT_SQUARE 1.7
#define EXPONENT_CUBE   2.6
#define CALLS_SAME      1.1 // "equally often"
#define CLIMB_MAX       64
#define LOOPS_MAX       3

struct function {
    const char *name, *file; // borrowed from the last point that has it
    int line;
    enum crate_kind kind;
    double cost[GROWTH_SIZES_MAX], called[GROWTH_SIZES_MAX], self[GROWTH_SIZES_MAX];
    double exponent, share, excess, looped, score;
    uint32_t loop_owner;         // INTERN_NONE: none
    uint32_t loop_of[LOOPS_MAX]; // whose loop owner it is
    size_t loop_count;
};

struct caller { // the call of the last point that costs most
    uint32_t function;
    uint64_t cost, count;
};

struct growth {
    const struct growth_point *points;
    size_t count;
    struct intern *keys; // {name, kind}
    VEC(struct function) functions;
    struct caller *callers; // beside `functions`
    double sizes[GROWTH_SIZES_MAX], total;
};

double growth_exponent(const double *sizes, const double *costs, size_t count)
{
    double sx = 0, sy = 0, sxx = 0, sxy = 0;
    for (size_t i = 0; i < count; i++) {
        if (!(costs[i] > 0) || !(sizes[i] > 0))
            return (double)NAN;
        double x = log(sizes[i]), y = log(costs[i]);
        sx += x;
        sy += y;
        sxx += x * x;
        sxy += x * y;
    }
    double n = (double)count, spread = n * sxx - sx * sx;
    return spread > 0 ? (n * sxy - sx * sy) / spread : (double)NAN;
}

static uint32_t number_of(struct growth *g, const char *name, enum crate_kind kind)
{
    struct buf key = BUF_INIT;
    bool fresh = false;
    buf_printf(&key, "%d %s", (int)kind, name);
    uint32_t id = intern_bytes(g->keys, buf_str(&key), key.len, &fresh);
    buf_free(&key);
    if (id != INTERN_NONE && fresh)
        vec_push(&g->functions, (struct function){.kind = kind, .loop_owner = INTERN_NONE});
    return id;
}

static void add_point(struct growth *g, size_t at)
{
    const struct growth_point *p = &g->points[at];
    g->sizes[at] = p->size;
    for (uint32_t i = 0; i < p->owned->count; i++) {
        const struct callgrind_function *counted = callgrind_function_at(p->counts, i);
        uint32_t id = number_of(g, p->owned->names[i], p->owned->kinds[i]);
        if (id == INTERN_NONE)
            return;
        struct function *f = &g->functions.items[id];
        f->name = p->owned->names[i];
        if (counted->file) {
            f->file = counted->file;
            f->line = counted->line;
        }
        f->cost[at] += p->owned->cost[i][CALLGRIND_INSTRUCTIONS];
        f->self[at] += (double)counted->self[CALLGRIND_INSTRUCTIONS];
        f->called[at] += (double)counted->called;
    }
}

static void find_callers(struct growth *g)
{
    const struct growth_point *last = &g->points[g->count - 1];
    size_t n;
    const struct callgrind_call *calls = callgrind_calls(last->counts, &n);
    g->callers = mem_array(g->functions.len, sizeof(*g->callers));
    for (size_t i = 0; i < g->functions.len; i++)
        g->callers[i].function = INTERN_NONE;
    for (size_t i = 0; i < n; i++) {
        uint32_t from = number_of(g, last->owned->names[calls[i].caller], last->owned->kinds[calls[i].caller]);
        uint32_t to = number_of(g, last->owned->names[calls[i].callee], last->owned->kinds[calls[i].callee]);
        uint64_t cost = calls[i].cost[CALLGRIND_INSTRUCTIONS];
        if (from != INTERN_NONE && to != INTERN_NONE && from != to && cost >= g->callers[to].cost)
            g->callers[to] = (struct caller){from, cost, calls[i].count};
    }
}

static bool equally_often(const struct growth *g, const struct function *f)
{
    double first = f->called[0], last = f->called[g->count - 1];
    return last <= first * CALLS_SAME + 0.5;
}

// From a function that is called more and more up to who calls it in a loop. Only of the project.
static uint32_t loop_owner_of(const struct growth *g, uint32_t f)
{
    if (equally_often(g, &g->functions.items[f]))
        return INTERN_NONE; // the loop is its own
    for (int steps = 0; steps < CLIMB_MAX; steps++) {
        f = g->callers[f].function;
        if (f == INTERN_NONE)
            return INTERN_NONE;
        if (equally_often(g, &g->functions.items[f]) && g->functions.items[f].kind == CRATE_PROJECT)
            return f;
    }
    return INTERN_NONE;
}

static void judge(struct growth *g)
{
    size_t last = g->count - 1;
    double factor = g->sizes[last] / g->sizes[0];
    for (uint32_t i = 0; i < g->functions.len; i++) {
        struct function *f = &g->functions.items[i];
        if (f->kind != CRATE_PROJECT)
            continue;
        f->exponent = growth_exponent(g->sizes, f->cost, g->count);
        f->share = g->total > 0 ? 100 * f->cost[last] / g->total : 0;
        double beyond = f->cost[last] - f->cost[0] * factor;
        bool grows = f->exponent >= EXPONENT_LEAST;
        f->excess = grows && beyond > 0 && g->total > 0 ? 100 * beyond / g->total : 0;
        if (f->excess > 0)
            f->loop_owner = loop_owner_of(g, i);
        if (f->loop_owner == INTERN_NONE)
            continue;
        struct function *owner = &g->functions.items[f->loop_owner];
        owner->looped += f->excess;
        if (owner->loop_count < LOOPS_MAX && f->excess >= 1)
            owner->loop_of[owner->loop_count++] = i;
    }
    for (size_t i = 0; i < g->functions.len; i++) {
        struct function *f = &g->functions.items[i];
        double beyond = f->excess + f->looped;
        f->score = (beyond >= 1 ? beyond : 0) + f->share / 100; // shares decide between those that grow as they should
    }
}

// --- words ---

// "1,000 → 2,000"
static void add_numbers(struct buf *out, const double *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buf_str_add(out, i ? " → " : "");
        buf_grouped(out, values[i]);
    }
}

static json_t *list_new(const double *values, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_real(values[i]));
    return list;
}

static const char *kind_of(double exponent)
{
    return exponent >= EXPONENT_CUBE ? "cubic" : exponent >= EXPONENT_SQUARE ? "quadratic" : "superlinear";
}

static json_t *evidence_new(const struct growth *g, const struct function *f)
{
    json_t *list = json_array();
    struct buf b = BUF_INIT;
    if (isfinite(f->exponent)) {
        buf_printf(&b, "its cost grows as n^%.2f: ", f->exponent);
        add_numbers(&b, f->cost, g->count);
        buf_str_add(&b, " instructions");
        json_add_str(list, buf_str(&b));
        buf_clear(&b);
    }
    buf_str_add(&b, "called ");
    add_numbers(&b, f->called, g->count);
    buf_str_add(&b, " times");
    json_add_str(list, buf_str(&b));
    for (size_t i = 0; i < f->loop_count; i++) {
        const struct function *callee = &g->functions.items[f->loop_of[i]];
        AUTO_FREE char *brief = demangle_short(callee->name);
        buf_clear(&b);
        buf_printf(&b, "loop owner: below it %s is called ", brief);
        add_numbers(&b, callee->called, g->count);
        buf_printf(&b, " times, and costs n^%.2f", callee->exponent);
        json_add_str(list, buf_str(&b));
    }
    buf_free(&b);
    return list;
}

static void put_number(json_t *o, const char *key, double v)
{
    json_put(o, key, isfinite(v) ? json_real(v) : json_null());
}

static json_t *row_new(const struct growth *g, const struct function *f, const struct crate_roots *roots, size_t rank)
{
    json_t *o = json_object(), *loops = json_array();
    AUTO_FREE char *brief = demangle_short(f->name);
    const char *file = f->file ? crate_path_short(roots, f->file) : NULL;
    json_put_int(o, "rank", (int64_t)rank);
    json_put(o, "function", json_text_new(f->name, strlen(f->name)));
    json_put(o, "short", json_text_new(brief, strlen(brief)));
    json_put(o, "file", file ? json_text_new(file, strlen(file)) : json_null());
    json_put_int(o, "line", f->line);
    json_put_str(o, "crate_kind", crate_kind_name(f->kind));
    json_put(o, "cost", list_new(f->cost, g->count));
    json_put(o, "called", list_new(f->called, g->count));
    put_number(o, "exponent", f->exponent);
    put_number(o, "per_call", f->exponent - growth_exponent(g->sizes, f->called, g->count));
    json_put_num(o, "share_pct", f->share);
    json_put_num(o, "excess_pct", f->excess);
    json_put_num(o, "score", f->score);
    for (size_t i = 0; i < f->loop_count; i++)
        json_add_str(loops, g->functions.items[f->loop_of[i]].name);
    json_put(o, "loop_of", loops);
    json_put_str(o, "loop_owner", f->loop_owner == INTERN_NONE ? NULL : g->functions.items[f->loop_owner].name);
    json_put(o, "evidence", evidence_new(g, f));
    return o;
}

static json_t *finding_new(const struct growth *g, const struct function *f, const struct crate_roots *roots)
{
    if (!(f->exponent >= EXPONENT_LEAST) || f->share < SHARE_LEAST || f->excess <= 0)
        return NULL;
    json_t *o = json_object();
    struct buf b = BUF_INIT;
    AUTO_FREE char *brief = demangle_short(f->name);
    const char *file = f->file ? crate_path_short(roots, f->file) : NULL;
    buf_printf(&b, "%s in %s: its cost grows as n^%.2f (", kind_of(f->exponent), brief, f->exponent);
    add_numbers(&b, f->cost, g->count);
    buf_str_add(&b, " instructions for n = ");
    add_numbers(&b, g->sizes, g->count);
    buf_printf(&b, "), %.0f %% of the largest run", f->share);
    if (f->loop_owner != INTERN_NONE) {
        AUTO_FREE char *owner = demangle_short(g->functions.items[f->loop_owner].name);
        buf_printf(&b, "; the loop around it is in %s", owner);
    }
    json_put_str(o, "kind", kind_of(f->exponent));
    json_put(o, "function", json_text_new(brief, strlen(brief)));
    json_put(o, "file", file ? json_text_new(file, strlen(file)) : json_null());
    json_put_int(o, "line", f->line);
    json_put_num(o, "exponent", f->exponent);
    json_put_num(o, "share_pct", f->share);
    json_put(o, "text", json_text_new(buf_str(&b), b.len));
    buf_free(&b);
    return o;
}

static int by_score(const void *a, const void *b)
{
    const struct function *x = *(const struct function *const *)a, *y = *(const struct function *const *)b;
    if (x->score > y->score || x->score < y->score)
        return x->score > y->score ? -1 : 1;
    return strcmp(x->name, y->name);
}

static void write_rows(const struct growth *g, const struct crate_roots *roots, size_t max, json_t *out)
{
    const struct function **order = mem_array(g->functions.len, sizeof(*order));
    size_t n = 0;
    for (size_t i = 0; i < g->functions.len; i++)
        if (g->functions.items[i].kind == CRATE_PROJECT && g->functions.items[i].cost[g->count - 1] > 0)
            order[n++] = &g->functions.items[i];
    if (n)
        qsort(order, n, sizeof(*order), by_score);
    json_t *rows = json_array(), *findings = json_array();
    for (size_t i = 0; i < n && i < max; i++) {
        json_array_append_new(rows, row_new(g, order[i], roots, i + 1));
        json_t *finding = finding_new(g, order[i], roots);
        if (finding)
            json_array_append_new(findings, finding);
    }
    json_put(out, "rows", rows);
    json_put(out, "findings", findings);
    mem_free(order);
}

json_t *growth_new(const struct growth_point *points, size_t count, const struct crate_roots *roots, size_t max)
{
    must(count >= 2 && count <= GROWTH_SIZES_MAX);
    struct growth g = {.points = points, .count = count, .keys = intern_new()};
    double totals[GROWTH_SIZES_MAX];
    for (size_t i = 0; i < count; i++) {
        add_point(&g, i);
        totals[i] = (double)callgrind_total(points[i].counts, CALLGRIND_INSTRUCTIONS);
    }
    g.total = totals[count - 1];
    find_callers(&g);
    judge(&g);
    json_t *o = json_object();
    json_put(o, "sizes", list_new(g.sizes, count));
    json_put(o, "instructions", list_new(totals, count));
    put_number(o, "exponent", growth_exponent(g.sizes, totals, count));
    write_rows(&g, roots, max, o);
    intern_free(g.keys);
    vec_free(&g.functions);
    mem_free(g.callers);
    return o;
}
