// Names and properties of run states, stage states and event kinds; the lists are in tbl/states.def and tbl/events.def.
#pragma once

#include "base/log.h"

#include <stdbool.h>

enum run_state {
#define RUN(code, name, final, status, script, meaning) RUN_##code,
#include "tbl/states.def"
    RUN_STATE_COUNT_
};

enum stage_state {
#define STAGE(code, name, final, meaning) STAGE_##code,
#include "tbl/states.def"
    STAGE_STATE_COUNT_
};

enum event_kind {
#define X(code, name, level, meaning) EVENT_##code,
#include "tbl/events.def"
    EVENT_KIND_COUNT_
};

const char *run_state_name(enum run_state state);
bool run_state_from_name(const char *name, enum run_state *ret); // false for NULL and unknown names
bool run_state_final(enum run_state state);
bool run_state_script_may(enum run_state state); // finish() accepts it
int run_state_exit_status(enum run_state state);
const char *run_state_meaning(enum run_state state);

const char *stage_state_name(enum stage_state state);
bool stage_state_from_name(const char *name, enum stage_state *ret);
bool stage_state_final(enum stage_state state);

const char *event_kind_name(enum event_kind kind);
enum log_level event_kind_level(enum event_kind kind);
