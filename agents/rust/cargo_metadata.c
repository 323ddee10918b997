#include "rust/cargo_metadata.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"

#include <string.h>

static const char *target_kind(const json_t *target, bool *proc_macro)
{
    const char *kind = "lib"; // every crate type of a library counts as "lib"
    size_t i;
    json_t *v;
    json_array_foreach (json_list(target, "kind"), i, v) {
        const char *s = json_string_value(v);
        if (str_eq(s, "proc-macro"))
            *proc_macro = true;
        if (str_eq(s, "bin") || str_eq(s, "example") || str_eq(s, "bench") || str_eq(s, "test") ||
            str_eq(s, "custom-build"))
            kind = s;
    }
    return kind;
}

static int read_targets(const json_t *json, struct cargo_package *p, struct err *err)
{
    const json_t *list = json_list(json, "targets");
    size_t i, n = json_array_size(list);
    if (n > CARGO_TARGETS_MAX)
        return err_set(err, ERR_LIMIT, "package '%s' has %zu targets (maximum %zu)", p->name, n, CARGO_TARGETS_MAX);
    p->targets = mem_array(n, sizeof(p->targets[0]));
    json_t *v;
    json_array_foreach (list, i, v) {
        struct cargo_target *t = &p->targets[p->target_count++];
        t->name = json_str(v, "name", "");
        t->src_path = json_str(v, "src_path", "");
        t->kind = target_kind(v, &t->proc_macro);
    }
    return 0;
}

static void read_dependencies(const json_t *json, struct cargo_package *p)
{
    const json_t *list = json_list(json, "dependencies");
    p->dependencies = mem_array(json_array_size(list), sizeof(p->dependencies[0]));
    size_t i;
    json_t *v;
    json_array_foreach (list, i, v) {
        struct cargo_dependency *d = &p->dependencies[p->dependency_count++];
        d->name = json_str(v, "name", "");
        d->kind = json_str(v, "kind", "normal");
        d->requirement = json_str(v, "req", "*");
        d->default_features = json_flag(v, "uses_default_features", true);
        d->optional = json_flag(v, "optional", false);
        d->features = json_list(v, "features");
    }
}

static int read_package(const json_t *json, const json_t *members, struct cargo_package *p, struct err *err)
{
    struct cargo_package out = {0};
    int r = json_need_str(json, "id", "package in cargo metadata", &out.id, err);
    if (r == 0)
        r = json_need_str(json, "name", "package in cargo metadata", &out.name, err);
    if (r == 0)
        r = json_need_str(json, "manifest_path", "package in cargo metadata", &out.manifest_path, err);
    if (r < 0)
        return r;
    out.version = json_str(json, "version", "");
    out.edition = json_str(json, "edition", "2015");
    out.is_local = !json_str(json, "source", NULL);
    out.features = json_obj(json, "features");
    out.is_member = json_object_get(members, out.id) != NULL;
    *p = out;
    read_dependencies(json, p);
    return read_targets(json, p, err);
}

static unsigned use_kinds(const json_t *dep)
{
    unsigned flags = 0;
    size_t i;
    json_t *v;
    json_array_foreach (json_list(dep, "dep_kinds"), i, v) {
        const char *kind = json_str(v, "kind", "normal");
        flags |= str_eq(kind, "dev") ? CARGO_USE_DEV : str_eq(kind, "build") ? CARGO_USE_BUILD : CARGO_USE_NORMAL;
    }
    return flags ? flags : CARGO_USE_NORMAL;
}

static void read_node(const json_t *node, const json_t *index, struct cargo_metadata *m)
{
    const json_t *at = json_object_get(index, json_str(node, "id", ""));
    if (!at)
        return;
    struct cargo_package *p = &m->packages[json_integer_value(at)];
    if (p->uses)
        return; // a second node of the same package: the first counts
    const json_t *deps = json_list(node, "deps");
    p->uses = mem_array(json_array_size(deps) + 1, sizeof(p->uses[0]));
    p->use_flags = mem_array(json_array_size(deps) + 1, 1);
    size_t i;
    json_t *v;
    json_array_foreach (deps, i, v) {
        const json_t *to = json_object_get(index, json_str(v, "pkg", ""));
        if (!to)
            continue;
        p->uses[p->use_count] = (size_t)json_integer_value(to);
        p->use_flags[p->use_count++] = (unsigned char)use_kinds(v);
    }
}

static void read_resolve(struct cargo_metadata *m)
{
    const json_t *nodes = json_list(json_obj(m->root, "resolve"), "nodes");
    m->resolved = nodes != NULL;
    AUTO_JSON json_t *index = json_object();
    for (size_t i = 0; i < m->package_count; i++)
        json_put_int(index, m->packages[i].id, (int64_t)i);
    size_t i;
    json_t *v;
    json_array_foreach (nodes, i, v)
        read_node(v, index, m);
}

