// Schedules of a service: starts the runs of the journal's schedules when their times come.
//
// - A time starts a run at most once: the start has the idempotency key "schedule NAME …, time", and the run and the
// mark that the
//   time was dealt with are one transaction. A service that is killed before it has neither, one that is killed after
//   has both.
// - A time that is less than SCHEDULES_GRACE_S late (the service was restarted, the machine was busy) is not missed. Of
// those that are
//   later, `catch_up` "once" starts one run, for the latest; "none" starts nothing.
// - `overlap`, when the run before has not ended: "skip" the time; "queue" it, one time waits for the end of the run,
// further ones
//   are skipped; "cancel" the run before.
// - When the clock is set forward, times are late as after a stop. When it is set back, no time comes twice; by more
// than
//   SCHEDULES_BACK_S, the schedule goes on from the new time all the same.
#pragma once

#include "base/err.h"
#include "engine/engine.h"
#include "loop/loop.h"
#include "store/store.h"

#define SCHEDULES_GRACE_S 300
#define SCHEDULES_BACK_S  3600

struct schedules;

struct schedules_options {
    struct loop *loop;
    struct store *store;
    struct engine *engine;
    void *user;
    // What happens, beside the journal; run may be NULL, body is borrowed.
    void (*event)(void *user, const char *run, enum event_kind kind, const json_t *body);
};

struct schedules *schedules_new(const struct schedules_options *options); // does nothing before schedules_begin
struct schedules *schedules_free(struct schedules *s);                    // NULL allowed; returns NULL
void schedules_begin(struct schedules *s);
void schedules_stop(struct schedules *s);
void schedules_changed(struct schedules *s); // somebody wrote: look again
void schedules_run_ended(struct schedules *s);
// Now, whatever its times are, also when it is paused and whatever else of it is at work.
int schedules_trigger(struct schedules *s, const char *name, char ret_run[STORE_NAME_MAX], struct err *err);
