// Rules that the code does not show:
// - Everything starts from the base text of a file: byte edits first (from the last to the first, so that offsets stay
//   true), then TOML values in the order of the candidates.
// - A candidate that cannot be laid over the base leaves no file half changed: rendering is done before writing.
#include "change/change.h"

#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "toml/toml_edit.h"

#include <stdlib.h>
#include <string.h>

struct edit {
    const char *candidate, *file, *text;
    size_t start, end;
};

static bool safe_path(const char *path)
{
    if (!*path || path[0] == '/')
        return false;
    char **parts = str_split(path, "/", false, NULL);
    bool ok = true;
    for (char **p = parts; *p; p++)
        ok = ok && **p && !str_eq(*p, "..") && !str_eq(*p, ".") && !str_eq(*p, ".git");
    str_list_free(parts);
    return ok;
}

static bool is_config(const char *file)
{
    return str_eq(file, CHANGE_CONFIG_FILE) || str_ends(file, "/" CHANGE_CONFIG_FILE);
}

// What a candidate may set in a file that steers cargo: nothing that names a program of its choice.
static bool is_measured_setting(const json_t *set)
{
    const json_t *path = json_list(set, "path");
    const char *table = json_string_value(json_array_get(path, 0)), *value = json_str(set, "value", "");
    if (json_array_size(path) == 2)
        return str_eq(table, "build") && str_eq(json_string_value(json_array_get(path, 1)), "rustc-wrapper") &&
               str_eq(value, CHANGE_WRAPPER);
    return json_array_size(path) == 3 && str_eq(table, "target") &&
           str_eq(json_string_value(json_array_get(path, 2)), "rustflags") &&
           (str_eq(value, CHANGE_LINKER) || str_eq(value, CHANGE_LINKER_LLD) || str_eq(value, CHANGE_NATIVE));
}

static int check_set(const json_t *set, const char *id, struct err *err)
{
    const json_t *path = json_list(set, "path");
    const char *file = json_str(set, "file", NULL);
    if (!file || !safe_path(file))
        return err_set(err, ERR_INVALID, "candidate '%s': set needs a 'file' below the checkout", id);
    if (!json_str(set, "value", NULL) || json_array_size(path) == 0 || json_array_size(path) > 8)
        return err_set(err, ERR_INVALID, "candidate '%s': set needs 'path' (1 to 8 keys) and 'value'", id);
    size_t i;
    json_t *key;
    json_array_foreach (path, i, key)
        if (!json_is_string(key))
            return err_set(err, ERR_INVALID, "candidate '%s': the keys of 'path' must be strings", id);
    if (is_config(file) && !is_measured_setting(set))
        return err_set(err, ERR_DENIED,
                       "candidate '%s': '%s' steers cargo, and this setting is not one that is measured", id, file);
    return 0;
}

static int check_edit(const json_t *edit, const char *id, struct err *err)
{
    const char *file = json_str(edit, "file", NULL);
    int64_t start = json_int(edit, "byte_start", -1), end = json_int(edit, "byte_end", -1);
    if (!file || !safe_path(file))
        return err_set(err, ERR_INVALID, "candidate '%s': edit needs a 'file' below the checkout", id);
    if (is_config(file))
        return err_set(err, ERR_DENIED, "candidate '%s': '%s' steers cargo, and is not edited", id, file);
    if (!json_str(edit, "text", NULL) || start < 0 || end < start)
        return err_set(err, ERR_INVALID, "candidate '%s': edit needs 'text' and byte_start <= byte_end", id);
    return 0;
}

int change_check(const json_t *candidate, struct err *err)
{
    const char *id = NULL, *title = NULL;
    int r = json_need_str(candidate, "id", "candidate", &id, err);
    if (r == 0)
        r = json_need_str(candidate, "title", id, &title, err);
    size_t i, n = json_array_size(json_list(candidate, "set")) + json_array_size(json_list(candidate, "edits"));
    if (r == 0 && n == 0)
        return err_set(err, ERR_INVALID, "candidate '%s' changes nothing: it has neither 'set' nor 'edits'", id);
    json_t *item;
    json_array_foreach (json_list(candidate, "set"), i, item)
        if (r == 0)
            r = check_set(item, id, err);
    json_array_foreach (json_list(candidate, "edits"), i, item)
        if (r == 0)
            r = check_edit(item, id, err);
    return r;
}

json_t *change_files(const json_t *candidate)
{
    json_t *files = json_array();
    const char *const lists[] = {"set", "edits"};
    for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
        size_t i, k;
        json_t *item, *have;
        json_array_foreach (json_list(candidate, lists[l]), i, item) {
            const char *file = json_str(item, "file", "");
            bool known = false;
            json_array_foreach (files, k, have)
                known = known || str_eq(json_string_value(have), file);
            if (!known)
                json_add_str(files, file);
        }
    }
    return files;
}

static int by_place(const void *a, const void *b)
{
    const struct edit *x = a, *y = b;
    int c = strcmp(x->file, y->file);
    if (c)
        return c;
    return x->start != y->start ? (x->start < y->start ? -1 : 1) : x->end < y->end ? -1 : x->end > y->end;
}

// The text of `file` as rendered so far, or the base text.
static int current_text(struct files *base, const char *file, json_t *files, bool may_be_missing, char **ret,
                        size_t *ret_len, struct err *err)
{
    const json_t *have = json_object_get(files, file);
    if (have) {
        *ret = str_ndup(json_string_value(have), json_string_length(have));
        *ret_len = json_string_length(have);
        return 0;
    }
    int r = files_read(base, file, CHANGE_FILE_MAX, ret, ret_len, err);
    if (r == -ERR_NOT_FOUND && may_be_missing) {
        *ret = str_dup("");
        *ret_len = 0;
        return 0;
    }
    if (r == 0 && !str_utf8_valid(*ret, *ret_len)) {
        mem_free(*ret);
        return err_set(err, ERR_INVALID, "'%s' is not UTF-8 text", file);
    }
    return r;
}

