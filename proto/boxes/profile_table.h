// The table of profiles: what a tool's box has (tbl/box_profiles.def), then what a site and a user add or replace, in
//   /etc/baton/sandbox.profiles               the site's
//   $XDG_CONFIG_HOME/baton/sandbox.profiles   the user's (~/.config/…), both outside of every workspace
// One entry per line, keys and words as in tbl/box_keys.def and tbl/box_words.def:
//   # a comment
//   cargo program gfortran          adds
//   cargo network = host            replaces what was there
#pragma once

#include "base/err.h"
#include "base/vec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROFILE_SITE_MAX  ((size_t)64 * 1024) // bytes of a site's file
#define PROFILE_NAME_MAX  32
#define PROFILE_DEPTH_MAX 8 // of includes
#define MEMORY_MIB_MOST   ((int64_t)1 << 30)

enum box_key {
#define BOX_KEY(code, name, kind, meaning) BOX_KEY_##code,
#include "tbl/box_keys.def"
    BOX_KEY_COUNT_
};

struct profile_entry {
    char *profile, *words; // words: parted by one blank
    char *where;           // file:line of one from a file, or else NULL
    enum box_key key;
    bool site;     // from a file, not from the table that ships
    bool replaces; // said with '='
    bool replaced; // by a later one: does not count
};

struct profile_table {
    VEC(struct profile_entry) list;
};

const char *box_key_name(enum box_key key);
// Which of the words of the key (box_words.def) it is, -1: none.
int box_word_index(enum box_key key, const char *word);
const char *box_word(enum box_key key, int index); // the other way round; "?" for none

// The files that are read, those that are not there too; freed with str_list_free.
char **profile_table_files(void);
// ERR_PARSE, ERR_LIMIT: a file is not understood; the text begins with file:line. Also an error: one that is there and
// cannot be read.
int profile_table_load(struct profile_table **ret, struct err *err);
// What ships, and `text` (may be NULL) as if it stood in a file of that name.
int profile_table_new(const char *text, const char *name, struct profile_table **ret, struct err *err);
void profile_table_free(struct profile_table *p);

// profile_table_site_text of what the files say now; NULL with err, which is as of profile_table_load. Cheap where
// there are none.
char *profile_site_text_new(struct err *err);
// What the files said, as a text that profile_table_new understands: the same for all that mean the same line by line,
// "" when they say nothing. Owned by the caller.
char *profile_table_site_text(const struct profile_table *p);
// Words of one key of a profile (not of those it includes); freed with str_list_free.
char **profile_table_words(const struct profile_table *p, const char *profile, enum box_key key);
// The word that counts, of those of the profile and of what it includes; borrowed, NULL: nobody says anything.
const char *profile_table_word(const struct profile_table *p, const char *profile, enum box_key key);
// The least that any profile requires (enum box_require of box_words.def): without it no call at all is made.
int profile_table_least_require(const struct profile_table *p);
