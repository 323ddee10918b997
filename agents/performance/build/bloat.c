#include "buildinfo/bloat.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "buildinfo/symbols.h"
#include "profile/demangle.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

// Behind a '<' of generic arguments: the text behind its '>'. An arrow is no end.
static const char *behind_arguments(const char *p)
{
    int depth = 1;
    for (; *p && depth; p++)
        depth += *p == '<' ? 1 : *p == '>' && p[-1] != '-' ? -1 : 0;
    return p;
}

char *bloat_plain_name(const char *demangled)
{
    struct buf out = BUF_INIT;
    for (const char *p = demangled; *p;) {
        bool turbofish = strncmp(p, "::<", 3) == 0,
             type = *p == '<' && p > demangled && (isalnum((unsigned char)p[-1]) || p[-1] == '_');
        if (turbofish || type)
            p = behind_arguments(p + (turbofish ? 3 : 1));
        else
            buf_char(&out, *p++);
    }
    char *text = buf_steal(&out);
    buf_free(&out);
    return text;
}

static void add_to(json_t *sums, const char *name, uint64_t bytes)
{
    json_t *row = json_obj(sums, name);
    if (!row) {
        row = json_object();
        json_put(sums, name, row);
    }
    json_put_int(row, "bytes", json_int(row, "bytes", 0) + (int64_t)bytes);
    json_put_int(row, "n", json_int(row, "n", 0) + 1);
}

struct entry {
    const char *name;
    int64_t bytes, n;
};

static int by_bytes(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    return x->bytes != y->bytes ? (x->bytes < y->bytes ? 1 : -1) : strcmp(x->name, y->name);
}

// The largest entries with at least `least` members.
static json_t *rows_new(json_t *sums, int64_t least, const char *name_key, const char *count_key)
{
    size_t n = 0;
    struct entry *entries = mem_array(json_object_size(sums) + 1, sizeof(*entries));
    const char *name;
    json_t *sum, *rows = json_array();
    json_object_foreach (sums, name, sum)
        if (json_int(sum, "n", 0) >= least)
            entries[n++] = (struct entry){name, json_int(sum, "bytes", 0), json_int(sum, "n", 0)};
    qsort(entries, n, sizeof(*entries), by_bytes);
    for (size_t i = 0; i < n && i < BLOAT_ROWS_MAX; i++) {
        json_t *row = json_object();
        json_put_str(row, name_key, entries[i].name);
        json_put_int(row, "bytes", entries[i].bytes);
        json_put_int(row, count_key, entries[i].n);
        json_array_append_new(rows, row);
    }
    mem_free(entries);
    return rows;
}

static int by_size(const void *a, const void *b)
{
    const struct symbol *x = a, *y = b;
    return x->size != y->size ? (x->size < y->size ? 1 : -1) : strcmp(x->name, y->name);
}

static char *crate_new(const char *name)
{
    size_t len = 0;
    const char *crate = demangle_crate(name, &len);
    return len ? str_ndup(crate, len) : str_dup("not Rust");
}

static json_t *largest_new(const struct symbols *s)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < s->count && i < BLOAT_ROWS_MAX; i++) {
        AUTO_FREE char *name = demangle(s->items[i].name), *crate = crate_new(name), *brief = demangle_short(name);
        json_t *row = json_object();
        json_put_str(row, "function", name);
        json_put_str(row, "short", brief);
        json_put_str(row, "crate", crate);
        json_put_int(row, "bytes", (int64_t)s->items[i].size);
        json_array_append_new(rows, row);
    }
    return rows;
}

int bloat_parse(const void *data, size_t len, json_t **ret, struct err *err)
{
    struct symbols s;
    int r = symbols_read(data, len, &s, err);
    if (r < 0)
        return r;
    AUTO_JSON json_t *crates = json_object();
    AUTO_JSON json_t *names = json_object();
    uint64_t sum = 0;
    for (size_t i = 0; i < s.count; i++) {
        AUTO_FREE char *name = demangle(s.items[i].name), *crate = crate_new(name), *plain = bloat_plain_name(name);
        sum += s.items[i].size;
        add_to(crates, crate, s.items[i].size);
        if (!str_eq(crate, "not Rust"))
            add_to(names, plain, s.items[i].size);
    }
    qsort(s.items, s.count, sizeof(*s.items), by_size);
    json_t *out = json_object();
    json_put_int(out, "text_bytes", (int64_t)s.text_bytes);
    json_put_int(out, "symbol_bytes", (int64_t)sum);
    json_put_int(out, "functions", (int64_t)s.count);
    json_put(out, "crates", rows_new(crates, 1, "crate", "functions"));
    json_put(out, "largest", largest_new(&s));
    json_put(out, "generic", rows_new(names, 2, "function", "copies"));
    symbols_free(&s);
    *ret = out;
    return 0;
}

int bloat_read(const char *path, json_t **ret, struct err *err)
{
    char *data = NULL;
    size_t len = 0;
    int r = file_read(path, BLOAT_FILE_MAX, &data, &len, err);
    if (r == 0)
        r = bloat_parse(data, len, ret, err);
    mem_free(data);
    return r < 0 ? err_wrap(err, "'%s'", path) : 0;
}
