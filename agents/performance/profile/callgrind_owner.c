// Costs are passed up from callee to callers, round by round, until next to nothing is left on the way: calls in a ring
// pass on less each time around.
#include "profile/callgrind_owner.h"

#include "profile/demangle.h"
#include "profile/profile_inside.h"

#include "base/mem.h"
#include "base/str.h"

#include <string.h>

#define ROUNDS 200
#define REST   1e-4 // of all: what is not worth another round

struct passing {
    const struct callgrind *c;
    struct callgrind_owned *o;
    const struct callgrind_call *calls;
    size_t call_count;
    enum callgrind_event event;
    double *now, *next, *below; // below: what all calls of a function cost together
};

static void prepare(struct passing *w)
{
    size_t n = callgrind_function_count(w->c);
    memset(w->below, 0, n * sizeof(*w->below));
    for (size_t i = 0; i < w->call_count; i++)
        if (w->calls[i].caller != w->calls[i].callee)
            w->below[w->calls[i].callee] += (double)w->calls[i].cost[w->event];
    for (uint32_t f = 0; f < n; f++) {
        double self = (double)callgrind_function_at(w->c, f)->self[w->event];
        bool own = w->o->kinds[f] == CRATE_PROJECT;
        w->now[f] = own ? 0 : self;
        w->o->cost[f][w->event] = own ? self : 0;
    }
}

// What is still on its way after one round.
static double pass(struct passing *w)
{
    size_t n = callgrind_function_count(w->c);
    double left = 0;
    memset(w->next, 0, n * sizeof(*w->next));
    for (size_t i = 0; i < w->call_count; i++) {
        const struct callgrind_call *call = &w->calls[i];
        if (call->caller == call->callee || w->below[call->callee] <= 0)
            continue;
        double part = w->now[call->callee] * (double)call->cost[w->event] / w->below[call->callee];
        if (w->o->kinds[call->caller] == CRATE_PROJECT)
            w->o->cost[call->caller][w->event] += part;
        else
            w->next[call->caller] += part;
    }
    for (uint32_t f = 0; f < n; f++) {
        if (w->below[f] <= 0)
            w->o->unowned[w->event] += w->now[f];
        left += w->next[f];
        w->now[f] = w->next[f];
    }
    return left;
}

struct callgrind_owned *callgrind_owned_new(const struct callgrind *c, const struct profile *p)
{
    size_t n = callgrind_function_count(c);
    struct callgrind_owned *o = mem_alloc(sizeof(*o));
    o->count = n;
    o->kinds = mem_array(n, sizeof(*o->kinds));
    o->names = mem_array(n, sizeof(*o->names));
    o->cost = mem_array(n, sizeof(*o->cost));
    for (uint32_t f = 0; f < n; f++) {
        const struct callgrind_function *function = callgrind_function_at(c, f);
        o->names[f] = demangle(function->name);
        o->kinds[f] = profile_kind(p, function->object, function->file, o->names[f]);
    }
    struct passing w = {.c = c, .o = o};
    w.calls = callgrind_calls(c, &w.call_count);
    w.now = mem_array(n, sizeof(double));
    w.next = mem_array(n, sizeof(double));
    w.below = mem_array(n, sizeof(double));
    for (w.event = 0; w.event < CALLGRIND_EVENTS; w.event++) {
        double all = (double)callgrind_total(c, w.event), left = all;
        prepare(&w);
        for (int round = 0; round < ROUNDS && left > REST * all; round++)
            left = pass(&w);
        o->unowned[w.event] += left;
    }
    mem_free(w.now);
    mem_free(w.next);
    mem_free(w.below);
    return o;
}

struct callgrind_owned *callgrind_owned_free(struct callgrind_owned *o)
{
    if (!o)
        return NULL;
    for (size_t i = 0; i < o->count; i++)
        mem_free(o->names[i]);
    mem_free(o->names);
    mem_free(o->kinds);
    mem_free(o->cost);
    mem_free(o);
    return NULL;
}

uint32_t *callgrind_find(const struct callgrind_owned *o, const char *function, enum crate_kind kind, size_t *ret_count)
{
    VEC(uint32_t) found = {0};
    for (uint32_t f = 0; f < o->count; f++) {
        if (o->kinds[f] != kind)
            continue;
        if (str_starts(o->names[f], function) && demangle_outer(o->names[f]) == strlen(function))
            vec_push(&found, f);
    }
    *ret_count = found.len;
    return found.items;
}
