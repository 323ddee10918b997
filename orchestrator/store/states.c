#include "store/states.h"

#include "base/str.h"

static const struct {
    const char *name, *meaning;
    bool final, script;
    int status;
} RUNS[RUN_STATE_COUNT_] = {
#define RUN(code, state_name, is_final, exit_status, by_script, what)                                                  \
    [RUN_##code] = {state_name, what, is_final, by_script, exit_status},
#include "tbl/states.def"
};

static const struct {
    const char *name;
    bool final;
} STAGES[STAGE_STATE_COUNT_] = {
#define STAGE(code, state_name, is_final, what) [STAGE_##code] = {state_name, is_final},
#include "tbl/states.def"
};

static const struct {
    const char *name;
    enum log_level level;
} EVENTS[EVENT_KIND_COUNT_] = {
#define X(code, event_name, log_at, what) [EVENT_##code] = {event_name, LOG_##log_at},
#include "tbl/events.def"
};

const char *run_state_name(enum run_state state)
{
    return (unsigned)state < RUN_STATE_COUNT_ ? RUNS[state].name : "unknown";
}

bool run_state_from_name(const char *name, enum run_state *ret)
{
    for (unsigned i = 0; i < RUN_STATE_COUNT_; i++) {
        if (name && str_eq(name, RUNS[i].name)) {
            *ret = (enum run_state)i;
            return true;
        }
    }
    return false;
}

bool run_state_final(enum run_state state)
{
    return (unsigned)state < RUN_STATE_COUNT_ && RUNS[state].final;
}

bool run_state_script_may(enum run_state state)
{
    return (unsigned)state < RUN_STATE_COUNT_ && RUNS[state].script;
}

int run_state_exit_status(enum run_state state)
{
    return (unsigned)state < RUN_STATE_COUNT_ ? RUNS[state].status : 70;
}

const char *run_state_meaning(enum run_state state)
{
    return (unsigned)state < RUN_STATE_COUNT_ ? RUNS[state].meaning : "unknown";
}

const char *stage_state_name(enum stage_state state)
{
    return (unsigned)state < STAGE_STATE_COUNT_ ? STAGES[state].name : "unknown";
}

bool stage_state_from_name(const char *name, enum stage_state *ret)
{
    for (unsigned i = 0; i < STAGE_STATE_COUNT_; i++) {
        if (name && str_eq(name, STAGES[i].name)) {
            *ret = (enum stage_state)i;
            return true;
        }
    }
    return false;
}

bool stage_state_final(enum stage_state state)
{
    return (unsigned)state < STAGE_STATE_COUNT_ && STAGES[state].final;
}

const char *event_kind_name(enum event_kind kind)
{
    return (unsigned)kind < EVENT_KIND_COUNT_ ? EVENTS[kind].name : "unknown";
}

enum log_level event_kind_level(enum event_kind kind)
{
    return (unsigned)kind < EVENT_KIND_COUNT_ ? EVENTS[kind].level : LOG_DEBUG;
}
