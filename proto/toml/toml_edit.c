// Every edit is one splice of the text. The tree says where; the check at the end says whether the splice did what was
// asked, so that a case nobody thought of becomes an error and never a damaged file.
#include "toml/toml_edit.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "toml/scan.h"
#include "toml/toml.h"
#include "toml/tree.h"

#include <string.h>

struct splice {
    size_t start, end; // bytes to be replaced
    struct buf text;
};

static void add_key(struct buf *b, const char *key)
{
    static const char bare[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    if (*key && key[strspn(key, bare)] == '\0') {
        buf_str_add(b, key);
        return;
    }
    buf_char(b, '"');
    for (const char *p = key; *p; p++) {
        if (*p == '"' || *p == '\\')
            buf_printf(b, "\\%c", *p);
        else if ((unsigned char)*p < 0x20 || *p == 0x7F)
            buf_printf(b, "\\u%04X", (unsigned)(unsigned char)*p);
        else
            buf_char(b, *p);
    }
    buf_char(b, '"');
}

static void add_keys(struct buf *b, const char *const *path, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        if (i > from)
            buf_char(b, '.');
        add_key(b, path[i]);
    }
}

static const char *path_text(const char *const *path, struct buf *b)
{
    size_t n = 0;
    while (path[n])
        n++;
    buf_clear(b);
    add_keys(b, path, 0, n);
    return buf_str(b);
}

static const char *newline_of(const char *text)
{
    const char *p = strchr(text, '\n');
    return p && p > text && p[-1] == '\r' ? "\r\n" : "\n";
}

// Follows `path` as far as it exists; *ret_depth counts the keys found.
static struct toml_node *walk(struct toml_node *root, const char *const *path, size_t *ret_depth)
{
    struct toml_node *node = root;
    size_t i = 0;
    for (; path[i]; i++) {
        struct toml_node *next = toml_tree_child(node, path[i], strlen(path[i]));
        if (!next)
            break;
        node = next;
    }
    *ret_depth = i;
    return node;
}

static const struct toml_node *inline_around(const struct toml_node *node)
{
    for (const struct toml_node *n = node; n; n = n->parent)
        if (n->kind == TOML_TABLE && n->origin == TOML_INLINE)
            return n;
    return NULL;
}

static bool below_array(const struct toml_node *node)
{
    for (; node; node = node->parent)
        if (node->kind == TOML_ARRAY)
            return true;
    return false;
}

static const struct toml_node *header_around(const struct toml_node *node)
{
    while (node->kind != TOML_TABLE || node->origin != TOML_HEADER)
        node = node->parent;
    return node;
}

// Adds `path[from..]` = value behind the last entry of the inline table `table`.
static void insert_inline(const char *text, const struct toml_node *table, const char *const *path, size_t end,
                          const char *value, struct splice *out)
{
    size_t from = (size_t)table->depth;
    bool empty = table->kids.len == 0;
    // The closing brace is the last byte; what is between it and the last entry is blanks.
    size_t at = table->val_end - 1;
    while (at > table->val_start + 1 && (text[at - 1] == ' ' || text[at - 1] == '\t'))
        at--;
    out->start = at;
    out->end = empty ? table->val_end - 1 : at;
    buf_str_add(&out->text, empty ? " " : ", ");
    add_keys(&out->text, path, from, end);
    buf_printf(&out->text, " = %s%s", value, empty ? " " : "");
}

// Where a key goes that the document's head lacks: behind a leading comment that a blank line sets apart.
static size_t head_position(const char *text, size_t start)
{
    size_t at = start;
    for (const char *p = text + start; *p;) {
        const char *end = strchr(p, '\n');
        size_t n = strspn(p, " \t\r");
        if (p[n] == '\n')
            return at > start ? (size_t)(p - text) + n + 1 : start;
        if (p[n] != '#' || !end)
            return start;
        p = end + 1;
        at = (size_t)(p - text);
    }
    return at;
}

// Adds the line `path[section depth..]` = value to the lines of a section.
static void insert_line(const char *text, const struct toml_node *section, const char *const *path, size_t end,
                        const char *value, struct splice *out)
{
    const char *newline = newline_of(text);
    bool headless = section->parent == NULL && section->last_stmt == SIZE_MAX;
    size_t at = headless ? head_position(text, section->body_end) : section->body_end;
    out->start = out->end = at;
    if (at > 0 && text[at - 1] != '\n' && !(headless && at == section->body_end))
        buf_str_add(&out->text, newline);
    if (section->last_stmt != SIZE_MAX)
        buf_add(&out->text, text + section->last_stmt, strspn(text + section->last_stmt, " \t"));
    add_keys(&out->text, path, (size_t)section->depth, end);
    buf_printf(&out->text, " = %s%s", value, newline);
    if (headless && text[at] && text[at] != '\n' && text[at] != '\r')
        buf_str_add(&out->text, newline);
}