static int read_all(struct cargo_metadata *m, struct err *err)
{
    const json_t *packages = json_list(m->root, "packages");
    int r = json_need_str(m->root, "workspace_root", "cargo metadata", &m->workspace_root, err);
    if (r == 0)
        r = json_need_str(m->root, "target_directory", "cargo metadata", &m->target_directory, err);
    if (r < 0)
        return r;
    if (!packages)
        return err_set(err, ERR_INVALID, "cargo metadata: 'packages' must be an array");
    if (json_array_size(packages) > CARGO_PACKAGES_MAX)
        return err_set(err, ERR_LIMIT, "cargo metadata names %zu packages (maximum %zu)", json_array_size(packages),
                       CARGO_PACKAGES_MAX);
    AUTO_JSON json_t *members = json_object();
    size_t i;
    json_t *v;
    json_array_foreach (json_list(m->root, "workspace_members"), i, v)
        if (json_is_string(v))
            json_put(members, json_string_value(v), json_true());
    m->packages = mem_array(json_array_size(packages), sizeof(m->packages[0]));
    json_array_foreach (packages, i, v) {
        struct cargo_package *p = &m->packages[m->package_count++];
        r = read_package(v, members, p, err);
        if (r < 0)
            return r;
        m->member_count += p->is_member ? 1 : 0;
    }
    read_resolve(m);
    return 0;
}

int cargo_metadata_parse(const char *text, size_t len, struct cargo_metadata *ret, struct err *err)
{
    struct err own;
    struct cargo_metadata m = {.root = json_parse_new(text, len, "the output of cargo metadata", &own)};
    int r = m.root ? read_all(&m, &own) : -(int)own.code;
    if (r < 0) {
        cargo_metadata_free(&m);
        return err_set(err, own.code, "%s", own.text);
    }
    *ret = m;
    return 0;
}

void cargo_metadata_free(struct cargo_metadata *m)
{
    for (size_t i = 0; i < m->package_count; i++) {
        mem_free(m->packages[i].targets);
        mem_free(m->packages[i].dependencies);
        mem_free(m->packages[i].uses);
        mem_free(m->packages[i].use_flags);
    }
    mem_free(m->packages);
    json_decref(m->root);
    *m = (struct cargo_metadata){0};
}

const char **cargo_metadata_argv(const struct cargo_metadata_options *options)
{
    const char **argv = mem_array(12, sizeof(argv[0]));
    size_t n = 0;
    argv[n++] = "cargo";
    argv[n++] = "metadata";
    argv[n++] = "--format-version";
    argv[n++] = "1";
    if (options->locked)
        argv[n++] = "--locked";
    if (options->offline)
        argv[n++] = "--offline";
    if (options->no_deps)
        argv[n++] = "--no-deps";
    if (options->platform) {
        argv[n++] = "--filter-platform";
        argv[n++] = options->platform;
    }
    return argv;
}

const struct cargo_package *cargo_package_of_path(const struct cargo_metadata *m, const char *path)
{
    const struct cargo_package *best = NULL;
    size_t best_len = 0;
    for (size_t i = 0; i < m->package_count; i++) {
        const struct cargo_package *p = &m->packages[i];
        if (!p->is_member)
            continue;
        char *dir = path_dir(p->manifest_path);
        size_t len = strlen(dir);
        if (path_below(path, dir) && len >= best_len) {
            best = p;
            best_len = len;
        }
        mem_free(dir);
    }
    return best;
}

bool *cargo_reachable_new(const struct cargo_metadata *m, unsigned kinds)
{
    bool *marked = mem_array(m->package_count + 1, sizeof(bool));
    VEC(size_t) todo = {0};
    for (size_t i = 0; i < m->package_count; i++) {
        if (!m->packages[i].is_member)
            continue;
        marked[i] = true;
        vec_push(&todo, i);
    }
    while (todo.len > 0) {
        const struct cargo_package *p = &m->packages[todo.items[--todo.len]];
        unsigned allowed = p->is_member ? kinds : kinds & ~(unsigned)CARGO_USE_DEV;
        for (size_t i = 0; i < p->use_count; i++) {
            if (!(p->use_flags[i] & allowed) || marked[p->uses[i]])
                continue;
            marked[p->uses[i]] = true;
            vec_push(&todo, p->uses[i]);
        }
    }
    vec_free(&todo);
    return marked;
}

bool cargo_package_has_target(const struct cargo_package *p, const char *kind)
{
    for (size_t i = 0; i < p->target_count; i++)
        if (str_eq(p->targets[i].kind, kind))
            return true;
    return false;
}
