#include "rust/imports.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"

#include <string.h>

#define USE_DEPTH_MAX 16
#define USE_PATH_MAX  1024

struct uses {
    const struct rust_tokens *t;
    VEC(struct rust_import) found;
};

static void add(struct uses *u, const char *path, const char *alias)
{
    const char *last = strrchr(path, ':');
    const char *name = alias ? alias : last ? last + 1 : path;
    if (u->found.len >= RUST_IMPORTS_MAX || !*name || str_eq(name, "_"))
        return;
    struct rust_import import = {.name = str_dup(name), .path = str_dup(path)};
    vec_push(&u->found, import);
}

// One tree of a use declaration: path, path::{trees}, path as alias. Returns the token behind it.
static uint32_t use_tree(struct uses *u, uint32_t i, uint32_t end, const char *prefix, int depth)
{
    const struct rust_tokens *t = u->t;
    struct buf path = BUF_MAX(USE_PATH_MAX);
    buf_str_add(&path, prefix);
    while (i < end) {
        if (rust_is_op(t, i, "::")) {
            i += 2;
        } else if (rust_is_any_ident(t, i) && !rust_is_ident(t, i, "as")) {
            bool self_at_end = rust_is_ident(t, i, "self") && path.len > 0;
            if (!self_at_end) {
                if (path.len > 0)
                    buf_str_add(&path, "::");
                buf_add(&path, t->text + t->items[i].start, t->items[i].end - t->items[i].start);
            }
            i++;
        } else {
            break;
        }
    }
    if (rust_is_punct(t, i, '{') && t->items[i].partner != RUST_NONE && depth < USE_DEPTH_MAX) {
        uint32_t close = t->items[i].partner;
        for (uint32_t k = i + 1; k < close;) {
            uint32_t next = use_tree(u, k, close, buf_str(&path), depth + 1);
            k = rust_is_punct(t, next, ',') ? next + 1 : next > k ? next : k + 1;
        }
        i = close + 1;
    } else if (rust_is_ident(t, i, "as") && rust_is_any_ident(t, i + 1)) {
        char *alias = rust_token_text(t, i + 1);
        add(u, buf_str(&path), alias);
        mem_free(alias);
        i += 2;
    } else if (path.len > 0 && !rust_is_punct(t, i, '*')) {
        add(u, buf_str(&path), NULL);
    }
    buf_free(&path);
    return i;
}

void rust_imports_find(const struct rust_tokens *t, struct rust_items *items)
{
    struct uses u = {.t = t};
    for (uint32_t i = 0; i < t->count; i++) {
        if (!rust_is_ident(t, i, "use") || items->excluded[i])
            continue;
        uint32_t end = i + 1;
        while (end < t->count && !rust_is_punct(t, end, ';'))
            end = rust_skip_group(t, end);
        use_tree(&u, i + 1, end < t->count ? end : t->count, "", 0);
        i = end;
    }
    items->imports = u.found.items;
    items->import_count = u.found.len;
}
