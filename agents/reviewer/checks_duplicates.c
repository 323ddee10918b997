// Duplicate dependencies, from the resolved graph of `cargo metadata` for this platform: two versions of one crate that
// are both built for the project (normal and build dependencies, not dev). Precision: reported only when an older
// version comes in through a crate that the project itself depends on (or directly), so that there is something to do;
// deeper ones are counted. Old versions that only re-export the new one are not duplicates.
#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "reviewer/checks_project.h"

#include <stdlib.h>
#include <string.h>

#define DUPLICATES_MAX 10 // findings; the rest is counted
#define USERS_MAX      3  // named per version

struct node {
    const struct cargo_package *package;
    size_t index;
};

static int by_name_then_version(const void *a, const void *b)
{
    const struct node *x = a, *y = b;
    int r = strcmp(x->package->name, y->package->name);
    return r != 0 ? r : strverscmp(x->package->version, y->package->version);
}

static bool is_used_by(const struct cargo_package *user, size_t index)
{
    for (size_t k = 0; k < user->use_count; k++)
        if (user->uses[k] == index && (user->use_flags[k] & (CARGO_USE_NORMAL | CARGO_USE_BUILD)))
            return true;
    return false;
}

// The member that has this package as a direct dependency, or NULL.
static const struct cargo_package *member_using(const struct cargo_metadata *m, size_t index)
{
    for (size_t i = 0; i < m->package_count; i++)
        if (m->packages[i].is_member && is_used_by(&m->packages[i], index))
            return &m->packages[i];
    return NULL;
}

static void list_users(const struct cargo_metadata *m, const bool *reached, size_t index, struct buf *out)
{
    size_t n = 0;
    for (size_t i = 0; i < m->package_count; i++) {
        if (!reached[i] || !is_used_by(&m->packages[i], index))
            continue;
        if (n < USERS_MAX)
            buf_printf(out, "%s%s", n ? ", " : " (by ", m->packages[i].name);
        n++;
    }
    if (n > USERS_MAX)
        buf_printf(out, " and %zu more", n - USERS_MAX);
    if (n > 0)
        buf_str_add(out, ")");
}

struct way { // how the older version comes in
    const struct cargo_package *member;
    const struct cargo_package *through; // the direct dependency to change; the package itself when direct
};

static bool find_way(const struct cargo_metadata *m, const bool *reached, size_t index, struct way *ret)
{
    ret->member = member_using(m, index);
    ret->through = &m->packages[index];
    if (ret->member)
        return true;
    for (size_t i = 0; i < m->package_count; i++) {
        if (!reached[i] || !is_used_by(&m->packages[i], index))
            continue;
        ret->member = member_using(m, i);
        ret->through = &m->packages[i];
        if (ret->member)
            return true;
    }
    return false;
}

// An old version that depends on a newer one of itself only hands its items on: nothing is compiled twice.
static bool hands_on(const struct node *nodes, size_t first, size_t end)
{
    for (size_t i = first; i < end; i++)
        for (size_t k = first; k < end; k++)
            if (i != k && is_used_by(nodes[i].package, nodes[k].index))
                return true;
    return false;
}

struct line_search {
    const char *name;
    const struct manifest *manifest;
    int line;
};

static void search_line(void *user, const struct manifest_dependency *d)
{
    struct line_search *s = user;
    if (str_eq(d->package, s->name) && !s->line)
        s->line = manifest_line(s->manifest, d->toml_path);
}

static void report(const struct project *p, struct findings *f, const struct way *way, const char *name,
                   size_t versions, const char *list)
{
    const char *file = path_below(way->member->manifest_path, p->root);
    struct place at = {.file = file ? file : "Cargo.toml", .line = 1, .column = 1};
    for (size_t i = 0; i < p->manifests.len; i++) {
        const struct project_manifest *m = &p->manifests.items[i];
        struct line_search search = {.name = way->through->name, .manifest = &m->manifest};
        if (!str_eq(m->file, file))
            continue;
        manifest_dependencies(&m->manifest, search_line, &search);
        at.line = search.line > 0 ? (uint32_t)search.line : 1;
    }
    AUTO_FREE char *suggestion =
        str_printf("bring the versions together: update `%s` where possible", way->through->name);
    finding_add(f, CHECK_DUPLICATE_DEPENDENCY, &at, suggestion, "`%s` is built in %zu versions: %s", name, versions,
                list);
}

size_t check_duplicates(const struct project *p, struct findings *f)
{
    const struct cargo_metadata *m = p->metadata;
    if (!m || !m->resolved)
        return 0;
    bool *reached = cargo_reachable_new(m, CARGO_USE_NORMAL | CARGO_USE_BUILD);
    struct node *nodes = mem_array(m->package_count + 1, sizeof(nodes[0]));
    size_t count = 0, left_out = 0, added = 0;
    for (size_t i = 0; i < m->package_count; i++)
        if (reached[i] && !m->packages[i].is_local)
            nodes[count++] = (struct node){.package = &m->packages[i], .index = i};
    qsort(nodes, count, sizeof(nodes[0]), by_name_then_version);
    for (size_t i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && str_eq(nodes[end].package->name, nodes[i].package->name);)
            end++;
        if (end - i < 2 || hands_on(nodes, i, end))
            continue;
        struct way way = {0};
        bool found = false;
        struct buf list = BUF_INIT;
        for (size_t k = i; k < end; k++) {
            buf_printf(&list, "%s%s", k > i ? ", " : "", nodes[k].package->version);
            list_users(m, reached, nodes[k].index, &list);
            if (k + 1 < end && !found)
                found = find_way(m, reached, nodes[k].index, &way);
        }
        if (found && added < DUPLICATES_MAX) {
            report(p, f, &way, nodes[i].package->name, end - i, buf_str(&list));
            added++;
        } else {
            left_out++;
        }
        buf_free(&list);
    }
    mem_free(nodes);
    mem_free(reached);
    return left_out;
}