// Adds a new table with one entry at the end of the text.
static void append_table(const char *text, const char *const *path, size_t end, const char *value, struct splice *out)
{
    const char *newline = newline_of(text);
    size_t len = strlen(text);
    out->start = out->end = len;
    if (len > 0 && text[len - 1] != '\n')
        buf_str_add(&out->text, newline);
    if (len > 0 && !str_ends(text, "\n\n") && !str_ends(text, "\n\r\n"))
        buf_str_add(&out->text, newline);
    buf_char(&out->text, '[');
    add_keys(&out->text, path, 0, end - 1);
    buf_printf(&out->text, "]%s", newline);
    add_key(&out->text, path[end - 1]);
    buf_printf(&out->text, " = %s%s", value, newline);
}

static int plan_set(const char *text, struct toml_node *root, const char *const *path, const char *value,
                    struct splice *out, struct err *err)
{
    AUTO_BUF struct buf name = BUF_INIT;
    size_t found = 0, end = 0;
    struct toml_node *node = walk(root, path, &found);
    while (path[end])
        end++;
    if (found == end) {
        if (node->kind != TOML_SCALAR && node->origin != TOML_INLINE)
            return err_set(err, ERR_INVALID, "'%s' is a table in line %d; expected a value, set its keys one by one",
                           path_text(path, &name), node->line);
        out->start = node->val_start;
        out->end = node->val_end;
        buf_str_add(&out->text, value);
        return 0;
    }
    if (node->kind != TOML_TABLE)
        return err_set(err, ERR_INVALID, "'%s' cannot be set: line %d holds %s where a table was expected",
                       path_text(path, &name), node->line, node->kind == TOML_ARRAY ? "an array" : "a value");
    const struct toml_node *braces = inline_around(node);
    if (braces)
        insert_inline(text, braces, path, end, value, out);
    else if (node->origin == TOML_DOTTED)
        insert_line(text, node->section, path, end, value, out);
    else if (node->origin == TOML_HEADER && end - found == 1)
        insert_line(text, node, path, end, value, out);
    else if (below_array(node))
        insert_line(text, header_around(node), path, end, value, out);
    else
        append_table(text, path, end, value, out);
    return 0;
}

static bool stands_alone(const struct toml_node *node)
{
    return node->parent == NULL || node->kind != TOML_TABLE ||
           (node->origin != TOML_DOTTED && node->origin != TOML_IMPLICIT);
}

static void plan_remove(const struct toml_node *node, struct splice *out)
{
    const struct toml_node *table = inline_around(node->parent);
    if (!table) {
        out->start = node->stmt_start;
        out->end = node->stmt_end;
        return;
    }
    // The entries of an inline table in text order are its leaves; dotted tables in between have no text of their own.
    VEC(const struct toml_node *) leaves = {0}, open = {0};
    vec_push(&open, table);
    while (open.len > 0) {
        const struct toml_node *n = open.items[--open.len];
        if (n != table && (n->kind != TOML_TABLE || n->origin == TOML_INLINE)) {
            vec_push(&leaves, n);
            continue;
        }
        for (size_t i = 0; i < n->kids.len; i++)
            vec_push(&open, n->kids.items[i]);
    }
    const struct toml_node *before = NULL, *after = NULL;
    for (size_t i = 0; i < leaves.len; i++) {
        const struct toml_node *n = leaves.items[i];
        if (n->key_start < node->key_start && (!before || n->key_start > before->key_start))
            before = n;
        if (n->key_start > node->key_start && (!after || n->key_start < after->key_start))
            after = n;
    }
    out->start = before ? before->val_end : node->key_start;
    out->end = before || !after ? node->val_end : after->key_start;
    vec_free(&leaves);
    vec_free(&open);
}

// Sets (or with value NULL deletes) path[at..end] in `v`.
static void change(json_t *v, const char *const *path, size_t at, size_t end, json_t *value)
{
    for (; at + 1 < end; at++) {
        int64_t i = 0;
        json_t *next =
            json_is_array(v) && str_to_i64(path[at], &i) ? json_array_get(v, (size_t)i) : json_object_get(v, path[at]);
        if (!next) {
            next = json_object();
            json_put(v, path[at], next);
        }
        v = next;
    }
    int64_t i = 0;
    if (json_is_array(v) && str_to_i64(path[at], &i))
        json_array_set(v, (size_t)i, value);
    else if (value)
        json_object_set(v, path[at], value);
    else
        json_object_del(v, path[at]);
}

