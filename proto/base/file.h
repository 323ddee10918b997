// Files and paths: bounded reads, atomic writes, directories, path arithmetic. Descriptors are close-on-exec.
#pragma once

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

// Reads a whole regular file of at most max bytes. *ret is NUL-terminated and owned by the caller.
int file_read(const char *path, size_t max, char **ret, size_t *ret_len, struct err *err);
// The same for a file that need not be there: *ret is NULL then. Anything else that keeps it from being read is an
// error, a link that leads nowhere and a folder that cannot be looked into as well.
int file_read_if_there(const char *path, size_t max, char **ret, struct err *err);
// Writes to a temporary name in the same folder, then renames; with `durable` also fsyncs file and folder.
int file_write(const char *path, const void *data, size_t len, bool durable, struct err *err);
int file_copy(const char *from, const char *to, struct err *err); // mode kept
bool file_exists(const char *path);
// Something may be there: also a link that leads nowhere, and what cannot be looked at.
bool file_is_named(const char *path);
bool file_is_dir(const char *path);
int file_make_dirs(const char *path, struct err *err);          // like mkdir -p, mode 0777 & ~umask
int file_remove_tree(const char *path, struct err *err);        // does not follow links; absent is success
int file_hash(const char *path, char out[65], struct err *err); // SHA-256, any size

char *path_join(const char *a, const char *b); // b absolute: b; owned by the caller
char *path_dir(const char *path);              // "a/b/c" -> "a/b", "c" -> "."
const char *path_base(const char *path);       // borrowed
// To the folder above, in place; false, with nothing changed, when there is none ("/", ".").
bool path_up(char **path);
// Of the user who runs this: $XDG_CONFIG_HOME/<below>, else ~/.config/<below>; NULL when neither is known.
char *path_user_config(const char *below);
char *path_real(const char *path, struct err *err); // resolved and absolute, NULL on failure
// Path of `path` below `dir` (both absolute, no resolving): borrowed suffix, "" when equal, NULL when not below.
const char *path_below(const char *path, const char *dir);
// Finds a program in $PATH (or as given when it has a slash). Owned by the caller, NULL when there is none.
char *path_find_program(const char *name);
