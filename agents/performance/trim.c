#include "performance/trim.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "performance/manifests.h"
#include "toml/toml_edit.h"

#include <string.h>

// --- texts ---

// One TOML value on one line. JSON's texts are TOML's basic strings.
static void put_value(struct buf *out, const json_t *v)
{
    size_t i, n = 0;
    const char *key;
    json_t *item;
    if (json_is_array(v)) {
        buf_char(out, '[');
        json_array_foreach (v, i, item) {
            buf_str_add(out, i ? ", " : "");
            put_value(out, item);
        }
        buf_char(out, ']');
    } else if (json_is_object(v)) {
        buf_char(out, '{');
        json_object_foreach ((json_t *)(uintptr_t)v, key, item) {
            buf_printf(out, "%s%s = ", n++ ? ", " : " ", key);
            put_value(out, item);
        }
        buf_str_add(out, n ? " }" : "}");
    } else {
        AUTO_FREE char *text = json_compact(v);
        buf_str_add(out, text);
    }
}

static char *value_new(const json_t *v)
{
    AUTO_BUF struct buf out = BUF_INIT;
    put_value(&out, v);
    return buf_steal(&out);
}

// What was removed between two texts, as one edit of whole lines.
static json_t *removal_edit_new(const char *file, const char *before, const char *after)
{
    size_t old = strlen(before), len = strlen(after), at = 0;
    while (at < len && before[at] == after[at])
        at++;
    while (at > 0 && before[at - 1] != '\n')
        at--;
    json_t *edit = json_object();
    json_put_str(edit, "file", file);
    json_put_int(edit, "byte_start", (int64_t)at);
    json_put_int(edit, "byte_end", (int64_t)(at + old - len));
    json_put_str(edit, "text", "");
    return edit;
}

// --- candidates ---

static json_t *candidate_new(const char *title, const char *why, const char *kind)
{
    json_t *c = json_object(), *evidence = json_object();
    json_put_str(c, "kind", "build");
    json_put_str(c, "scope", "build");
    json_put_str(c, "title", title);
    json_put_str(c, "why", why);
    json_put_str(evidence, "measure", "clean");
    json_put_str(evidence, "trim", kind);
    json_put(c, "evidence", evidence);
    return c;
}

static void add_set(json_t *candidate, const char *file, const char *const *path, const json_t *value)
{
    AUTO_FREE char *text = value_new(value);
    json_t *set = json_object(), *keys = json_array();
    for (; *path; path++)
        json_add_str(keys, *path);
    json_put_str(set, "file", file);
    json_put(set, "path", keys);
    json_put_str(set, "value", text);
    if (!json_list(candidate, "set"))
        json_put(candidate, "set", json_array());
    json_array_append_new(json_list(candidate, "set"), set);
}

// The manifest without the dependency. "x.workspace = true" is one value of a table that is written with dots.
static int without(const char *text, const char *table, const char *name, char **ret, struct err *err)
{
    const char *const plain[] = {table, name, NULL}, *const inherited[] = {table, name, "workspace", NULL};
    int r = toml_edit_remove(text, plain, ret, err);
    if (r < 0)
        r = toml_edit_remove(text, inherited, ret, err);
    return r == 0 ? err_set(err, ERR_NOT_FOUND, "'%s' is not in [%s]", name, table) : r;
}

json_t *trim_removal_new(const struct trim *t, const json_t *unused, char **ret_why)
{
    const char *name = json_str(unused, "dependency", ""), *path = json_str(unused, "manifest", "");
    bool dev = str_eq(json_str(unused, "kind", ""), "dev"),
         move = str_eq(json_str(unused, "verdict", ""), "tests only");
    const char *below = path_below(path, t->checkout), *table = dev ? "dev-dependencies" : "dependencies";
    struct manifest m;
    struct err err;
    char *after = NULL;
    *ret_why = NULL;
    if (!below || manifests_read(t->files, path, &m, &err) < 0) {
        *ret_why = below ? str_dup(err.text) : str_printf("'%s' lies outside of the project", path);
        return NULL;
    }
    json_t *c = NULL;
    const json_t *value = json_object_get(json_obj(m.root, table), name);
    if (!value || without(m.text, table, name, &after, &err) < 0) {
        *ret_why =
            value ? str_printf("%s: %s", below, err.text) : str_printf("%s: '%s' is not in [%s]", below, name, table);
    } else {
        AUTO_FREE char *title =
            move ? str_printf("%s of %s is for tests only", name, json_str(unused, "package", "?"))
                 : str_printf("%s without the dependency %s", json_str(unused, "package", "?"), name);
        AUTO_FREE char *why =
            str_printf("rustc sees no use of it in %s%lld compilations.", move ? "those without tests of " : "any of ",
                       (long long)json_int(unused, "targets", 0));
        c = candidate_new(title, why, move ? "move" : "remove");
        json_t *edits = json_array();
        json_array_append_new(edits, removal_edit_new(below, m.text, after));
        json_put(c, "edits", edits);
        if (move)
            add_set(c, below, (const char *const[]){"dev-dependencies", name, NULL}, value);
    }
    mem_free(after);
    manifest_free(&m);
    return c;
}

