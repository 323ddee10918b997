// What the journal of a resumed run says about stages, read once: where they are, and which calls of the script asked
// for them. A picture of the moment it was taken: what this process adds is not in it.
#pragma once

#include "base/id.h"
#include "store/store.h"

struct journaled;

struct journaled_call { // of a stage
    char key[HASH_TEXT];
    int occurrence;
    bool in_stage; // it stands in the row of its stage: the table of calls does not have it
};

int journaled_new(struct store *store, const char *run, struct journaled **ret, struct err *err);
struct journaled *journaled_free(struct journaled *j); // NULL allowed; returns NULL

// The stage with this key and occurrence, 0: there is none.
int journaled_stage(const struct journaled *j, const char *key, int occurrence);
// Whether a call has asked for it, begun or not.
bool journaled_is_called(const struct journaled *j, const char *key, int occurrence);
const struct journaled_call *journaled_call(const struct journaled *j, const char *task, unsigned n); // NULL: none
