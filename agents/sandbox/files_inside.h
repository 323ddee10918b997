// Between the files of files.h only.
#pragma once

#include "call.h"
#include "policy/policy.h"
#include "sandbox/files.h"

#include <sys/stat.h>

struct files {
    struct exec_context *ctx; // NULL: a folder of the stage itself
    char *given, *root;       // as the caller named it, and resolved
    int fd;
    json_t *reads; // receipt that the reads of one rule share; borrowed from the context
};

// Opens below `dir` (a held folder). resolve: RESOLVE_* besides beneath and no magic links. A descriptor, or a negative
// errno value.
int files_openat(int dir, const char *path, int flags, unsigned resolve);
// The path as it is below the folder, "." for the folder itself; borrowed. What is not below it stays as it is.
const char *files_below(const struct files *f, const char *path);
// Decides and, when it is denied, leaves a receipt and says why.
int files_decide(struct files *f, const char *tool, const char *path, struct decision *ret, struct err *err);
void files_note_read(struct files *f, const char *tool, const char *path, size_t bytes, const struct decision *d);
void files_note_write(struct files *f, const char *tool, const char *path, const void *data, size_t len,
                      const struct decision *d);
// The place behind a descriptor, below the folder; owned by the caller. ERR_DENIED: it lies outside. ERR_CONFLICT: it
// has no name any more.
int files_place(const struct files *f, int fd, const char *path, char **ret, struct err *err);
