// Log of facts on standard error: one line each, text for people or JSON for machines. The level is the only
// global of the project. Libraries below the engine log at debug only.
#pragma once

#include "base/attr.h"

#include <stdbool.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

void log_setup(enum log_level level, bool json);
bool log_level_from_name(const char *name, enum log_level *ret);
bool log_enabled(enum log_level level);

// log_fact(LOG_INFO, "stage_started", "run", run, "agent", agent, NULL): event name, then key/value string
// pairs, then NULL. A NULL value is written as an empty string.
void log_fact(enum log_level level, const char *event, ...) __attribute__((sentinel));
