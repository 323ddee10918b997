#include "profile/ranking.h"

#include "profile/demangle.h"
#include "profile/hot_walk.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_LEAST_PCT    0.5 // of a part that is named
#define SYSCALLS_LEAST     100 // fewer are no finding
#define SYSCALLS_LEAST_PCT 5.0
#define LOOP_LEAST         100 // calls in one call

struct counted {
    uint64_t called;
    double syscalls, syscalls_pct;
    uint64_t loop_count; // calls of loop_callee in one call of the function
    char *loop_callee;
};

struct row {
    struct hot_function hot;
    struct counted counted;
    uint32_t function;      // in the hot table
    double score, closures; // closures: what of `owned` is in them
};

static void find_loop(const struct callgrind *c, uint32_t f, struct counted *ret)
{
    const struct callgrind_call *calls;
    const struct callgrind_function *function = callgrind_function_at(c, f);
    size_t n = callgrind_calls_of(c, f, &calls);
    uint64_t most = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t each = calls[i].count / (function->called ? function->called : 1);
        if (each < LOOP_LEAST || calls[i].cost[CALLGRIND_INSTRUCTIONS] <= most)
            continue;
        most = calls[i].cost[CALLGRIND_INSTRUCTIONS];
        AUTO_FREE char *name = demangle(callgrind_function_at(c, calls[i].callee)->name);
        mem_free(ret->loop_callee);
        ret->loop_callee = demangle_short(name);
        ret->loop_count = each;
    }
}

static void count(const struct ranking_facts *facts, const struct hot_function *hot, struct counted *ret)
{
    size_t n = 0;
    *ret = (struct counted){0};
    if (!facts->counts || hot->kind != CRATE_PROJECT)
        return;
    uint32_t *found = callgrind_find(facts->owned, hot->function, hot->kind, &n); // closures are counted as it
    for (size_t i = 0; i < n; i++) {
        if (str_eq(facts->owned->names[found[i]], hot->function))
            ret->called += callgrind_function_at(facts->counts, found[i])->called;
        ret->syscalls += facts->owned->cost[found[i]][CALLGRIND_SYSCALLS];
        find_loop(facts->counts, found[i], ret);
    }
    double all = (double)callgrind_total(facts->counts, CALLGRIND_SYSCALLS);
    ret->syscalls_pct = all > 0 ? 100 * ret->syscalls / all : 0;
    mem_free(found);
}

// The kernel's time is the caller's too: by system calls, unless the samples show it.
static double score_of(const struct profile *p, const struct ranking_facts *facts, const struct row *row)
{
    double time = (double)facts->user_ns + (double)facts->sys_ns;
    if (row->hot.kind != CRATE_PROJECT)
        return row->hot.self_pct;
    if (p->kernel || !facts->counts || time <= 0)
        return row->hot.owned_pct;
    return (row->hot.owned_pct * (double)facts->user_ns + row->counted.syscalls_pct * (double)facts->sys_ns) / time;
}

static int by_score(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    bool own_x = x->hot.kind == CRATE_PROJECT && x->score > 0, own_y = y->hot.kind == CRATE_PROJECT && y->score > 0;
    if (own_x != own_y)
        return own_x ? -1 : 1;
    if (fabs(x->score - y->score) > 1e-9)
        return x->score > y->score ? -1 : 1;
    if (fabs(x->hot.total_pct - y->hot.total_pct) > 1e-9)
        return x->hot.total_pct > y->hot.total_pct ? -1 : 1;
    return strcmp(x->hot.function, y->hot.function);
}

// --- evidence ---

static void say_charged(const struct row *row, const json_t *charged, json_t *evidence)
{
    struct buf b = BUF_INIT;
    double rest = row->hot.owned_pct - row->hot.self_pct;
    size_t i;
    json_t *part;
    const char *separator = ": ";
    buf_printf(&b, "%.1f %% in its own code", row->hot.self_pct);
    if (row->closures >= SHOWN_LEAST_PCT)
        buf_printf(&b, " (%.1f %% of all this in closures in it)", row->closures);
    if (rest >= SHOWN_LEAST_PCT) {
        buf_printf(&b, ", %.1f %% in what it calls outside of the project", rest);
        json_array_foreach (json_list(charged, "below"), i, part) {
            if (json_num(part, "pct", 0) < SHOWN_LEAST_PCT)
                continue;
            buf_printf(&b, "%s%s %.1f %%", separator, json_str(part, "function", "?"), json_num(part, "pct", 0));
            separator = ", ";
        }
    }
    json_add_str(evidence, buf_str(&b));
    buf_free(&b);
}

