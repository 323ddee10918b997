// Log of facts on standard error: one line each, text for people or JSON for machines. The level is the only
// global of the project. Libraries below the engine log at debug only.
//     {"time": "2026-11-22T21:22:37.123Z", "level": "info", "event": "run_ended", "run": "relay-7f3k2q" or null, "fields": {…}}
#pragma once

#include "base/attr.h"

#include <stdbool.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

void log_setup(enum log_level level, bool json);
bool log_level_from_name(const char *name, enum log_level *ret);
bool log_enabled(enum log_level level);

// log_fact(LOG_INFO, "stage_started", "run", run, "agent", agent, NULL): event name, then key/value string
// pairs, then NULL. The pair "run" names the run. A NULL value is written as an empty string; bytes that are no UTF-8 become U+FFFD.
void log_fact(enum log_level level, const char *event, ...) __attribute__((sentinel));
// The same with the fields as one line of JSON (an object), as events have them. run may be NULL.
void log_event(enum log_level level, const char *event, const char *run, const char *fields);
