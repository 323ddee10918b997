// Breadth-first over parent links. Files are found by name first; an id that no file name has is looked for inside the
// files of the folder once (older files diverge from their names).
#include "handoff/handoff_read.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "handoff/handoff_id.h"
#include "handoff/read_parts.h"
#include "json/json.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#define NAME_BYTES_MAX 200

struct walk {
    const char *dir;
    json_t *seen;   // id -> index into order
    json_t *order;  // normalized objects, or null for what could not be loaded
    json_t *depths; // parallel to order
    json_t *by_id;  // id inside -> file name, filled on first need
    json_t *diagnostics;
};

static bool safe_name(const char *id)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    return *id && *id != '.' && strlen(id) <= NAME_BYTES_MAX && id[strspn(id, allowed)] == '\0';
}

static json_t *load_file_new(struct walk *w, const char *name)
{
    struct err err = {0};
    AUTO_FREE char *path = path_join(w->dir, name);
    json_t *v = handoff_read_file_new(path, &err);
    if (!v)
        diag_add(w->diagnostics, 0, "error", "'%s' cannot be read: %s", name, err.text);
    return v;
}

static bool is_handoff_file(const char *name)
{
    return *name != '.' && (str_ends(name, ".md") || str_ends(name, ".yaml") || str_ends(name, ".yml"));
}

static void index_folder(struct walk *w)
{
    w->by_id = json_object();
    DIR *d = opendir(w->dir);
    struct dirent *e = NULL;
    for (size_t n = 0; d && n < HANDOFF_FOLDER_MAX && (e = readdir(d)) != NULL; n++) {
        AUTO_FREE char *path = is_handoff_file(e->d_name) ? path_join(w->dir, e->d_name) : NULL;
        AUTO_JSON json_t *v = path ? handoff_read_file_new(path, NULL) : NULL;
        const char *id = json_str(v, "id", NULL), *other = id ? json_str(w->by_id, id, NULL) : NULL;
        if (id && (!other || strcmp(e->d_name, other) < 0)) // the same answer whatever the order of the folder
            json_put(w->by_id, id, json_text_new(e->d_name, strlen(e->d_name)));
    }
    if (d)
        closedir(d);
}

static json_t *load_new(struct walk *w, const char *id)
{
    static const char *const extensions[] = {".md", ".yaml", ".yml"};
    if (!safe_name(id)) {
        diag_add(w->diagnostics, 0, "error", "parent '%s' is not an id", id);
        return NULL;
    }
    AUTO_FREE char *reversed = NULL;
    if (handoff_id_valid(id))
        reversed = str_printf("%s-%.19s", handoff_id_suffix(id), id);
    for (size_t i = 0; i < 2 * ARRAY_LEN(extensions); i++) {
        const char *stem = i < ARRAY_LEN(extensions) ? id : reversed;
        AUTO_FREE char *name = stem ? str_printf("%s%s", stem, extensions[i % ARRAY_LEN(extensions)]) : NULL;
        AUTO_FREE char *path = name ? path_join(w->dir, name) : NULL;
        if (path && file_exists(path))
            return load_file_new(w, name);
    }
    if (!w->by_id)
        index_folder(w);
    const char *name = json_str(w->by_id, id, NULL);
    if (name)
        return load_file_new(w, name);
    diag_add(w->diagnostics, 0, "warning", "handoff '%s' is not in the folder: its ancestors are unknown", id);
    return NULL;
}

static void visit(struct walk *w, const char *id, int64_t depth)
{
    if (json_object_get(w->seen, id))
        return;
    if (json_array_size(w->order) >= HANDOFF_WALK_MAX) {
        diag_add(w->diagnostics, 0, "warning", "more than %d handoffs: older ones are left out", HANDOFF_WALK_MAX);
        return;
    }
    json_put_int(w->seen, id, (int64_t)json_array_size(w->order));
    json_t *v = load_new(w, id);
    json_array_append_new(w->order, v ? v : json_null());
    json_array_append_new(w->depths, json_integer(depth));
}

// Depth-first with colours over what was visited; reports each link that goes back to a handoff still open.
static void find_cycles(struct walk *w, size_t at, char *colour)
{
    colour[at] = 1;
    const json_t *parents = json_list(json_array_get(w->order, at), "parent");
    for (size_t i = 0; i < json_array_size(parents); i++) {
        const char *id = json_string_value(json_array_get(parents, i));
        const json_t *index = json_object_get(w->seen, id);
        size_t to = (size_t)json_integer_value(index);
        if (index && colour[to] == 1)
            diag_add(w->diagnostics, 0, "warning", "cycle: '%s' has '%s' as parent, which descends from it",
                     json_str(json_array_get(w->order, at), "id", ""), id);
        else if (index && colour[to] == 0)
            find_cycles(w, to, colour);
    }
    colour[at] = 2;
}

static json_t *digest_new(const json_t *h, int64_t depth)
{
    static const char *const keys[] = {"id",      "parent",  "agent",      "status",
                                       "summary", "verdict", "next_agent", "next_task"};
    json_t *out = json_object();
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        json_t *v = json_object_get(h, keys[i]);
        json_put(out, keys[i], v ? json_incref(v) : json_null());
    }
    json_put_int(out, "depth", depth);
    return out;
}

static json_t *result_new(struct walk *w)
{
    json_t *out = json_object(), *parents = json_array(), *ancestors = json_array();
    for (size_t i = 0; i < json_array_size(w->order); i++) {
        json_t *h = json_array_get(w->order, i);
        int64_t depth = json_integer_value(json_array_get(w->depths, i));
        if (json_is_object(h) && depth == 1)
            json_array_append(parents, h);
        else if (json_is_object(h))
            json_array_append_new(ancestors, digest_new(h, depth));
    }
    json_put(out, "parents", parents);
    json_put(out, "ancestors", ancestors);
    json_put(out, "diagnostics", json_incref(w->diagnostics));
    return out;
}

json_t *handoff_walk_new(const char *dir, const json_t *parents, struct err *err)
{
    if (!file_is_dir(dir)) {
        err_set(err, ERR_NOT_FOUND, "'%s' is not a folder", dir);
        return NULL;
    }
    AUTO_JSON json_t *seen = json_object(), *order = json_array(), *depths = json_array(), *diagnostics = json_array();
    struct walk w = {.dir = dir, .seen = seen, .order = order, .depths = depths, .diagnostics = diagnostics};
    for (size_t i = 0; i < json_array_size(parents); i++)
        if (json_is_string(json_array_get(parents, i)))
            visit(&w, json_string_value(json_array_get(parents, i)), 1);
    for (size_t i = 0; i < json_array_size(order); i++) {
        const json_t *next = json_list(json_array_get(order, i), "parent");
        int64_t depth = json_integer_value(json_array_get(depths, i));
        for (size_t k = 0; k < json_array_size(next); k++)
            if (json_is_string(json_array_get(next, k)))
                visit(&w, json_string_value(json_array_get(next, k)), depth + 1);
    }
    char colour[HANDOFF_WALK_MAX] = {0};
    for (size_t i = 0; i < json_array_size(order); i++)
        if (colour[i] == 0)
            find_cycles(&w, i, colour);
    json_t *out = result_new(&w);
    json_decref(w.by_id);
    return out;
}
