#include "performance/candidates.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "change/change.h"
#include "performance/manifests.h"

#include <stdio.h>
#include <string.h>

static json_t *candidate_new(json_t *list, const char *kind, const char *scope, const char *title, const char *why)
{
    char id[16];
    snprintf(id, sizeof(id), "C%zu", json_array_size(list) + 1);
    json_t *c = json_object();
    json_put_str(c, "id", id);
    json_put_str(c, "kind", kind);
    json_put_str(c, "scope", scope);
    json_put_str(c, "title", title);
    json_put_str(c, "why", why);
    json_put(c, "evidence", json_object());
    json_array_append_new(list, c);
    return c;
}

// path: NULL-terminated keys.
static void set_value(json_t *candidate, const char *file, const char *const *path, const char *value)
{
    json_t *sets = json_list(candidate, "set");
    if (!sets) {
        json_put(candidate, "set", json_array());
        sets = json_list(candidate, "set");
    }
    json_t *set = json_object(), *keys = json_array();
    for (; *path; path++)
        json_add_str(keys, *path);
    json_put_str(set, "file", file);
    json_put(set, "path", keys);
    json_put_str(set, "value", value);
    json_array_append_new(sets, set);
}

// --- lint fixes ---

static void add_lints(json_t *list, const struct candidate_facts *f)
{
    size_t i, added = 0;
    json_t *finding;
    json_array_foreach (f->findings, i, finding) {
        const json_t *fix = json_obj(finding, "fix");
        double share = json_num(finding, "share_pct", 0);
        if (!str_eq(json_str(fix, "applicability", ""), "machine") || json_array_size(json_list(fix, "edits")) == 0 ||
            share < HOT_SHARE_MIN_PCT || !str_eq(json_str(finding, "scope", "runtime"), "runtime") ||
            added++ >= LINT_CANDIDATES_MAX)
            continue;
        const char *function = json_str(finding, "function", NULL);
        AUTO_FREE char *title = str_printf("fix %s in %s (%s:%d)", json_str(finding, "lint", "a lint"),
                                           function ? function : "the file", json_str(finding, "file", "?"),
                                           (int)json_int(finding, "line", 0));
        AUTO_FREE char *why = str_printf("%s. %.1f %% of the samples are charged to this function.",
                                         json_str(finding, "message", "clippy reports it"), share);
        json_t *c = candidate_new(list, "lint", "runtime", title, why);
        json_put(c, "edits", json_deep_copy(json_list(fix, "edits")));
        json_t *evidence = json_obj(c, "evidence");
        json_put_num(evidence, "share_pct", share);
        json_put_str(evidence, "finding", json_str(finding, "id", NULL));
        json_put_str(evidence, "lint", json_str(finding, "lint", NULL));
        json_put_str(evidence, "function", function);
    }
}

// --- release profile ---

static void add_setting(json_t *list, const char *manifest, const char *key, const char *value, const char *why,
                        const char *before)
{
    AUTO_FREE char *title = str_printf("%s = %s in the release profile", key, value);
    json_t *c = candidate_new(list, "profile", "runtime", title, why);
    const char *const path[] = {"profile", "release", key, NULL};
    set_value(c, manifest, path, value);
    json_put_str(json_obj(c, "evidence"), "before", before);
}

static void add_profile(json_t *list, const char *manifest_name, const struct profile *p)
{
    char before[32];
    if (!str_eq(p->opt_level, "3")) {
        snprintf(before, sizeof(before), "opt-level = %s", p->opt_level);
        add_setting(list, manifest_name, "opt-level", "3", "The release profile asks for less than full optimisation.", before);
    }
    if (p->codegen_units != 1) {
        snprintf(before, sizeof(before), "codegen-units = %d", p->codegen_units);
        add_setting(list, manifest_name, "codegen-units", "1", "One codegen unit lets the optimiser see a whole crate.", before);
    }
    snprintf(before, sizeof(before), "lto = %s", p->lto);
    if (!str_eq(p->lto, "thin") && !str_eq(p->lto, "fat"))
        add_setting(list, manifest_name, "lto", "\"thin\"", "Optimising across crates at link time.", before);
    if (!str_eq(p->lto, "fat"))
        add_setting(list, manifest_name, "lto", "\"fat\"", "Optimising across all crates as one.", before);
}

