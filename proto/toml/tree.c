// The document grammar. What may be extended later: a header may pass through every table that is not inline and
// through the last element of an array of tables, and may name a table that was only implicit; a dotted key may pass
// through tables made by dotted keys or left implicit; inline tables and arrays are complete.
#include "toml/tree.h"

#include "base/mem.h"
#include "base/str.h"
#include "toml/scan.h"
#include "toml/toml.h"

#include <string.h>

#define QUOTED_KEY_MAX 80

static struct toml_node *node_new(enum toml_kind kind, enum toml_origin origin)
{
    struct toml_node *n = mem_alloc(sizeof(*n));
    n->kind = kind;
    n->origin = origin;
    n->last_stmt = SIZE_MAX;
    if (kind == TOML_TABLE)
        n->index = json_object();
    return n;
}

struct toml_node *toml_tree_free(struct toml_node *node)
{
    if (!node)
        return NULL;
    for (size_t i = 0; i < node->kids.len; i++)
        toml_tree_free(node->kids.items[i]);
    vec_free(&node->kids);
    json_decref(node->scalar);
    json_decref(node->index);
    mem_free(node->key);
    mem_free(node);
    return NULL;
}

void toml_tree_auto_free(struct toml_node **node)
{
    *node = toml_tree_free(*node);
}

struct toml_node *toml_tree_child(const struct toml_node *node, const char *key, size_t len)
{
    if (node->kind == TOML_ARRAY) {
        char number[24];
        int64_t i = 0;
        if (len == 0 || len >= sizeof(number))
            return NULL;
        memcpy(number, key, len);
        number[len] = '\0';
        return str_to_i64(number, &i) && i >= 0 && (uint64_t)i < node->kids.len ? node->kids.items[i] : NULL;
    }
    json_t *at = node->kind == TOML_TABLE ? json_object_getn(node->index, key, len) : NULL;
    return at ? node->kids.items[json_integer_value(at)] : NULL;
}

// Adds `child` (taken over in every case, so that the tree's owner frees it).
static int attach(struct scan *s, struct toml_node *parent, struct toml_node *child, const struct buf *key)
{
    child->parent = parent;
    child->depth = parent->depth + 1;
    if (key) {
        child->key = str_ndup(buf_str(key), key->len);
        child->key_len = key->len;
        must(json_object_setn_new(parent->index, buf_str(key), key->len, json_integer((json_int_t)parent->kids.len)) ==
             0);
    }
    vec_push(&parent->kids, child);
    return child->depth > TOML_DEPTH_MAX ? scan_fail(s, "more than %d levels of nesting", TOML_DEPTH_MAX) : 0;
}

// For messages, which stay on one line.
static const char *key_text(const struct buf *key, char out[QUOTED_KEY_MAX])
{
    size_t n = str_utf8_cut(buf_str(key), QUOTED_KEY_MAX - 1);
    for (size_t i = 0; i < n; i++)
        out[i] = (unsigned char)buf_str(key)[i] < 0x20 ? '?' : buf_str(key)[i];
    out[n] = '\0';
    return out;
}

// One key part and whether a dot follows.
static int read_part(struct scan *s, struct buf *key, bool *ret_more)
{
    buf_clear(key);
    int r = scan_key(s, key);
    if (r < 0)
        return r;
    scan_blanks(s);
    *ret_more = scan_take(s, '.');
    scan_blanks(s);
    return 0;
}

static int parse_value(struct scan *s, struct toml_node *parent, const struct buf *key, struct toml_node *section,
                       struct toml_node **ret);

// One step of a dotted key, not the last one.
static int dotted_step(struct scan *s, struct toml_node **table, const struct buf *key, struct toml_node *section,
                       size_t start)
{
    char name[QUOTED_KEY_MAX];
    struct toml_node *next = toml_tree_child(*table, buf_str(key), key->len);
    if (!next) {
        next = node_new(TOML_TABLE, TOML_DOTTED);
        next->section = section;
        next->line = s->line;
        next->key_start = start;
        int r = attach(s, *table, next, key);
        if (r < 0)
            return r;
    } else if (next->kind != TOML_TABLE) {
        return scan_fail(s, "'%s' is not a table, line %d gave it a value", key_text(key, name), next->line);
    } else if (next->origin == TOML_IMPLICIT) {
        next->origin = TOML_DOTTED;
        next->section = section;
    } else if (next->origin != TOML_DOTTED) {
        return scan_fail(s, "table '%s' is complete since line %d and cannot be extended here", key_text(key, name),
                         next->line);
    }
    *table = next;
    return 0;
}

