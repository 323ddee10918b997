// Shared by replay.c (the script runs with the journal's answers) and judge.c (what came of it). Nobody else's.
#pragma once

#include "base/vec.h"
#include "replay/past.h"
#include "replay/replay.h"
#include "replay/walls.h"
#include "run/loops.h"
#include "script/script.h"
#include "store/states.h"

struct replay_reply { // an answer that waits for its turn: when it came decides
    int64_t rank;
    uint64_t call;
    json_t *answer; // NULL: a wall stands there, the run ends
};

struct replay {
    struct bundle *bundle;
    json_t *run, *stages, *calls; // parts
    json_t *ungrounded;           // handoff id -> true
    struct past past;
    struct loops *loops;
    struct walls *walls;
    json_t *stopped, *stops; // why the engine ended the run here, or will at a wall that waits for its turn
    enum run_state stopped_as;
    bool halted;                      // nothing is answered any more
    bool unknown;                     // there was a wall in the journal and is none now: nobody knows what comes then
    VEC(struct replay_reply) replies; // latest first
    int64_t undo_ns;                  // answers that came later did not reach the script: its handlers of failure ran
    bool continued;                   // it asked to go on in another run
    struct {                          // how the script itself ended, before its handlers
        char *outcome, *failure;
        int line;
        json_t *result;
    } end;
    struct script *script;
    json_t *differences;
    int line; // of the script, where it is now
    size_t answered;
};

// Notes a difference. Returns it, for more members, borrowed; NULL when there are too many.
json_t *replay_differ(struct replay *r, const char *task, unsigned n, const char *op, const char *what,
                      const char *journaled, const char *now);
void replay_add_hashes(json_t *difference, const char *journaled, const char *now); // difference may be NULL
// The end, the final hashes: what replay_run answers with.
void replay_judge(struct replay *r, json_t *out);