static void add_settings(json_t *list, const struct candidate_facts *f)
{
    AUTO_FREE char *path = path_join(f->metadata->workspace_root, "Cargo.toml");
    const char *below = path_below(path, f->checkout);
    struct manifest m;
    struct profile p;
    if (!below || manifests_read(f->files, path, &m, NULL) < 0)
        return;
    if (manifest_profile(&m, "release", &p, NULL) == 0)
        add_profile(list, below, &p);
    manifest_free(&m);
}

// --- build configuration ---

static void add_build_configuration(json_t *list, const struct candidate_facts *f)
{
    const char *below = path_below(f->metadata->workspace_root, f->checkout);
    AUTO_FREE char *file = path_join(below ? below : "", CHANGE_CONFIG_FILE);
    const json_t *sccache = json_obj(f->build, "sccache"), *linker = json_obj(f->build, "linker");
    if (json_flag(sccache, "available", false) && !json_flag(sccache, "configured", false)) {
        json_t *c = candidate_new(list, "build", "build", "sccache as rustc-wrapper",
                                  "Clean builds take from a cache what was compiled before and did not change. Every machine that builds the "
                                  "project needs sccache then.");
        const char *const path[] = {"build", "rustc-wrapper", NULL};
        set_value(c, file, path, CHANGE_WRAPPER);
        json_put_str(json_obj(c, "evidence"), "measure", "clean");
    }
    const char *mold = json_str(linker, "mold", NULL), *target = json_str(linker, "target", NULL);
    if (mold && target && !json_flag(linker, "configured", false)) {
        json_t *c = candidate_new(list, "build", "build", "mold as linker",
                                  "Linking is part of every rebuild. Every machine that builds the project needs mold then.");
        const char *const path[] = {"target", target, "rustflags", NULL};
        set_value(c, file, path, CHANGE_LINKER);
        json_put_str(json_obj(c, "evidence"), "measure", "relink");
    }
}

static bool is_shipped(const json_t *target)
{
    static const char *const SHIPPED[] = {"bin", "cdylib", "staticlib"};
    const json_t *kinds = json_list(target, "kind");
    for (size_t i = 0; i < json_array_size(kinds); i++)
        for (size_t k = 0; k < ARRAY_LEN(SHIPPED); k++)
            if (str_eq(json_string_value(json_array_get(kinds, i)), SHIPPED[k]))
                return true;
    return false;
}

bool candidates_library_only(const struct cargo_metadata *metadata)
{
    size_t i, k;
    json_t *package, *target;
    json_array_foreach (json_list(metadata->root, "packages"), i, package) {
        if (json_str(package, "source", NULL)) // null for packages of the workspace and other folders
            continue;
        json_array_foreach (json_list(package, "targets"), k, target)
            if (is_shipped(target))
                return false;
    }
    return true;
}

json_t *candidates_new(const struct candidate_facts *facts)
{
    json_t *list = json_array();
    if (facts->runtime) {
        add_lints(list, facts);
        if (!facts->is_library)
            add_settings(list, facts);
    }
    if (facts->build_speed)
        add_build_configuration(list, facts);
    return list;
}

json_t *release_profile_new(struct files *files, const char *workspace_root)
{
    AUTO_FREE char *path = path_join(workspace_root, "Cargo.toml");
    struct manifest m;
    if (manifests_read(files, path, &m, NULL) < 0)
        return json_object();
    const json_t *release = json_obj(json_obj(m.root, "profile"), "release");
    json_t *copy = release ? json_deep_copy(release) : json_object();
    manifest_free(&m);
    return copy;
}