static void say_doing(const json_t *charged, json_t *evidence)
{
    struct buf b = BUF_INIT;
    const char *name;
    json_t *pct;
    json_object_foreach (json_obj(charged, "doing"), name, pct) {
        if (json_number_value(pct) >= SHOWN_LEAST_PCT)
            buf_printf(&b, "%s%s %.1f %%", b.len ? ", " : "for ", name, json_number_value(pct));
    }
    if (b.len)
        json_add_str(evidence, buf_str(&b));
    buf_free(&b);
}

static void say_counts(const struct ranking_facts *facts, const struct row *row, json_t *evidence)
{
    double time = (double)facts->user_ns + (double)facts->sys_ns;
    struct buf b = BUF_INIT;
    const struct counted *c = &row->counted;
    if (c->syscalls >= SYSCALLS_LEAST && c->syscalls_pct >= SYSCALLS_LEAST_PCT) {
        buf_grouped(&b, c->syscalls);
        buf_printf(&b, " system calls below it, %.0f %% of all", c->syscalls_pct);
        if (time > 0)
            buf_printf(&b, "; the kernel took %.0f %% of the time", 100 * (double)facts->sys_ns / time);
        json_add_str(evidence, buf_str(&b));
        buf_clear(&b);
    }
    if (c->loop_callee) {
        buf_printf(&b, "loops: calls %s ", c->loop_callee);
        buf_grouped(&b, (double)c->loop_count);
        buf_str_add(&b, c->called > 1 ? " times in each of its " : " times in one call");
        if (c->called > 1) {
            buf_grouped(&b, (double)c->called);
            buf_str_add(&b, " calls");
        }
        json_add_str(evidence, buf_str(&b));
    } else if (c->called >= LOOP_LEAST) {
        buf_str_add(&b, "called ");
        buf_grouped(&b, (double)c->called);
        buf_str_add(&b, " times");
        json_add_str(evidence, buf_str(&b));
    }
    buf_free(&b);
}

static json_t *row_new(const struct ranking_facts *facts, const struct hot_charged *charged, const struct row *row,
                       size_t rank)
{
    const struct hot_function *h = &row->hot;
    json_t *o = hot_row_json_new(h), *evidence = json_array();
    AUTO_JSON json_t *what = hot_charged_row_new(charged, row->function);
    json_put_int(o, "rank", (int64_t)rank);
    json_put_num(o, "score", row->score);
    json_object_update(o, what);
    if (h->kind == CRATE_PROJECT)
        say_charged(row, what, evidence);
    say_doing(what, evidence);
    if (facts->counts && h->kind == CRATE_PROJECT) {
        json_put_int(o, "called", (int64_t)row->counted.called);
        json_put_num(o, "syscalls", row->counted.syscalls);
        json_put_num(o, "syscalls_pct", row->counted.syscalls_pct);
        say_counts(facts, row, evidence);
    }
    json_put(o, "evidence", evidence);
    return o;
}

// A closure is written inside of its function: one row.
static size_t merge_closures(const uint32_t *as, struct row *rows, size_t n, size_t functions)
{
    size_t *row_of = mem_array(functions, sizeof(*row_of)), kept = 0; // + 1; 0: none
    for (size_t i = 0; i < n; i++)
        row_of[rows[i].function] = i + 1;
    for (size_t i = 0; i < n; i++) {
        size_t to = row_of[as[rows[i].function]];
        if (as[rows[i].function] == rows[i].function || to == 0)
            continue;
        struct row *outer = &rows[to - 1];
        outer->hot.self_pct += rows[i].hot.self_pct;
        outer->hot.owned_pct += rows[i].hot.owned_pct;
        outer->closures += rows[i].hot.owned_pct;
        outer->hot.samples += rows[i].hot.samples;
        if (rows[i].hot.total_pct > outer->hot.total_pct)
            outer->hot.total_pct = rows[i].hot.total_pct;
        if (rows[i].hot.line_end > outer->hot.line_end && str_eq(rows[i].hot.file, outer->hot.file))
            outer->hot.line_end = rows[i].hot.line_end;
    }
    for (size_t i = 0; i < n; i++)
        if (as[rows[i].function] == rows[i].function || row_of[as[rows[i].function]] == 0)
            rows[kept++] = rows[i];
    mem_free(row_of);
    return kept;
}

