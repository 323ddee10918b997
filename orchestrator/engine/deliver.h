// What the pool reports goes to the run that owns the job. Runs have numbers that are never used twice, so that a late
// report of a run that is gone finds nobody.
#pragma once

#include "base/map.h"
#include "engine/metrics.h"
#include "pool/pool.h"
#include "store/store.h"

struct deliver {
    struct map runs; // run_serial -> struct run
    struct pool *pool;
    struct store *store;
    struct metrics *metrics; // may be NULL
};

extern const struct pool_events DELIVER_EVENTS; // their user is a struct deliver
