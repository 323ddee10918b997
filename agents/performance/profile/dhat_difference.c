#include "profile/dhat.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

static json_t *two_new(const json_t *before, const json_t *after, const char *key)
{
    json_t *o = json_object();
    json_put_int(o, "before", json_int(before, key, 0));
    json_put_int(o, "after", json_int(after, key, 0));
    return o;
}

static json_t *amounts_new(const json_t *before, const json_t *after, const char *key)
{
    json_t *o = json_object();
    json_put(o, "bytes", two_new(json_obj(before, key), json_obj(after, key), "bytes"));
    json_put(o, "blocks", two_new(json_obj(before, key), json_obj(after, key), "blocks"));
    return o;
}

// Lines move with every change: a place is a function and what it calls there.
static char *key_of(const json_t *site)
{
    return str_printf("%s\n%s", json_str(site, "function", "?"), json_str(site, "what", ""));
}

// {key: {function …, bytes, blocks}}: places of the same key are one.
static json_t *by_key_new(const json_t *sites)
{
    json_t *all = json_object(), *site;
    size_t i;
    json_array_foreach (sites, i, site) {
        AUTO_FREE char *key = key_of(site);
        json_t *known = json_obj(all, key);
        if (!known) {
            json_put(all, key, json_copy(site));
            continue;
        }
        json_put_int(known, "bytes", json_int(known, "bytes", 0) + json_int(site, "bytes", 0));
        json_put_int(known, "blocks", json_int(known, "blocks", 0) + json_int(site, "blocks", 0));
    }
    return all;
}

static json_t *row_new(const json_t *before, const json_t *after)
{
    static const char *const KEYS[] = {"function", "short", "what", "file", "line", "crate_kind"};
    json_t *row = json_object();
    for (size_t i = 0; i < ARRAY_LEN(KEYS); i++) {
        json_t *v = json_object_get(after ? after : before, KEYS[i]);
        json_put(row, KEYS[i], v ? json_incref(v) : json_null());
    }
    json_put(row, "bytes", two_new(before, after, "bytes"));
    json_put(row, "blocks", two_new(before, after, "blocks"));
    return row;
}

static int64_t moved(const json_t *row, const char *key)
{
    int64_t d = json_int(json_obj(row, key), "after", 0) - json_int(json_obj(row, key), "before", 0);
    return d < 0 ? -d : d;
}

static int by_move(const void *a, const void *b)
{
    const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
    int64_t blocks = moved(y, "blocks") - moved(x, "blocks"), bytes = moved(y, "bytes") - moved(x, "bytes");
    return blocks ? (blocks > 0 ? 1 : -1) : bytes ? (bytes > 0 ? 1 : -1) : 0;
}

json_t *dhat_difference_new(const json_t *before, const json_t *after, size_t max)
{
    AUTO_JSON json_t *old = by_key_new(json_list(before, "sites")), *now = by_key_new(json_list(after, "sites"));
    json_t *o = json_object(), *rows = json_array(), *site, **order;
    const char *key;
    size_t n = 0;
    order = mem_array(json_object_size(old) + json_object_size(now), sizeof(json_t *));
    json_object_foreach (now, key, site)
        order[n++] = row_new(json_obj(old, key), site);
    json_object_foreach (old, key, site)
        if (!json_obj(now, key))
            order[n++] = row_new(site, NULL);
    if (n)
        qsort(order, n, sizeof(json_t *), by_move);
    for (size_t i = 0; i < n; i++) {
        if (i < max && (moved(order[i], "blocks") > 0 || moved(order[i], "bytes") > 0))
            json_array_append(rows, order[i]);
        json_decref(order[i]);
    }
    mem_free(order);
    json_put(o, "total", amounts_new(before, after, "total"));
    json_put(o, "peak", amounts_new(before, after, "peak"));
    json_put(o, "sites", rows);
    return o;
}
