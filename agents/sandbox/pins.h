// Programs as they are when a stage first asks for them. From then on the stage starts that file and no other: a name
// means the same path, and the path the same inode with the same content. What was replaced meanwhile is refused here
// with a sentence, and what is replaced between this look and the start is refused by baton-exec, which compares the
// file it has already mounted (box.h).
//
// One per stage; not for several threads.
#pragma once

#include "base/err.h"
#include "base/id.h"
#include "box.h"

struct pins;

struct pin {
    const char *path; // resolved
    struct box_identity is;
    int64_t status_ns;    // last change of the inode: time stamps of content can be set, this one cannot
    char hash[HASH_TEXT]; // "" until pins_hash
};

// changeable: resolved folders whose content is the agent's, NULL-terminated, copied. What lies there is not pinned: it
// is to be changed and built.
struct pins *pins_new(char *const *changeable);
void pins_free(struct pins *p);

// Files in the folders of `path` (text of PATH) whose name fits: for a plain name the first one, for a pattern with * ?
// [ all of them. Looked up once; NULL-terminated, borrowed.
char *const *pins_named(struct pins *p, const char *path, const char *pattern);
// The first file of a plain name, NULL: none. Borrowed.
const char *pins_find(struct pins *p, const char *path, const char *name);

// The program at `path` (absolute). ERR_NOT_FOUND: no program. ERR_DENIED: it is not the one it was. Borrowed.
int pins_take(struct pins *p, const char *path, const struct pin **ret, struct err *err);
// The same with its hash.
int pins_hash(struct pins *p, const char *path, const struct pin **ret, struct err *err);
// What it was, whatever it is now; NULL when it is no program, or lies in a changeable folder. For a box, which
// compares again.
const struct pin *pins_was(struct pins *p, const char *path);
bool pins_changeable(const struct pins *p, const char *path); // path resolved
