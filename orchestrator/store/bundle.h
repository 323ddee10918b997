// A run as one file: everything the journal knows of it and every artifact it names, in a SQLite database of its own
// that opens anywhere. Reading needs no state folder.
//
//   part(name TEXT PRIMARY KEY, body TEXT)   "format", "run", "stages", "calls", "events", "handoffs", "artifacts" as
//   in store.h blob(hash TEXT PRIMARY KEY, data BLOB)   script, agent files, overflowed outputs, artifacts
#pragma once

#include "base/err.h"
#include "store/store.h"
#include "json/json.h"

#define BUNDLE_FORMAT   1
#define BUNDLE_BLOB_MAX ((size_t)256 << 20)

// Writes the file (replaced whole or not at all). Artifacts that are gone are left out and counted in *ret_missing.
int bundle_write(struct store *store, const char *run, const char *path, size_t *ret_missing, struct err *err);

struct bundle;

// ERR_PARSE: not a bundle. ERR_UNSUPPORTED: written by a newer baton.
int bundle_open(const char *path, struct bundle **ret, struct err *err);
struct bundle *bundle_close(struct bundle *b); // NULL allowed; returns NULL
json_t *bundle_part_new(struct bundle *b, const char *name, struct err *err);
// Content checked against its hash. *ret is owned by the caller.
int bundle_blob(struct bundle *b, const char *hash, char **ret, size_t *ret_len, struct err *err);
