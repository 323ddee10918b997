// The runs that a run has started, and those below them.
#pragma once

#include "store/store.h"
#include "json/json.h"

#define CHILDREN_SHOWN 300 // in a report

// [{run, workflow, state, waits: as of store_waits_new, children: the same}], oldest first.
json_t *children_new(struct store *store, const char *run);
// The same one below the other, with {depth} instead of children, for tables; cut at CHILDREN_SHOWN.
json_t *children_rows_new(const json_t *children);
