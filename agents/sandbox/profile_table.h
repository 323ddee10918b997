// The table of profiles: what ships (tbl/box_profiles.def), then what a site and a user add or replace (profile.h).
#pragma once

#include "base/err.h"
#include "base/vec.h"

#include <stdbool.h>
#include <stddef.h>

#define PROFILE_SITE_MAX ((size_t)64 * 1024) // bytes of a site's file
#define PROFILE_NAME_MAX 32
#define MEMORY_MIB_MOST  ((int64_t)1 << 30)

struct profile_entry {
    char *profile, *key, *words; // words: parted by one blank
    bool site;                   // from a file, not from the table that ships
    bool replaced;               // by a later one: does not count
};

struct profile_table {
    VEC(struct profile_entry) list;
};

// The files that are read, those that are not there too; freed with str_list_free.
char **profile_table_files(void);
// ERR_PARSE, ERR_LIMIT: a file is not understood; the text begins with file:line.
int profile_table_load(struct profile_table **ret, struct err *err);
// What ships, and `text` (may be NULL) as if it stood in a file of that name.
int profile_table_new(const char *text, const char *name, struct profile_table **ret, struct err *err);
void profile_table_free(struct profile_table *p);
// Words of one key of a profile (not of those it includes); freed with str_list_free.
char **profile_table_words(const struct profile_table *p, const char *profile, const char *key);
