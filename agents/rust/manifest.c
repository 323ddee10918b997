#include "rust/manifest.h"

#include "base/mem.h"
#include "base/str.h"
#include "toml/toml.h"

#include <stdio.h>
#include <string.h>

#define INHERITS_MAX 8 // cargo refuses cycles; we stop

int manifest_parse(const char *text, size_t len, const char *path, struct manifest *ret, struct err *err)
{
    if (len > MANIFEST_MAX)
        return err_set(err, ERR_LIMIT, "'%s' is larger than %zu bytes", path, MANIFEST_MAX);
    json_t *root = toml_parse_new(text, len, path, err);
    if (!root)
        return err ? -(int)err->code : -ERR_PARSE;
    *ret = (struct manifest){.path = str_dup(path), .text = str_ndup(text, len), .len = len, .root = root};
    return 0;
}

void manifest_free(struct manifest *m)
{
    mem_free(m->path);
    mem_free(m->text);
    json_decref(m->root);
    *m = (struct manifest){0};
}

int manifest_line(const struct manifest *m, const char *toml_path)
{
    int line = toml_line_near(m->text, m->len, toml_path);
    return line > 0 ? line : 1;
}

static void put_text(char *out, size_t size, const json_t *v)
{
    if (json_is_string(v))
        snprintf(out, size, "%s", json_string_value(v));
    else if (json_is_integer(v))
        snprintf(out, size, "%lld", (long long)json_integer_value(v));
    else if (json_is_boolean(v))
        snprintf(out, size, "%s", json_is_true(v) ? "true" : "false");
}

static void read_settings(const json_t *table, struct profile *p)
{
    const json_t *v = json_object_get(table, "opt-level");
    if (v) {
        put_text(p->opt_level, sizeof(p->opt_level), v);
        p->opt_level_set = true;
    }
    v = json_object_get(table, "lto");
    if (v) {
        put_text(p->lto, sizeof(p->lto), v);
        if (str_eq(p->lto, "true"))
            snprintf(p->lto, sizeof(p->lto), "fat");
        p->lto_set = true;
    }
    v = json_object_get(table, "codegen-units");
    if (json_is_integer(v) && json_integer_value(v) > 0 && json_integer_value(v) <= 65536) {
        p->codegen_units = (int)json_integer_value(v);
        p->codegen_units_set = true;
    }
    p->overflow_checks = json_flag(table, "overflow-checks", p->overflow_checks);
    p->debug_assertions = json_flag(table, "debug-assertions", p->debug_assertions);
    p->incremental = json_flag(table, "incremental", p->incremental);
    p->panic_abort = str_eq(json_str(table, "panic", p->panic_abort ? "abort" : "unwind"), "abort");
    v = json_object_get(table, "debug");
    if (json_is_boolean(v))
        snprintf(p->debug, sizeof(p->debug), "%s", json_is_true(v) ? "2" : "0");
    else
        put_text(p->debug, sizeof(p->debug), v);
    v = json_object_get(table, "strip");
    if (json_is_boolean(v))
        snprintf(p->strip, sizeof(p->strip), "%s", json_is_true(v) ? "symbols" : "none");
    else
        put_text(p->strip, sizeof(p->strip), v);
}

static void defaults(const char *name, struct profile *p)
{
    bool release = str_eq(name, "release");
    *p = (struct profile){.codegen_units = release ? 16 : 256,
                          .overflow_checks = !release,
                          .debug_assertions = !release,
                          .incremental = !release};
    snprintf(p->opt_level, sizeof(p->opt_level), "%s", release ? "3" : "0");
    snprintf(p->lto, sizeof(p->lto), "false");
    snprintf(p->debug, sizeof(p->debug), "%s", release ? "0" : "2");
    snprintf(p->strip, sizeof(p->strip), "none");
}

static const char *parent_of(const char *name, const json_t *table)
{
    if (str_eq(name, "release") || str_eq(name, "dev"))
        return NULL;
    if (str_eq(name, "bench"))
        return "release";
    if (str_eq(name, "test"))
        return "dev";
    return json_str(table, "inherits", NULL);
}