static int finish(const char *text, const struct splice *splice, const json_t *expected, const char *const *path,
                  char **ret_text, struct err *err)
{
    AUTO_BUF struct buf b = BUF_INIT, name = BUF_INIT;
    buf_add(&b, text, splice->start);
    buf_add(&b, buf_str(&splice->text), splice->text.len);
    buf_str_add(&b, text + splice->end);
    struct err inner = {0};
    AUTO_JSON json_t *got = toml_parse_new(buf_str(&b), b.len, "the changed text", &inner);
    if (!got || !json_equal(got, expected))
        return err_set(err, ERR_UNSUPPORTED,
                       "'%s' cannot be changed without changing more of the text%s%s; edit it by hand",
                       path_text(path, &name), got ? "" : ": ", got ? "" : inner.text);
    *ret_text = buf_steal(&b);
    return 0;
}

static int check_path(const char *const *path, size_t *ret_end, struct err *err)
{
    size_t n = 0;
    for (; path[n]; n++)
        if (n >= TOML_DEPTH_MAX || !str_utf8_valid(path[n], strlen(path[n])))
            return err_set(err, ERR_INVALID, "a key path must be at most %d keys of UTF-8 text", TOML_DEPTH_MAX);
    *ret_end = n;
    return n > 0 ? 0 : err_set(err, ERR_INVALID, "the key path is empty; expected at least one key");
}

static json_t *parse_one_value_new(const char *toml_value, struct err *err)
{
    AUTO_BUF struct buf b = BUF_INIT;
    buf_printf(&b, "v = %s", toml_value);
    AUTO_TREE struct toml_node *tree = toml_tree_new(buf_str(&b), b.len, "value", err);
    if (!tree)
        return NULL;
    const struct toml_node *v = tree->kids.items[0];
    if (tree->kids.len != 1 || v->val_start != 4 || v->val_end != b.len) {
        err_set(err, ERR_INVALID, "'%s' is not one TOML value; expected no blanks around it and no comment",
                toml_value);
        return NULL;
    }
    return toml_tree_json_new(v);
}

int toml_edit_set(const char *text, const char *const *path, const char *toml_value, char **ret_text, struct err *err)
{
    size_t end = 0;
    int r = check_path(path, &end, err);
    if (r < 0)
        return r;
    struct err inner = {0};
    AUTO_JSON json_t *value = parse_one_value_new(toml_value, &inner);
    AUTO_TREE struct toml_node *root = value ? toml_tree_new(text, strlen(text), "the text to change", &inner) : NULL;
    if (!root)
        return err_set(err, inner.code, "%s", inner.text);
    struct splice splice = {0};
    r = plan_set(text, root, path, toml_value, &splice, err);
    if (r >= 0) {
        AUTO_JSON json_t *expected = toml_tree_json_new(root);
        change(expected, path, 0, end, value);
        r = finish(text, &splice, expected, path, ret_text, err);
    }
    buf_free(&splice.text);
    return r;
}

int toml_edit_remove(const char *text, const char *const *path, char **ret_text, struct err *err)
{
    AUTO_BUF struct buf name = BUF_INIT;
    size_t end = 0, found = 0;
    int r = check_path(path, &end, err);
    if (r < 0)
        return r;
    struct err inner = {0};
    AUTO_TREE struct toml_node *root = toml_tree_new(text, strlen(text), "the text to change", &inner);
    if (!root)
        return err_set(err, inner.code, "%s", inner.text);
    const struct toml_node *node = walk(root, path, &found);
    if (found < end) {
        *ret_text = str_dup(text);
        return 0;
    }
    if (node->parent->kind == TOML_ARRAY || (node->kind != TOML_SCALAR && node->origin != TOML_INLINE))
        return err_set(err, ERR_UNSUPPORTED,
                       "'%s' in line %d is a table or an array's element; expected a key with a value",
                       path_text(path, &name), node->line);
    struct splice splice = {0};
    plan_remove(node, &splice);
    // A table that only its dotted keys made is gone with the last of them.
    const struct toml_node *gone = node;
    while (gone->parent->kids.len == 1 && !stands_alone(gone->parent) && end > 1) {
        gone = gone->parent;
        end--;
    }
    AUTO_JSON json_t *expected = toml_tree_json_new(root);
    change(expected, path, 0, end, NULL);
    r = finish(text, &splice, expected, path, ret_text, err);
    return r < 0 ? r : 1;
}