// Applies edits[from..to) (all of one file, sorted, not overlapping) from the last to the first.
static int apply_edits(struct files *base, const struct edit *edits, size_t count, json_t *files, struct err *err)
{
    char *text = NULL;
    size_t len = 0;
    int r = current_text(base, edits[0].file, files, false, &text, &len, err);
    if (r < 0)
        return r;
    struct buf out = BUF_INIT;
    size_t at = 0;
    for (size_t i = 0; i < count && r == 0; i++) {
        const struct edit *e = &edits[i];
        if (e->end > len)
            r = err_set(err, ERR_INVALID, "candidate '%s': bytes %zu to %zu are not in '%s' (%zu bytes)", e->candidate,
                        e->start, e->end, e->file, len);
        else if (e->start < at)
            r = err_set(err, ERR_CONFLICT, "candidates '%s' and '%s' change the same place in '%s'",
                        edits[i - 1].candidate, e->candidate, e->file);
        if (r == 0) {
            buf_add(&out, text + at, e->start - at);
            buf_str_add(&out, e->text);
            at = e->end;
        }
    }
    if (r == 0) {
        buf_add(&out, text + at, len - at);
        json_t *v = json_stringn(buf_str(&out), out.len);
        if (v)
            json_put(files, edits[0].file, v);
        else
            r = err_set(err, ERR_INVALID, "candidate '%s': the edit of '%s' cuts a character", edits[0].candidate,
                        edits[0].file);
    }
    buf_free(&out);
    mem_free(text);
    return r;
}

static int apply_set(struct files *base, const json_t *set, const char *id, json_t *files, struct err *err)
{
    const char *file = json_str(set, "file", "");
    const char *keys[9] = {0};
    size_t i;
    json_t *key;
    json_array_foreach (json_list(set, "path"), i, key)
        keys[i] = json_string_value(key);
    char *text = NULL, *changed = NULL;
    size_t len = 0;
    int r = current_text(base, file, files, true, &text, &len, err);
    if (r < 0)
        return r;
    r = toml_edit_set(text, keys, json_str(set, "value", ""), &changed, err);
    if (r < 0)
        err_wrap(err, "candidate '%s', file '%s'", id, file);
    else
        json_put_str(files, file, changed);
    mem_free(text);
    mem_free(changed);
    return r;
}

int change_render(struct files *base, const json_t *candidates, json_t **ret_files, struct err *err)
{
    if (json_array_size(candidates) > CHANGE_CANDIDATES_MAX)
        return err_set(err, ERR_LIMIT, "more than %d candidates", CHANGE_CANDIDATES_MAX);
    VEC(struct edit) edits = {0};
    AUTO_JSON json_t *files = json_object();
    int r = 0;
    size_t i, k;
    json_t *c, *item;
    json_array_foreach (candidates, i, c) {
        if (r == 0)
            r = change_check(c, err);
        json_array_foreach (json_list(c, "edits"), k, item)
            if (r == 0)
                vec_push(&edits,
                         (struct edit){json_str(c, "id", ""), json_str(item, "file", ""), json_str(item, "text", ""),
                                       (size_t)json_int(item, "byte_start", 0), (size_t)json_int(item, "byte_end", 0)});
    }
    if (r == 0 && edits.len)
        qsort(edits.items, edits.len, sizeof(*edits.items), by_place);
    for (size_t from = 0; from < edits.len && r == 0;) {
        size_t to = from + 1;
        while (to < edits.len && str_eq(edits.items[to].file, edits.items[from].file))
            to++;
        r = apply_edits(base, edits.items + from, to - from, files, err);
        from = to;
    }
    json_array_foreach (candidates, i, c)
        json_array_foreach (json_list(c, "set"), k, item)
            if (r == 0)
                r = apply_set(base, item, json_str(c, "id", ""), files, err);
    vec_free(&edits);
    if (r == 0)
        *ret_files = json_incref(files);
    return r;
}

// Brings one file of the work checkout back to what the base has (absent there: removed).
static int restore(struct files *base, struct files *work, const char *file, struct err *err)
{
    char *text = NULL;
    size_t len = 0;
    int r = files_read(base, file, CHANGE_FILE_MAX, &text, &len, err);
    if (r == -ERR_NOT_FOUND)
        return is_config(file) ? files_write_settings(work, file, NULL, 0, err) : files_remove(work, file, err);
    if (r == 0)
        r = is_config(file) ? files_write_settings(work, file, text, len, err)
                            : files_write(work, file, text, len, err);
    mem_free(text);
    return r;
}

int change_lay(struct files *base, struct files *work, const json_t *candidates, json_t *touched, struct err *err)
{
    json_t *rendered = NULL;
    int r = change_render(base, candidates, &rendered, err);
    if (r < 0)
        return r;
    AUTO_JSON json_t *files = rendered;
    const char *file;
    json_t *value;
    json_object_foreach (touched, file, value)
        if (r == 0 && !json_object_get(files, file))
            r = restore(base, work, file, err);
    json_object_foreach (files, file, value) {
        const char *text = json_string_value(value);
        size_t len = json_string_length(value);
        if (r < 0)
            break;
        r = is_config(file) ? files_write_settings(work, file, text, len, err)
                            : files_write(work, file, text, len, err);
        if (r != -ERR_DENIED) // what may not be written was not, and cannot be brought back
            json_put(touched, file, json_true());
    }
    return r;
}
