// The file tools: files of a project, read and changed by the worker itself and not in a box. Every path is opened by
// the kernel below a folder that is held open (openat2 with RESOLVE_BENEATH and RESOLVE_NO_MAGICLINKS), so a link or a
// folder that is swapped meanwhile cannot lead outside. The policy decides twice: on the path as it was asked for, and
// on the place the kernel really came to. Rules of files are about paths below the held folder. Everything leaves a
// receipt; reads of one rule share one.
//
// Only regular files are read and changed. Changing also refuses links and files with a second name. A write is a new
// file that takes the name of the old one; readers see one or the other.
//
// Without openat2 (Linux before 5.6, some containers) nothing is opened: ERR_UNSUPPORTED.
//
// Lifetime: the context must outlive the files. Thread rule: that of the context.
#pragma once

#include "sandbox/exec.h"

#define FILES_READ_MAX    ((size_t)64 << 20) // of one file, whatever is asked for
#define FILES_FOUND_MAX   20000              // paths of one files_glob
#define FILES_ENTRIES_MAX 500000             // looked at by one files_glob
#define FILES_DEPTH_MAX   64
#define FILES_LINES_MAX   1000 // of one files_grep
#define FILES_LINE_MAX    400  // bytes of a line that is kept

struct files;

int files_open(struct exec_context *ctx, const char *root, struct files **ret, struct err *err);
void files_free(struct files *f);
const char *files_root(const struct files *f); // resolved; borrowed

// Paths are relative to the folder, or absolute and below it. Errors of all of these: ERR_DENIED (a rule that would
// allow it is named), ERR_NOT_FOUND, ERR_INVALID (no regular file), ERR_LIMIT (too large), ERR_CONFLICT (it is being
// changed by somebody).

// At most `max` bytes. *ret is NUL-terminated and owned by the caller.
int files_read(struct files *f, const char *path, size_t max, char **ret, size_t *ret_len, struct err *err);
// Makes the folders on the way. The mode of a file that is there is kept.
int files_write(struct files *f, const char *path, const void *data, size_t len, struct err *err);
// Replaces the one place where `old` stands: ERR_NOT_FOUND when it does not, ERR_CONFLICT when it does more than once.
int files_edit(struct files *f, const char *path, const char *old, const char *new_text, struct err *err);
int files_remove(struct files *f, const char *path, struct err *err); // absent is success

// Sets the time of a regular file to now, as an edit would, for who may read it.
int files_touch(struct files *f, const char *path, struct err *err);

// A folder of the stage itself (cache, spool), which its tools change, too: the same containment, but no rule is asked
// and no receipt left.
int files_open_own(const char *root, struct files **ret, struct err *err);
// Copies a regular file of any size out to `to`, which must not exist; the mode is kept.
int files_copy_out(struct files *f, const char *path, const char *to, struct err *err);

// Settings of the build (".cargo/config.toml" of a folder), which no rule can grant because they steer tools: the
// worker's own step for what it has measured, allowed where Cargo.toml of the same folder may be written. The caller
// answers for the content. data NULL: removes the file.
int files_write_settings(struct files *f, const char *path, const void *data, size_t len, struct err *err);

// Regular files whose path fits the pattern ("**" any folders) and that may be read, sorted: array of paths. Links are
// not followed. New reference.
int files_glob(struct files *f, const char *pattern, json_t **ret, struct err *err);
// Lines that contain `text` in files that fit the pattern: {"matches": [{path, line, text}], "cut": bool}. New
// reference.
int files_grep(struct files *f, const char *text, const char *pattern, json_t **ret, struct err *err);
