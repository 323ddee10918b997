// The journaled events for people and machines: what `baton events` and `baton logs` print. An event has an id; ids
// grow in the order in which events became durable, so whoever knows the last id it has seen goes on behind it, and
// misses and repeats none.
#pragma once

#include "base/err.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

struct event_view {
    struct store *store;
    const char *run;          // NULL: of all runs and the service
    const char *const *kinds; // "stage_finished", "stage_*"; NULL-terminated; none: all
    bool json;                // one object per line
    bool whole;               // ids and runs, too
    int64_t since;            // the last one seen; moves on
};

// ERR_INVALID: no event is ever of that kind.
int events_check_kind(const char *kind, struct err *err);
// Prints what is there behind `since`. ERR_IO when nobody reads any more.
int events_print(struct event_view *view, struct err *err);