json_t *ranking_new(const struct profile *p, const struct ranking_facts *facts, size_t max, size_t annotated)
{
    size_t n;
    struct hot_function *hot = hot_rank(p->hot, &n);
    struct row *rows = mem_array(n, sizeof(*rows));
    uint32_t *as = hot_outer_functions(p->hot);
    struct hot_charged *charged = hot_charged_new(p->hot, as);
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        rows[i] = (struct row){.hot = hot[i], .function = hot_function_find(p->hot, hot[i].function, hot[i].kind)};
    n = merge_closures(as, rows, n, hot_function_count(p->hot));
    for (size_t i = 0; i < n; i++) {
        if (rows[i].hot.total_pct >= 0.1) // the rest cannot come to the top
            count(facts, &rows[i].hot, &rows[i].counted);
        rows[i].score = score_of(p, facts, &rows[i]);
    }
    if (n)
        qsort(rows, n, sizeof(*rows), by_score);
    for (size_t i = 0; i < n && i < max; i++) {
        json_t *row = row_new(facts, charged, &rows[i], i + 1);
        if (annotated && rows[i].hot.file && rows[i].hot.kind == CRATE_PROJECT) {
            json_put(row, "lines", hot_lines_new(p->hot, as, rows[i].function));
            annotated--;
        }
        json_array_append_new(list, row);
    }
    for (size_t i = 0; i < n; i++)
        mem_free(rows[i].counted.loop_callee);
    hot_charged_free(charged);
    mem_free(as);
    mem_free(rows);
    mem_free(hot);
    return list;
}

// --- difference ---

struct pair {
    const struct hot_function *before, *after; // one may be NULL
    double change;
};

static double weight_of(const struct hot_function *f)
{
    return !f ? 0 : f->kind == CRATE_PROJECT ? f->owned_pct : f->self_pct;
}

static int by_change(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    double d = fabs(y->change) - fabs(x->change);
    return d < 0 ? -1 : d > 0 ? 1 : 0;
}

static json_t *side_new(const struct hot_function *f)
{
    json_t *o = json_object();
    json_put_num(o, "self_pct", f ? f->self_pct : 0);
    json_put_num(o, "owned_pct", f ? f->owned_pct : 0);
    json_put_num(o, "total_pct", f ? f->total_pct : 0);
    return o;
}

static json_t *pair_new(const struct pair *pair)
{
    const struct hot_function *f = pair->after ? pair->after : pair->before;
    json_t *o = json_object();
    AUTO_FREE char *brief = demangle_short(f->function);
    json_put(o, "function", json_text_new(f->function, strlen(f->function)));
    json_put(o, "short", json_text_new(brief, strlen(brief)));
    json_put(o, "file", f->file ? json_text_new(f->file, strlen(f->file)) : json_null());
    json_put_int(o, "line", f->line);
    json_put_str(o, "crate_kind", crate_kind_name(f->kind));
    json_put(o, "before", side_new(pair->before));
    json_put(o, "after", side_new(pair->after));
    json_put_num(o, "change_pct", pair->change);
    return o;
}

json_t *ranking_difference_new(const struct profile *before, const struct profile *after, size_t max)
{
    size_t n[2], count = 0;
    struct hot_function *rows[2] = {hot_rank(before->hot, &n[0]), hot_rank(after->hot, &n[1])};
    struct pair *pairs = mem_array(n[0] + n[1], sizeof(*pairs));
    uint32_t *at = mem_array(hot_function_count(before->hot), sizeof(*at)); // number of the pair + 1
    for (size_t i = 0; i < n[0]; i++) {
        uint32_t f = hot_function_find(before->hot, rows[0][i].function, rows[0][i].kind);
        pairs[count++].before = &rows[0][i];
        if (f != UINT32_MAX)
            at[f] = (uint32_t)count;
    }
    for (size_t i = 0; i < n[1]; i++) {
        uint32_t f = hot_function_find(before->hot, rows[1][i].function, rows[1][i].kind);
        struct pair *pair = f != UINT32_MAX && at[f] ? &pairs[at[f] - 1] : &pairs[count++];
        pair->after = &rows[1][i];
    }
    for (size_t i = 0; i < count; i++)
        pairs[i].change = weight_of(pairs[i].after) - weight_of(pairs[i].before);
    if (count)
        qsort(pairs, count, sizeof(*pairs), by_change);
    json_t *list = json_array();
    for (size_t i = 0; i < count && i < max; i++)
        json_array_append_new(list, pair_new(&pairs[i]));
    mem_free(at);
    mem_free(pairs);
    mem_free(rows[0]);
    mem_free(rows[1]);
    return list;
}
