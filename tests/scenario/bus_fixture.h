// What the tests of the bus share: a loop with a bus in this process, recording callbacks, real echo workers.
#pragma once

#include "support/support.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/str.h"
#include "bus/bus.h"

struct fixture {
    struct loop *loop;
    struct bus *bus;
    struct loop_timer *pulse; // keeps the loop turning while a test waits for something outside of it
    char *dir, *endpoint;
    bool ack_at_once;
    uint64_t ready;      // peers that became ready
    uint64_t peer;       // the last one
    unsigned lost;       // peers lost
    uint64_t lost_lease; // of the last loss, 0: it had none
    char why[300];       // of the last loss
    unsigned results;
    uint64_t lease; // of the last result
    json_t *draft;  // of the last result
    unsigned returned;
    uint64_t returned_lease; // the last one
    unsigned refused;
    enum err_code refused_code;
    uint64_t refused_lease, refused_peer;
    struct buf progress, log;
    unsigned exited;
};

// Turns the loop until the condition holds; fails the test after a minute.
#define wait_for(f, condition)                                                                                         \
    do {                                                                                                               \
        int64_t until_ = clock_mono_ns() + 60 * NS_PER_SEC;                                                            \
        while (!(condition)) {                                                                                         \
            if (clock_mono_ns() > until_)                                                                              \
                fail_msg("waited in vain for: %s; workers said: %s", #condition, buf_str(&(f)->log));                  \
            loop_run_once((f)->loop);                                                                                  \
        }                                                                                                              \
    } while (0)

void fixture_begin(struct fixture *f);
void fixture_finish(struct fixture *f);
struct loop_child *fixture_start_echo_with(struct fixture *f, const char *token);
struct loop_child *fixture_start_echo(struct fixture *f, uint64_t *ret_invite);
void fixture_dispatch(struct fixture *f, uint64_t peer, uint64_t lease, const char *input);
bool someone_runs(const char *word); // whether a process has `word` as one of its arguments
bool gone(const char *word);
