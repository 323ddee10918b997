// Runs that do nothing but wait for time and for letters (signals, answers): of each, its id, its lock, the time it
// wakes up and what it has read. Everything else is in the journal, and a run that wakes up is replayed from there.
#pragma once

#include "base/err.h"
#include "loop/loop.h"
#include "store/store.h"

#include <stdbool.h>

struct parking;

// wake is called from the loop when the time has come, or when a cancel is asked for; the lock goes to it.
struct parking *parking_new(struct loop *loop, struct store *store,
                            void (*wake)(void *user, const char *run, struct store_lock *lock_take), void *user);
struct parking *parking_free(struct parking *p); // lets go of all runs. NULL allowed; returns NULL
void parking_add(struct parking *p, const char *run, struct store_lock *lock_take, int64_t wake_ns, // wall clock
                 int64_t seen); // a newer record of its inbox wakes it; -1: none does
size_t parking_count(const struct parking *p);
bool parking_has(const struct parking *p, const char *run);
bool parking_wake(struct parking *p, const char *run); // at once; false: it is not parked here
// Another process has written: looks for cancel requests and letters, a bounded number of runs per call. True: not all
// were looked at yet.
bool parking_look(struct parking *p);