// key = value, in a table's lines or inside an inline table.
static int parse_pair(struct scan *s, struct toml_node *table, struct toml_node *section, struct toml_node **ret)
{
    AUTO_BUF struct buf key = BUF_INIT;
    char name[QUOTED_KEY_MAX];
    size_t start = s->pos;
    bool more = false;
    int r = read_part(s, &key, &more);
    while (r >= 0 && more) {
        r = dotted_step(s, &table, &key, section, start);
        if (r >= 0)
            r = read_part(s, &key, &more);
    }
    if (r < 0)
        return r;
    const struct toml_node *twin = toml_tree_child(table, buf_str(&key), key.len);
    if (twin)
        return scan_fail(s, "'%s' is defined already in line %d", key_text(&key, name), twin->line);
    if (!scan_take(s, '='))
        return scan_fail(s, "expected '=' behind the key '%s'", key_text(&key, name));
    scan_blanks(s);
    r = parse_value(s, table, &key, section, ret);
    if (r >= 0)
        (*ret)->key_start = start;
    return r;
}

static int parse_inline_table(struct scan *s, struct toml_node *table, struct toml_node *section)
{
    s->pos++;
    scan_blanks(s);
    if (scan_take(s, '}'))
        return 0;
    for (;;) {
        struct toml_node *child = NULL;
        scan_blanks(s);
        int r = parse_pair(s, table, section, &child);
        if (r < 0)
            return r;
        scan_blanks(s);
        if (scan_take(s, '}'))
            return 0;
        if (!scan_take(s, ','))
            return scan_fail(s, "expected ',' or '}' in the inline table (it must stand on one line)");
    }
}

static int parse_array(struct scan *s, struct toml_node *array, struct toml_node *section)
{
    s->pos++;
    for (;;) {
        int r = scan_gaps(s);
        if (r < 0)
            return r;
        if (scan_take(s, ']'))
            return 0;
        struct toml_node *child = NULL;
        if ((r = parse_value(s, array, NULL, section, &child)) < 0 || (r = scan_gaps(s)) < 0)
            return r;
        if (scan_take(s, ']'))
            return 0;
        if (!scan_take(s, ','))
            return scan_fail(s, "expected ',' or ']' in the array");
    }
}

static int parse_value(struct scan *s, struct toml_node *parent, const struct buf *key, struct toml_node *section,
                       struct toml_node **ret)
{
    int c = scan_peek(s);
    enum toml_kind kind = c == '{' ? TOML_TABLE : c == '[' ? TOML_ARRAY : TOML_SCALAR;
    struct toml_node *n = node_new(kind, TOML_INLINE);
    n->section = section;
    n->line = s->line;
    n->key_start = n->val_start = s->pos;
    int r = attach(s, parent, n, key);
    if (r < 0)
        return r;
    r = kind == TOML_TABLE   ? parse_inline_table(s, n, section)
        : kind == TOML_ARRAY ? parse_array(s, n, section)
                             : scan_scalar(s, &n->scalar);
    n->val_end = s->pos;
    *ret = n;
    return r;
}

// One step of a header, not the last one.
static int header_step(struct scan *s, struct toml_node **table, const struct buf *key)
{
    char name[QUOTED_KEY_MAX];
    struct toml_node *next = toml_tree_child(*table, buf_str(key), key->len);
    if (!next) {
        next = node_new(TOML_TABLE, TOML_IMPLICIT);
        next->line = s->line;
        int r = attach(s, *table, next, key);
        if (r < 0)
            return r;
    } else if (next->kind == TOML_ARRAY && next->origin == TOML_TABLES) {
        next = next->kids.items[next->kids.len - 1];
    } else if (next->kind != TOML_TABLE || next->origin == TOML_INLINE) {
        return scan_fail(s, "'%s' has a value since line %d and cannot get a table of that name", key_text(key, name),
                         next->line);
    }
    *table = next;
    return 0;
}

