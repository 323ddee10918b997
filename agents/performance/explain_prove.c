// Trying what was proposed: default features first by what cargo would resolve, then everything by building and testing
// it.
#include "performance/explain.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "change/branch.h"
#include "change/change.h"
#include "performance/project.h"
#include "performance/tests.h"

#include <stdio.h>

#define FEATURES_TRIED_MAX 40 // declarations that are resolved anew

static bool is_over(const struct explain *x)
{
    return clock_mono_ns() > x->deadline_ns;
}

// --- what is resolved ---

// {"NAME VERSION": [features]} of all that is compiled for the members.
static json_t *resolved_new(const struct cargo_metadata *m)
{
    json_t *set = json_object();
    bool *used = cargo_reachable_new(m, CARGO_USE_NORMAL | CARGO_USE_BUILD);
    size_t i;
    json_t *node;
    json_array_foreach (json_list(json_obj(m->root, "resolve"), "nodes"), i, node)
        for (size_t p = 0; p < m->package_count; p++) {
            AUTO_FREE char *label = str_printf("%s %s", m->packages[p].name, m->packages[p].version);
            if (used[p] && str_eq(m->packages[p].id, json_str(node, "id", "")))
                json_put(set, label, json_deep_copy(json_list(node, "features")));
        }
    mem_free(used);
    return set;
}

// What `after` has less: packages that are gone with the time they took, and features. Returns whether anything is.
static bool note_saved(const struct explain *x, const json_t *before, const json_t *after, json_t *row)
{
    json_t *gone = json_array(), *features;
    int64_t fewer = 0;
    double seconds = 0;
    const char *label;
    json_object_foreach ((json_t *)(uintptr_t)before, label, features) {
        const json_t *now = json_object_get(after, label);
        if (!now) {
            json_add_str(gone, label);
            seconds += json_num(x->packages, label, 0);
        } else {
            fewer += (int64_t)json_array_size(features) - (int64_t)json_array_size(now);
        }
    }
    bool any = fewer > 0 || json_array_size(gone) > 0;
    json_put_num(row, "saves_s", seconds);
    json_put_int(row, "fewer_features", fewer);
    json_put(row, "gone", gone);
    return any;
}

static int lay(struct explain *x, const json_t *candidates, json_t *touched, struct err *err)
{
    return change_lay(x->files, x->work_files, candidates, touched, err);
}

// What cargo would resolve with the candidate; 1 when it is less.
static int resolve_with(struct explain *x, json_t *candidate, const json_t *before, json_t *touched, json_t *row,
                        struct err *err)
{
    AUTO_JSON json_t *alone = json_array();
    AUTO_FREE char *project = job_project_in(x->job, "work");
    struct cargo_metadata m;
    json_array_append(alone, candidate);
    int r = lay(x, alone, touched, err);
    if (r == 0)
        r = project_metadata(x->job, project, &m, err);
    if (r < 0)
        return r;
    AUTO_JSON json_t *after = resolved_new(&m);
    cargo_metadata_free(&m);
    return note_saved(x, before, after, row);
}

static void take_features(struct explain *x, json_t *candidate, json_t *row, json_t *rows)
{
    char id[16];
    AUTO_FREE char *why = str_printf("%zu packages and %lld features are not compiled then; their units took %.1f s.",
                                     json_array_size(json_list(row, "gone")),
                                     (long long)json_int(row, "fewer_features", 0), json_num(row, "saves_s", 0));
    snprintf(id, sizeof(id), "B%zu", json_array_size(x->candidates) + 1);
    json_put_str(candidate, "id", id);
    json_put_str(candidate, "why", why);
    json_put_str(row, "candidate", id);
    json_put_flag(row, "proven", false);
    json_array_append(x->candidates, candidate);
    json_array_append(rows, row);
}

static bool is_superfluous(const struct explain *x, const json_t *feature_row)
{
    size_t i;
    json_t *row;
    json_array_foreach (json_list(x->report, "unused"), i, row)
        if (str_eq(json_str(row, "dependency", ""), json_str(feature_row, "dependency", "?")) &&
            str_eq(json_str(row, "package", ""), json_str(feature_row, "package", "?")))
            return true;
    return false;
}

