// The box of one call while it is put together; written out as baton-exec reads it (box.h).
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/vec.h"
#include "box.h"

struct plan_item {
    enum box_item_kind kind;
    unsigned mode;
    bool fixed; // later additions do not widen it
    char *path, *source;
    bool pinned;
    struct box_identity is;
};

struct plan {
    VEC(struct plan_item) items;
    enum box_net net;
    enum box_require require;
    enum box_given given;
    bool perf, keep_dac, counted;
    const char *groups[BOX_GROUPS];                     // borrowed
    uint64_t processes, pids_max, memory_max, file_max; // as in struct box
};

const char *box_net_name(enum box_net net); // "lo"
void plan_free(struct plan *p);
void plan_copy(const struct plan *from, struct plan *ret);
// A path twice: its rights add up. Sources that do not exist are left out.
void plan_mount(struct plan *p, unsigned mode, const char *path, const char *source);
// One file, which must still be that one when it is mounted.
void plan_pin(struct plan *p, unsigned mode, const char *path, const struct box_identity *is);
// Read-only whatever else is said about it.
void plan_seal(struct plan *p, const char *path, const char *source);
void plan_tmpfs(struct plan *p, unsigned mode, const char *path);
void plan_link(struct plan *p, const char *path, const char *target);
void plan_allow(struct plan *p, unsigned mode, const char *path);
// mount and allow of the same rights.
void plan_give(struct plan *p, unsigned mode, const char *path, const char *source);
// Whether a mount shows the host's `path` at the same place.
bool plan_covers(const struct plan *p, const char *path);
// ERR_INVALID: a path with a line break or a tab in it.
int plan_write(struct plan *p, struct buf *ret, struct err *err);
