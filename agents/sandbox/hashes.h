// SHA-256 of programs, kept in a file of the user's cache ($XDG_CACHE_HOME/baton/program-hashes, ~/.cache/…), so that a
// toolchain of 40 MB is read once and not in every stage. An entry counts for one version of one file: its device,
// inode, size and both time stamps; the time of the last change of the inode cannot be set by anybody. No box shows the
// file; one that is not ours, or that others may write, is not used.
#pragma once

#include "base/err.h"
#include "base/id.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

struct hashes;

#define HASHES_TEXT_MAX ((size_t)128 * 1024)
#define HASHES_MAX      512

// path NULL: the file of the user's cache; where there is none, hashes are kept in memory only.
struct hashes *hashes_new(const char *path);
void hashes_free(struct hashes *h);
// The hash of an open file that has the state `st`. ERR_IO, ERR_CONFLICT: it changed while it was read.
int hashes_take(struct hashes *h, int fd, const struct stat *st, const char *path, char ret[HASH_TEXT],
                struct err *err);
// Lines of the file; what is not understood is left out. For tests.
size_t hashes_parse(struct hashes *h, const char *text, size_t len);
