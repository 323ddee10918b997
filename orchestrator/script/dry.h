// Inside script/ and its tests: a host that makes answers up.
#pragma once

#include "script/script.h"

#define DRY_CALLS_MAX 5000

enum { DRY_GATE_CLOSED, DRY_GATE_OPEN, DRY_GATE_CLOSED_ONCE };

struct dry {
    unsigned gate;
    bool measurable, changes, approved;
    bool unproven;     // what is kept does not measure better together
    int blocked_stage; // number of the stage that does not do its task, from 1; 0: none
    bool discuss;      // its status is needs_discussion
    struct script *script;
    void *ctx;
    void (*note_agent)(void *ctx, const char *agent, int line); // may be NULL
    void (*note_workflow)(void *ctx, const char *workflow, int line); // of a child; may be NULL

    int calls, stages, gates, handlers; // counted
    bool continued;                     // it asked to go on in another run
};

// For struct script_host; ctx is the struct dry.
int dry_call(void *ctx, uint64_t call_id, const char *task, unsigned n, const char *op, const json_t *args,
             json_t **ret_answer, struct err *err);