int manifest_profile(const struct manifest *m, const char *name, struct profile *ret, struct err *err)
{
    const json_t *profiles = json_obj(m->root, "profile");
    const char *chain[INHERITS_MAX];
    size_t n = 0;
    for (const char *at = name; at; at = parent_of(at, json_obj(profiles, at))) {
        if (n == INHERITS_MAX)
            return err_set(err, ERR_INVALID, "%s: profile '%s' inherits in a circle", m->path, name);
        bool built_in = parent_of(at, NULL) || str_eq(at, "release") || str_eq(at, "dev");
        if (!built_in && !json_str(json_obj(profiles, at), "inherits", NULL))
            return err_set(err, ERR_NOT_FOUND, "%s: there is no profile '%s'", m->path, at);
        chain[n++] = at;
    }
    defaults(chain[n - 1], ret);
    while (n > 0) {
        const json_t *table = json_obj(profiles, chain[--n]);
        ret->opt_level_set = ret->lto_set = ret->codegen_units_set = false; // only what the asked-for table names
        read_settings(table, ret);
        ret->exists = table != NULL;
    }
    if (ret->exists) {
        char *path = str_printf("profile.\"%s\"", name);
        ret->line = toml_line_of(m->text, m->len, path);
        mem_free(path);
    }
    return 0;
}

bool manifest_harness(const struct manifest *m, const char *section, const char *target)
{
    size_t i;
    json_t *entry;
    json_array_foreach (json_list(m->root, section), i, entry)
        if (str_eq(json_str(entry, "name", NULL), target))
            return json_flag(entry, "harness", true);
    return true;
}

static bool is_plain_key(const char *key)
{
    for (; *key; key++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", *key))
            return false;
    return true;
}

struct section {
    const char *kind;
    char *prefix; // TOML path of the table
    manifest_dependency_fn *visit;
    void *user;
};

static void visit_table(const struct section *s, json_t *table)
{
    const char *name;
    json_t *value;
    json_object_foreach (table, name, value) {
        char *path =
            is_plain_key(name) ? str_printf("%s.%s", s->prefix, name) : str_printf("%s.\"%s\"", s->prefix, name);
        struct manifest_dependency d = {.name = name,
                                        .package = json_str(value, "package", name),
                                        .kind = s->kind,
                                        .value = value,
                                        .default_features = json_flag(value, "default-features", true),
                                        .optional = json_flag(value, "optional", false),
                                        .from_workspace = json_flag(value, "workspace", false),
                                        .toml_path = path};
        s->visit(s->user, &d);
        mem_free(path);
    }
}

static void visit_sections(const json_t *holder, const char *prefix, manifest_dependency_fn *visit, void *user)
{
    static const struct {
        const char *table, *kind;
    } TABLES[] = {{"dependencies", "normal"}, {"build-dependencies", "build"}, {"dev-dependencies", "dev"}};
    for (size_t i = 0; i < ARRAY_LEN(TABLES); i++) {
        struct section s = {.kind = TABLES[i].kind, .visit = visit, .user = user};
        s.prefix = str_printf("%s%s", prefix, TABLES[i].table);
        visit_table(&s, json_obj(holder, TABLES[i].table));
        mem_free(s.prefix);
    }
}

void manifest_dependencies(const struct manifest *m, manifest_dependency_fn *visit, void *user)
{
    visit_sections(m->root, "", visit, user);
    const char *cfg;
    json_t *value;
    json_object_foreach (json_obj(m->root, "target"), cfg, value) {
        bool quotable = strpbrk(cfg, "'\n") == NULL;
        char *prefix = quotable ? str_printf("target.'%s'.", cfg) : str_dup("target.");
        visit_sections(value, prefix, visit, user);
        mem_free(prefix);
    }
    struct section s = {.kind = "workspace", .visit = visit, .user = user};
    s.prefix = str_dup("workspace.dependencies");
    visit_table(&s, json_obj(json_obj(m->root, "workspace"), "dependencies"));
    mem_free(s.prefix);
}

bool manifest_has_feature(const struct manifest_dependency *dependency, const char *feature)
{
    size_t i;
    json_t *v;
    json_array_foreach (json_list(dependency->value, "features"), i, v)
        if (str_eq(json_string_value(v), feature))
            return true;
    return false;
}
