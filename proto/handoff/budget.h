// Inside proto/handoff: brings a handoff object below HANDOFF_BYTES_MAX.
#pragma once

#include "handoff/handoff.h"

size_t budget_size(const json_t *v); // bytes of canonical JSON
// Changes `handoff` (owned by the caller, shared with nobody). ERR_LIMIT when nothing that may be moved is left.
int budget_fit(json_t *handoff, const struct handoff_store *store, struct err *err);
