#include "buildinfo/toolchain.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "buildinfo/pulled_in.h"
#include "toml/toml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *run_text(struct exec_context *exec, const char *dir, const char *const *argv)
{
    struct exec_result result = {0};
    char *text = NULL;
    if (exec_check(exec, &(struct exec_call){.argv = argv, .cwd = dir}, &result, NULL) == 0)
        text = str_dup(buf_str(&result.out));
    exec_result_free(&result);
    return text;
}

// Value of a "key: value" line; owned by the caller.
static char *field(const char *text, const char *key)
{
    char **lines = str_split(text, "\n", true, NULL);
    char *value = NULL;
    for (char **l = lines; *l && !value; l++)
        if (str_starts(*l, key))
            value = str_dup(str_trim(*l + strlen(key)));
    str_list_free(lines);
    return value;
}

json_t *toolchain_new(struct exec_context *exec, const char *dir)
{
    json_t *v = json_object();
    AUTO_FREE char *rustc = run_text(exec, dir, (const char *const[]){"rustc", "-vV", NULL});
    AUTO_FREE char *cargo = run_text(exec, dir, (const char *const[]){"cargo", "--version", NULL});
    if (!rustc) // the policy may allow only cargo: it tells the same
        rustc = run_text(exec, dir, (const char *const[]){"cargo", "rustc", "--", "-vV", NULL});
    AUTO_FREE char *target = rustc ? field(rustc, "host: ") : NULL;
    AUTO_FREE char *llvm = rustc ? field(rustc, "LLVM version: ") : NULL;
    if (rustc)
        rustc[strcspn(rustc, "\n")] = '\0';
    json_put_str(v, "rustc", rustc);
    json_put_str(v, "cargo", cargo ? str_trim(cargo) : NULL);
    json_put_str(v, "target", target);
    json_put_str(v, "llvm", llvm);
    return v;
}

// Calls visit for .cargo/config.toml (or .cargo/config) of dir and all its parents.
static void each_config(const char *dir, void (*visit)(void *user, const json_t *config), void *user)
{
    AUTO_FREE char *at = str_dup(dir);
    do {
        static const char *const NAMES[] = {".cargo/config.toml", ".cargo/config"};
        for (size_t i = 0; i < ARRAY_LEN(NAMES); i++) {
            AUTO_FREE char *path = path_join(at, NAMES[i]);
            AUTO_JSON json_t *config = file_exists(path) ? toml_read_file_new(path, NULL) : NULL;
            if (config)
                visit(user, config);
        }
    } while (path_up(&at));
}

struct configured {
    bool wrapper, linker;
};

static void look(void *user, const json_t *config)
{
    struct configured *c = user;
    if (json_object_get(json_obj(config, "build"), "rustc-wrapper"))
        c->wrapper = true;
    if (json_object_get(json_obj(config, "build"), "rustflags"))
        c->linker = true; // target flags of ours would hide these: left alone
    void *at = json_object_iter(json_obj(config, "target"));
    for (; at; at = json_object_iter_next(json_obj(config, "target"), at)) {
        const json_t *target = json_object_iter_value(at);
        if (json_object_get(target, "linker") || json_object_get(target, "rustflags"))
            c->linker = true;
    }
}

// Since 1.90 the stable compiler links x86_64 Linux programs with the lld it brings.
static bool links_with_own_lld(const json_t *toolchain)
{
    unsigned major = 0, minor = 0;
    return sscanf(json_str(toolchain, "rustc", ""), "rustc %u.%u", &major, &minor) == 2 && (major > 1 || minor >= 90) &&
           str_eq(json_str(toolchain, "target", ""), "x86_64-unknown-linux-gnu");
}

json_t *build_tools_new(const char *root, const json_t *toolchain)
{
    struct configured c = {.wrapper = getenv("RUSTC_WRAPPER") != NULL, .linker = getenv("RUSTFLAGS") != NULL};
    each_config(root, look, &c);
    AUTO_FREE char *sccache = path_find_program("sccache");
    AUTO_FREE char *mold = path_find_program("mold");
    AUTO_FREE char *lld = path_find_program("ld.lld");
    json_t *v = json_object(), *cache = json_object(), *linker = json_object();
    json_put_flag(cache, "available", sccache != NULL);
    json_put_flag(cache, "configured", c.wrapper);
    json_put(v, "sccache", cache);
    json_put_str(linker, "target", json_str(toolchain, "target", NULL));
    json_put_str(linker, "mold", mold);
    json_put_str(linker, "lld", lld);
    json_put_flag(linker, "configured", c.linker);
    json_put_str(linker, "default", links_with_own_lld(toolchain) ? "rust-lld" : "cc");
    json_put(v, "linker", linker);
    return v;
}

json_t *duplicates_new(const struct cargo_metadata *m)
{
    bool *used = cargo_reachable_new(m, CARGO_USE_NORMAL | CARGO_USE_BUILD);
    AUTO_JSON json_t *names = json_object();
    for (size_t i = 0; i < m->package_count; i++) {
        if (!used[i])
            continue;
        json_t *versions = json_list(names, m->packages[i].name);
        if (!versions) {
            json_put(names, m->packages[i].name, json_array());
            versions = json_list(names, m->packages[i].name);
        }
        json_add_str(versions, m->packages[i].version);
    }
    mem_free(used);
    return of_several_versions_new(names);
}

json_t *features_new(const struct cargo_metadata *m)
{
    json_t *list = json_array();
    for (size_t i = 0; i < m->package_count; i++) {
        const struct cargo_package *p = &m->packages[i];
        if (!p->is_member)
            continue;
        json_t *row = json_object(), *dependencies = json_array();
        json_t *on = json_list(p->features, "default");
        json_put_str(row, "package", p->name);
        json_put_int(row, "features", (int64_t)json_object_size(p->features));
        json_put(row, "default", on ? json_deep_copy(on) : json_array());
        for (size_t d = 0; d < p->dependency_count; d++) {
            const struct cargo_dependency *dep = &p->dependencies[d];
            if (!str_eq(dep->kind, "normal") || dep->optional)
                continue;
            json_t *entry = json_object();
            json_put_str(entry, "name", dep->name);
            json_put_flag(entry, "default_features", dep->default_features);
            json_put(entry, "features", dep->features ? json_deep_copy(dep->features) : json_array());
            json_array_append_new(dependencies, entry);
        }
        json_put(row, "dependencies", dependencies);
        json_array_append_new(list, row);
    }
    return list;
}