int explain_features(struct explain *x, struct err *err)
{
    AUTO_JSON json_t *found = trim_defaults_new(&x->trim), *touched = json_object();
    AUTO_JSON json_t *before = resolved_new(&x->metadata);
    json_t *rows = json_array(), *row;
    size_t i;
    json_put(x->report, "features", rows);
    int r = branch_reset(job_exec(x->job), x->work, x->commit, err);
    json_array_foreach (found, i, row) {
        AUTO_FREE char *why = NULL;
        struct err refused = {0};
        if (r < 0 || i >= FEATURES_TRIED_MAX || is_over(x))
            break;
        if (is_superfluous(x, row)) // as a whole
            continue;
        AUTO_JSON json_t *candidate = trim_features_new(&x->trim, row, NULL, &why);
        job_progress(x->job, 0.45, "resolving %s without its default features", json_str(row, "dependency", "?"));
        json_put_str(candidate, "id", "B0");
        int less = candidate ? resolve_with(x, candidate, before, touched, row, &refused) : 0;
        if (less == -ERR_CANCELLED)
            r = err_set(err, refused.code, "%s", refused.text);
        else if (less > 0)
            take_features(x, candidate, row, rows);
    }
    AUTO_JSON json_t *nothing = json_array();
    return r == 0 ? lay(x, nothing, touched, err) : r;
}

// --- proving ---

struct proving {
    struct explain *x;
    struct tests tests;
    json_t *touched;
};

static int builds(struct explain *x, const char *root, char **ret_why, struct err *err)
{
    static const char *const WORDS[] = {"cargo", "check", "--workspace", "--all-targets", "--quiet", NULL};
    struct exec_result result = {0};
    int r = explain_cargo(x, root, "target-prove", WORDS, NULL, &result, err);
    if (r == 0 && result.exit_code != 0)
        *ret_why = str_printf("it does not build: %.300s", buf_str(&result.err));
    exec_result_free(&result);
    return r;
}

// *ret_why NULL: it holds. A refusal to lay it over the tree is a reason, too.
static int try_out(struct proving *p, const json_t *candidates, char **ret_why, struct err *err)
{
    struct explain *x = p->x;
    struct err why = {0};
    const char *below = path_below(x->metadata.workspace_root, x->checkout);
    AUTO_FREE char *root = path_join(x->work, below ? below : "");
    *ret_why = NULL;
    int r = lay(x, candidates, p->touched, &why);
    if (r < 0 && r != -ERR_CANCELLED) {
        *ret_why = str_dup(why.text);
        return 0;
    }
    if (r == 0)
        r = builds(x, root, ret_why, &why);
    if (r == 0 && !*ret_why)
        r = tests_check(x->job, root, x->cache, &p->tests, ret_why, &why);
    return r < 0 ? err_set(err, why.code, "%s", why.text) : 0;
}

static void settle(struct explain *x, const json_t *candidate, bool proven, const char *why)
{
    static const char *const LISTS[] = {"unused", "features"};
    json_put_flag(json_obj(candidate, "evidence"), "proven", proven);
    for (size_t l = 0; l < ARRAY_LEN(LISTS); l++) {
        size_t i;
        json_t *row;
        json_array_foreach (json_list(x->report, LISTS[l]), i, row) {
            if (!str_eq(json_str(row, "candidate", ""), json_str(candidate, "id", "?")))
                continue;
            json_put_flag(row, "proven", proven);
            json_put_str(row, "note", why);
        }
    }
}

static int prove_each(struct proving *p, struct err *err)
{
    struct explain *x = p->x;
    size_t i;
    json_t *c;
    int r = 0;
    json_array_foreach (x->candidates, i, c) {
        AUTO_FREE char *why = NULL;
        AUTO_JSON json_t *alone = json_array();
        json_array_append(alone, c);
        if (r < 0)
            break;
        if (is_over(x)) {
            settle(x, c, false, "not proven: the time budget was used up");
            continue;
        }
        job_progress(x->job, -1, "proving: %s", json_str(c, "title", ""));
        r = try_out(p, alone, &why, err);
        if (r == 0)
            settle(x, c, !why, why);
    }
    return r;
}

static int prove_all(struct proving *p, struct err *err)
{
    struct explain *x = p->x;
    AUTO_FREE char *why = NULL;
    size_t i;
    json_t *c;
    int r = tests_baseline(x->job, x->metadata.workspace_root, x->cache, &p->tests, err);
    if (r == 0 && p->tests.limit)
        explain_note(x, "proven by building all targets alone", p->tests.limit);
    job_progress(x->job, 0.6, "proving %zu removals together", json_array_size(x->candidates));
    if (r == 0)
        r = try_out(p, x->candidates, &why, err);
    if (r == 0 && why && json_array_size(x->candidates) > 1)
        return prove_each(p, err);
    json_array_foreach (x->candidates, i, c)
        if (r == 0)
            settle(x, c, !why, why);
    return r;
}

int explain_prove(struct explain *x, struct err *err)
{
    if (json_array_size(x->candidates) == 0)
        return 0;
    if (!x->prove || is_over(x)) {
        explain_note(x, "nothing was proven", x->prove ? "the time budget was used up" : "it was not asked for");
        return 0;
    }
    struct proving p = {.x = x, .touched = json_object()};
    int r = prove_all(&p, err);
    json_decref(p.touched);
    tests_free(&p.tests);
    return r == 0 ? branch_reset(job_exec(x->job), x->work, x->commit, err) : r;
}