// The table that a header's last key names: new, or an implicit one that becomes explicit.
static int header_table(struct scan *s, struct toml_node *parent, const struct buf *key, bool array,
                        struct toml_node **ret)
{
    char name[QUOTED_KEY_MAX];
    struct toml_node *n = toml_tree_child(parent, buf_str(key), key->len);
    int r = 0;
    if (array) {
        if (n && (n->kind != TOML_ARRAY || n->origin != TOML_TABLES))
            return scan_fail(s, "'%s' is not an array of tables, line %d made it something else", key_text(key, name),
                             n->line);
        if (!n) {
            n = node_new(TOML_ARRAY, TOML_TABLES);
            n->line = s->line;
            r = attach(s, parent, n, key);
        }
        parent = n;
        n = NULL;
    }
    if (r < 0)
        return r;
    if (!n) {
        n = node_new(TOML_TABLE, TOML_HEADER);
        r = attach(s, parent, n, array ? NULL : key);
    } else if (n->kind == TOML_TABLE && n->origin == TOML_IMPLICIT) {
        n->origin = TOML_HEADER;
    } else {
        return scan_fail(s, "'%s' is defined already in line %d", key_text(key, name), n->line);
    }
    n->line = s->line;
    n->section = n;
    *ret = n;
    return r;
}

static int parse_header(struct scan *s, struct toml_node *root, struct toml_node **ret)
{
    AUTO_BUF struct buf key = BUF_INIT;
    struct toml_node *table = root;
    bool array = s->pos + 1 < s->len && s->text[s->pos + 1] == '[', more = false;
    s->pos += array ? 2 : 1;
    scan_blanks(s);
    int r = read_part(s, &key, &more);
    while (r >= 0 && more) {
        r = header_step(s, &table, &key);
        if (r >= 0)
            r = read_part(s, &key, &more);
    }
    if (r < 0)
        return r;
    if (!scan_take(s, ']') || (array && !scan_take(s, ']')))
        return scan_fail(s, "expected '%s' at the end of the header", array ? "]]" : "]");
    r = header_table(s, table, &key, array, ret);
    return r < 0 ? r : scan_line_end(s);
}

static int parse_document(struct scan *s, struct toml_node *root)
{
    struct toml_node *table = root;
    while (s->pos < s->len) {
        size_t start = s->line_start;
        int r = 0;
        scan_blanks(s);
        int c = scan_peek(s);
        if (c == '[') {
            r = parse_header(s, root, &table);
            if (r >= 0)
                table->body_end = s->pos;
        } else if (c == -1 || c == '#' || c == '\r' || c == '\n') {
            r = scan_line_end(s);
        } else {
            struct toml_node *child = NULL;
            r = parse_pair(s, table, table, &child);
            if (r >= 0)
                r = scan_line_end(s);
            if (r >= 0) {
                child->stmt_start = table->last_stmt = start;
                child->stmt_end = table->body_end = s->pos;
            }
        }
        if (r < 0)
            return r;
    }
    return 0;
}

// Points the scanner at the first byte that is not UTF-8.
static int check_utf8(struct scan *s)
{
    if (str_utf8_valid(s->text, s->len))
        return 0;
    size_t start = 0;
    for (;;) {
        const char *end = memchr(s->text + start, '\n', s->len - start);
        size_t n = end ? (size_t)(end - s->text) + 1 - start : s->len - start;
        if (!str_utf8_valid(s->text + start, n))
            break;
        start += n;
        s->line++;
    }
    s->line_start = s->pos = start;
    return scan_fail(s, "the line is not UTF-8 text");
}

struct toml_node *toml_tree_new(const char *text, size_t len, const char *what, struct err *err)
{
    if (len > TOML_TEXT_MAX) {
        err_set(err, ERR_LIMIT, "%s is larger than %zu bytes", what, TOML_TEXT_MAX);
        return NULL;
    }
    struct scan s = {.text = text, .len = len, .line = 1, .what = what, .err = err};
    struct toml_node *root = node_new(TOML_TABLE, TOML_HEADER);
    root->section = root;
    if (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
        s.pos = s.line_start = 3;
    root->body_end = s.pos;
    if (check_utf8(&s) < 0 || parse_document(&s, root) < 0)
        return toml_tree_free(root);
    return root;
}

json_t *toml_tree_json_new(const struct toml_node *node)
{
    if (node->kind == TOML_SCALAR)
        return json_incref(node->scalar);
    json_t *v = node->kind == TOML_ARRAY ? json_array() : json_object();
    for (size_t i = 0; i < node->kids.len; i++) {
        const struct toml_node *kid = node->kids.items[i];
        json_t *value = toml_tree_json_new(kid);
        must((node->kind == TOML_ARRAY ? json_array_append_new(v, value)
                                       : json_object_setn_new(v, kid->key, kid->key_len, value)) == 0);
    }
    return v;
}
