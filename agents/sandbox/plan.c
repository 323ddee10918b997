#include "plan.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const NETS[] =
    {
#define BOX_NETWORK(code, word, meaning) word,
#include "tbl/box_words.def"
},
                         *const REQUIRES[] = {
#define BOX_REQUIRE(code, word, meaning) word,
#include "tbl/box_words.def"
};

const char *box_net_name(enum box_net net)
{
    return NETS[net];
}

void plan_free(struct plan *p)
{
    for (size_t i = 0; i < p->items.len; i++) {
        mem_free(p->items.items[i].path);
        mem_free(p->items.items[i].source);
    }
    vec_free(&p->items);
}

void plan_copy(const struct plan *from, struct plan *ret)
{
    *ret = *from;
    memset(&ret->items, 0, sizeof(ret->items));
    for (size_t i = 0; i < from->items.len; i++) {
        struct plan_item item = from->items.items[i];
        item.path = str_dup(item.path);
        item.source = str_dup(item.source);
        vec_push(&ret->items, item);
    }
}

static struct plan_item *find(struct plan *p, enum box_item_kind kind, const char *path)
{
    for (size_t i = 0; i < p->items.len; i++)
        if (p->items.items[i].kind == kind && str_eq(p->items.items[i].path, path))
            return &p->items.items[i];
    return NULL;
}

static struct plan_item *put(struct plan *p, enum box_item_kind kind, unsigned mode, const char *path,
                             const char *source)
{
    struct plan_item *old = find(p, kind, path);
    if (old) {
        if (!old->fixed)
            old->mode |= mode;
        if (!old->fixed && source)
            str_set(&old->source, source);
        return old;
    }
    vec_push(&p->items,
             (struct plan_item){.kind = kind, .mode = mode, .path = str_dup(path), .source = str_dup(source)});
    return &p->items.items[p->items.len - 1];
}

void plan_mount(struct plan *p, unsigned mode, const char *path, const char *source)
{
    if (access(source, F_OK) == 0)
        put(p, BOX_MOUNT, mode, path, source);
}

void plan_pin(struct plan *p, unsigned mode, const char *path, const struct box_identity *is)
{
    struct plan_item *item = put(p, BOX_MOUNT, mode, path, path);
    item->pinned = is->changed_ns >= 0; // before 1970: not worth a format
    item->is = *is;
}

void plan_seal(struct plan *p, const char *path, const char *source)
{
    if (access(source, F_OK) != 0)
        return;
    struct plan_item *item = put(p, BOX_MOUNT, BOX_READ, path, source);
    item->mode = BOX_READ;
    item->fixed = true;
}

void plan_tmpfs(struct plan *p, unsigned mode, const char *path)
{
    put(p, BOX_TMPFS, mode, path, NULL);
    put(p, BOX_ALLOW, mode, path, NULL);
}

void plan_link(struct plan *p, const char *path, const char *target)
{
    put(p, BOX_LINK, 0, path, target);
}

void plan_allow(struct plan *p, unsigned mode, const char *path)
{
    put(p, BOX_ALLOW, mode & (BOX_READ | BOX_WRITE | BOX_EXEC), path, NULL);
}

void plan_give(struct plan *p, unsigned mode, const char *path, const char *source)
{
    plan_mount(p, mode, path, source);
    plan_allow(p, mode | (mode & BOX_OVERLAY ? BOX_WRITE : 0U), path);
}

bool plan_covers(const struct plan *p, const char *path)
{
    size_t best = 0;
    bool same = false;
    for (size_t i = 0; i < p->items.len; i++) {
        const struct plan_item *item = &p->items.items[i];
        if ((item->kind != BOX_MOUNT && item->kind != BOX_TMPFS) || !path_below(path, item->path) ||
            strlen(item->path) < best)
            continue;
        best = strlen(item->path);
        same = item->kind == BOX_MOUNT && str_eq(item->source, item->path) && item->mode & (BOX_EXEC | BOX_MAP);
    }
    return same;
}