// --- default features ---

static const struct cargo_package *package_named(const struct cargo_metadata *m, const struct cargo_package *user,
                                                 const char *name)
{
    for (size_t u = 0; u < user->use_count; u++)
        if (str_eq(m->packages[user->uses[u]].name, name))
            return &m->packages[user->uses[u]];
    return NULL;
}

struct gathering {
    const struct trim *t;
    const struct cargo_package *member;
    json_t *rows, *seen;
};

static void look_at(void *user, const struct manifest_dependency *d)
{
    struct gathering *g = user;
    const struct cargo_package *p = package_named(g->t->metadata, g->member, d->package);
    const json_t *defaults = p ? json_list(p->features, "default") : NULL;
    if (!str_eq(d->kind, "normal") || str_starts(d->toml_path, "target.") || !d->default_features || !p ||
        p->is_local || json_array_size(defaults) == 0)
        return;
    AUTO_FREE char *root = path_join(g->t->metadata->workspace_root, "Cargo.toml");
    const char *file = path_below(d->from_workspace ? root : g->member->manifest_path, g->t->checkout);
    AUTO_FREE char *key = str_printf("%s %s", file ? file : "", d->name);
    if (!file || json_object_get(g->seen, key))
        return;
    json_put(g->seen, key, json_true());
    json_t *row = json_object(), *table = json_array();
    if (d->from_workspace)
        json_add_str(table, "workspace");
    json_add_str(table, "dependencies");
    json_put_str(row, "package", g->member->name);
    json_put_str(row, "file", file);
    json_put_str(row, "dependency", d->name);
    json_put_str(row, "name", d->package);
    json_put_str(row, "version", p->version);
    json_put(row, "table", table);
    json_put(row, "defaults", json_deep_copy(defaults));
    const json_t *asked = json_list(d->value, "features");
    json_put(row, "features", asked ? json_deep_copy(asked) : json_array());
    json_array_append_new(g->rows, row);
}

json_t *trim_defaults_new(const struct trim *t)
{
    struct gathering g = {.t = t, .rows = json_array(), .seen = json_object()};
    for (size_t i = 0; i < t->metadata->package_count; i++) {
        struct manifest m;
        g.member = &t->metadata->packages[i];
        if (!g.member->is_member || manifests_read(t->files, g.member->manifest_path, &m, NULL) < 0)
            continue;
        manifest_dependencies(&m, look_at, &g);
        manifest_free(&m);
    }
    json_decref(g.seen);
    return g.rows;
}

static json_t *declared_value_new(const struct trim *t, const json_t *row, char **ret_why)
{
    AUTO_FREE char *path = path_join(t->checkout, json_str(row, "file", ""));
    struct manifest m;
    struct err err;
    if (manifests_read(t->files, path, &m, &err) < 0) {
        *ret_why = str_dup(err.text);
        return NULL;
    }
    const json_t *table = m.root;
    size_t i;
    json_t *key;
    json_array_foreach (json_list(row, "table"), i, key)
        table = json_obj(table, json_string_value(key));
    json_t *value = json_object_get(table, json_str(row, "dependency", ""));
    value = value ? json_deep_copy(value) : NULL;
    manifest_free(&m);
    if (!value)
        *ret_why = str_printf("'%s' is not where it was expected in %s", json_str(row, "dependency", ""),
                              json_str(row, "file", ""));
    return value;
}

json_t *trim_features_new(const struct trim *t, const json_t *row, const json_t *keep, char **ret_why)
{
    const char *name = json_str(row, "dependency", ""), *path[8] = {0};
    size_t n = 0, i;
    json_t *key;
    *ret_why = NULL;
    AUTO_JSON json_t *value = declared_value_new(t, row, ret_why);
    if (!value)
        return NULL;
    json_array_foreach (json_list(row, "table"), i, key)
        path[n++] = json_string_value(key);
    path[n++] = name;
    AUTO_BUF struct buf names = BUF_INIT;
    json_array_foreach (keep, i, key)
        buf_printf(&names, "%s%s", i ? ", " : "", json_string_value(key));
    AUTO_FREE char *title = keep ? str_printf("%s with the features %s alone", name, buf_str(&names))
                                 : str_printf("%s without its default features", name);
    json_t *c = candidate_new(title, "Fewer features are less to compile.", "features");
    const char *file = json_str(row, "file", "");
    if (json_is_string(value)) { // "1.2": becomes a table
        json_t *table = json_object();
        json_put(table, "version", json_incref(value));
        json_put_flag(table, "default-features", false);
        if (keep)
            json_put(table, "features", json_deep_copy(keep));
        add_set(c, file, path, table);
        json_decref(table);
        return c;
    }
    path[n] = "default-features";
    AUTO_JSON json_t *off = json_false();
    add_set(c, file, path, off);
    path[n] = "features";
    if (keep)
        add_set(c, file, path, keep);
    return c;
}
