#include "reviewer/project.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define WALK_DEPTH_MAX 32

static bool skip_folder(const char *name)
{
    return str_eq(name, ".git") || str_eq(name, "target") || str_eq(name, "node_modules");
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

// Names in a folder, sorted, so that reviews of the same tree are the same.
static char **list_folder(const char *path)
{
    VEC(char *) names = {0};
    DIR *d = opendir(path);
    struct dirent *e;
    while (d && names.len < PROJECT_FILES_MAX && (e = readdir(d)) != NULL)
        if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, ".."))
            vec_push(&names, str_dup(e->d_name));
    if (d)
        closedir(d);
    if (names.len > 0)
        qsort(names.items, names.len, sizeof(names.items[0]), by_text);
    vec_push(&names, NULL);
    return names.items;
}

void project_walk(const char *root, const char *below, int depth, project_path_fn *visit, void *user)
{
    AUTO_FREE char *folder = path_join(root, below);
    char **names = list_folder(folder);
    for (char **n = names; *n; n++) {
        AUTO_FREE char *path = path_join(folder, *n);
        AUTO_FREE char *relative = *below ? path_join(below, *n) : str_dup(*n);
        struct stat st;
        if (lstat(path, &st) < 0)
            continue;
        if (S_ISREG(st.st_mode))
            visit(user, relative);
        else if (S_ISDIR(st.st_mode) && depth > 0 && !skip_folder(*n))
            project_walk(root, relative, depth - 1, visit, user);
    }
    str_list_free(names);
}

// --- manifests ---

static int add_manifest(struct project *p, const char *path, struct err *err)
{
    const char *below = path_below(path, p->root);
    struct project_manifest m = {0};
    if (!below)
        return 0; // a workspace around the checkout: not ours
    for (size_t i = 0; i < p->manifests.len; i++)
        if (str_eq(p->manifests.items[i].file, below))
            return 0;
    char *text = NULL;
    size_t len = 0;
    int r = files_read(p->files, path, MANIFEST_MAX, &text, &len, err);
    if (r == 0)
        r = manifest_parse(text, len, path, &m.manifest, err);
    mem_free(text);
    if (r < 0)
        return r;
    m.file = str_dup(below);
    AUTO_FREE char *dir = path_dir(path);
    m.is_root = str_eq(dir, p->workspace);
    vec_push(&p->manifests, m);
    return 0;
}

const struct project_manifest *project_root_manifest(const struct project *p)
{
    for (size_t i = 0; i < p->manifests.len; i++)
        if (p->manifests.items[i].is_root)
            return &p->manifests.items[i];
    return NULL;
}

// --- sources ---

struct collect {
    struct project *p;
    char *package; // folder below the root, "" for the root itself
};

static bool in_other_package(const struct project *p, const char *package, const char *file)
{
    AUTO_FREE char *dir = path_dir(file);
    while (strlen(dir) > strlen(package) && !str_eq(dir, ".")) {
        AUTO_FREE char *manifest = path_join(dir, "Cargo.toml");
        AUTO_FREE char *path = path_join(p->root, manifest);
        if (file_exists(path))
            return true;
        path_up(&dir);
    }
    return false;
}

static void collect_source(void *user, const char *below)
{
    struct collect *c = user;
    if (!str_ends(below, ".rs") || c->p->sources.len >= PROJECT_FILES_MAX)
        return;
    const char *in_package = *c->package ? path_below(below, c->package) : below;
    static const char *const OUTSIDE[] = {"tests/", "benches/", "examples/", "fuzz/"};
    for (size_t i = 0; in_package && i < ARRAY_LEN(OUTSIDE); i++)
        if (str_starts(in_package, OUTSIDE[i]))
            return;
    if (!in_package || str_eq(in_package, "build.rs") || in_other_package(c->p, c->package, below))
        return;
    for (size_t i = 0; i < c->p->sources.len; i++)
        if (str_eq(c->p->sources.items[i], below))
            return;
    vec_push(&c->p->sources, str_dup(below));
}

static void collect_package(struct project *p, const char *manifest_path, const char *source_dir)
{
    AUTO_FREE char *dir = path_dir(manifest_path);
    const char *package = path_below(dir, p->root), *sources = path_below(source_dir, p->root);
    if (!package || !sources)
        return;
    struct collect c = {.p = p, .package = str_dup(package)};
    project_walk(p->root, sources, WALK_DEPTH_MAX, collect_source, &c);
    mem_free(c.package);
}

static void collect_member(struct project *p, const struct cargo_package *package)
{
    for (size_t i = 0; i < package->target_count; i++) {
        const struct cargo_target *t = &package->targets[i];
        if ((!str_eq(t->kind, "lib") && !str_eq(t->kind, "bin")) || t->proc_macro)
            continue;
        AUTO_FREE char *dir = path_dir(t->src_path);
        collect_package(p, package->manifest_path, dir);
    }
}