// Links first: mounts may lie behind them. Then outer before inner, which is the order of the texts.
static int rank(enum box_item_kind kind)
{
    return kind == BOX_LINK ? 0 : kind == BOX_ALLOW ? 2 : 1;
}

static int by_order(const void *a, const void *b)
{
    const struct plan_item *x = a, *y = b;
    int d = rank(x->kind) - rank(y->kind);
    return d ? d : strcmp(x->path, y->path);
}

static void mode_text(unsigned mode, char ret[8])
{
    static const char LETTERS[] = "rwxmo";
    size_t n = 0;
    for (size_t i = 0; i < 5; i++)
        if (mode & (1U << i))
            ret[n++] = LETTERS[i];
    ret[n] = '\0';
}

static int write_item(const struct plan_item *item, struct buf *b, struct err *err)
{
    static const char *const VERBS[] = {
        [BOX_MOUNT] = "mount", [BOX_TMPFS] = "tmpfs", [BOX_LINK] = "link", [BOX_ALLOW] = "allow"};
    char mode[8];
    mode_text(item->mode, mode);
    if (strpbrk(item->path, "\t\n") || (item->source && strpbrk(item->source, "\t\n")))
        return err_set(err, ERR_INVALID,
                       "'%s' has a tab or a line break in its name, which tools cannot be given; rename it",
                       item->path);
    buf_str_add(b, VERBS[item->kind]);
    if (item->kind != BOX_LINK)
        buf_printf(b, "\t%s", mode);
    buf_printf(b, "\t%s", item->path);
    if (item->source)
        buf_printf(b, "\t%s", item->source);
    if (item->pinned)
        buf_printf(b, "\t%" PRIu64 ":%" PRIu64 ":%" PRIu64 ":%" PRId64, item->is.device, item->is.inode, item->is.size,
                   item->is.changed_ns);
    buf_char(b, '\n');
    return 0;
}

int plan_write(struct plan *p, struct buf *b, struct err *err)
{
    buf_printf(b, "net\t%s\nrequire\t%s\n", NETS[p->net], REQUIRES[p->require]);
    if (p->given)
        buf_printf(b, "given\t%s\n", p->given == BOX_GIVEN_USER ? "user" : "net");
    buf_str_add(b, p->perf ? "perf\n" : "");
    buf_str_add(b, p->keep_dac ? "keep_dac\n" : "");
    buf_str_add(b, p->counted ? "counted\n" : "");
    for (size_t i = 0; i < BOX_GROUPS && p->groups[i]; i++)
        buf_printf(b, "group\t%s\n", p->groups[i]);
    if (p->pids_max)
        buf_printf(b, "pids\t%llu\n", (unsigned long long)p->pids_max);
    if (p->processes)
        buf_printf(b, "processes\t%llu\n", (unsigned long long)p->processes);
    if (p->memory_max)
        buf_printf(b, "memory\t%llu\n", (unsigned long long)p->memory_max);
    if (p->file_max)
        buf_printf(b, "file\t%llu\n", (unsigned long long)p->file_max);
    if (p->items.len > BOX_ITEMS_MAX)
        return err_set(err, ERR_LIMIT, "the box of a call has %zu entries, at most %d are possible", p->items.len,
                       BOX_ITEMS_MAX);
    if (p->items.len)
        qsort(p->items.items, p->items.len, sizeof(p->items.items[0]), by_order);
    int r = 0;
    for (size_t i = 0; i < p->items.len && r == 0; i++)
        r = write_item(&p->items.items[i], b, err);
    if (r == 0 && b->len >= BOX_TEXT_MAX)
        r = err_set(err, ERR_LIMIT, "the description of a call's box is %zu bytes, at most %zu are possible", b->len,
                    BOX_TEXT_MAX);
    return r;
}