// Modules that are declared `#[cfg(test)] mod name;` take their files with them.
static void drop_test_modules(struct project *p, const char *file, const struct rust_items *items)
{
    AUTO_FREE char *dir = path_dir(file);
    const char *base = path_base(file);
    AUTO_FREE char *own = str_ndup(file, strlen(file) - 3); // without .rs
    bool is_mod = str_eq(base, "mod.rs") || str_eq(base, "lib.rs") || str_eq(base, "main.rs");
    for (size_t m = 0; m < items->test_module_count; m++) {
        AUTO_FREE char *at = path_join(is_mod ? dir : own, items->test_modules[m]);
        const char *stem = str_starts(at, "./") ? at + 2 : at;
        AUTO_FREE char *source = str_printf("%s.rs", stem);
        for (size_t i = 0; i < p->sources.len; i++) {
            char **s = &p->sources.items[i];
            if (*s && (str_eq(*s, source) || path_below(*s, stem))) {
                mem_free(*s);
                *s = NULL;
            }
        }
    }
}

static bool is_generated(const char *text, size_t len)
{
    AUTO_FREE char *head = str_ndup(text, len < 400 ? len : 400);
    return strstr(head, "@generated") || str_has_nocase(head, "automatically generated") ||
           str_has_nocase(head, "autogenerated") || str_has_nocase(head, "auto-generated");
}

static void drop_tests_and_generated(struct project *p)
{
    size_t bytes = 0;
    for (size_t i = 0; i < p->sources.len; i++) {
        if (!p->sources.items[i])
            continue;
        AUTO_FREE char *path = path_join(p->root, p->sources.items[i]);
        AUTO_FREE char *file = str_dup(p->sources.items[i]);
        char *text = NULL;
        size_t len = 0;
        bool large =
            files_read(p->files, path, PROJECT_SOURCE_MAX, &text, &len, NULL) < 0 || bytes + len > PROJECT_BYTES_MAX;
        bool generated = !large && is_generated(text, len);
        bytes += large ? 0 : len;
        struct source s;
        bool test = false;
        if (!large && !generated && source_open(file, text, len, &s, NULL) == 0) {
            test = s.items.is_test_file;
            drop_test_modules(p, file, &s.items);
            source_close(&s);
        }
        p->skipped_large += large;
        p->skipped_generated += generated;
        if (large || generated || test) {
            mem_free(p->sources.items[i]);
            p->sources.items[i] = NULL;
        }
        mem_free(text);
    }
    size_t kept = 0;
    for (size_t i = 0; i < p->sources.len; i++)
        if (p->sources.items[i])
            p->sources.items[kept++] = p->sources.items[i];
    p->sources.len = kept;
    if (kept > 0)
        qsort(p->sources.items, kept, sizeof(p->sources.items[0]), by_text);
}

int project_open(struct files *files, const char *root, const char *dir, const struct cargo_metadata *metadata,
                 struct project *ret, struct err *err)
{
    struct project p = {.files = files, .root = str_dup(root), .dir = str_dup(dir), .metadata = metadata};
    p.workspace = str_dup(metadata ? metadata->workspace_root : dir);
    AUTO_FREE char *own = path_join(dir, "Cargo.toml");
    AUTO_FREE char *top = path_join(p.workspace, "Cargo.toml");
    int r = file_exists(own) ? add_manifest(&p, own, err)
                             : err_set(err, ERR_NOT_FOUND, "there is no Cargo.toml in '%s'", dir);
    if (r == 0)
        r = add_manifest(&p, top, err);
    for (size_t i = 0; r == 0 && metadata && i < metadata->package_count; i++) {
        const struct cargo_package *package = &metadata->packages[i];
        if (!package->is_member || !path_below(package->manifest_path, dir))
            continue;
        r = add_manifest(&p, package->manifest_path, err);
        collect_member(&p, package);
    }
    if (r < 0) {
        project_close(&p);
        return r;
    }
    if (!metadata) {
        AUTO_FREE char *src = path_join(dir, "src");
        collect_package(&p, own, src);
    }
    drop_tests_and_generated(&p);
    *ret = p;
    return 0;
}

void project_close(struct project *p)
{
    for (size_t i = 0; i < p->manifests.len; i++) {
        mem_free(p->manifests.items[i].file);
        manifest_free(&p->manifests.items[i].manifest);
    }
    for (size_t i = 0; i < p->sources.len; i++)
        mem_free(p->sources.items[i]);
    vec_free(&p->manifests);
    vec_free(&p->sources);
    mem_free(p->root);
    mem_free(p->dir);
    mem_free(p->workspace);
    *p = (struct project){0};
}

void project_each_source(struct project *p, project_source_fn *visit, void *user)
{
    p->lines = 0;
    for (size_t i = 0; i < p->sources.len; i++) {
        AUTO_FREE char *path = path_join(p->root, p->sources.items[i]);
        char *text = NULL;
        size_t len = 0;
        struct source s;
        if (files_read(p->files, path, PROJECT_SOURCE_MAX, &text, &len, NULL) < 0)
            continue;
        if (source_open(p->sources.items[i], text, len, &s, NULL) == 0) {
            p->lines += s.t.lines;
            visit(user, &s);
            source_close(&s);
        }
        mem_free(text);
    }
}
