// Delivers what stands in the outbox of the journal (store/store.h): notifications of ends of runs, as HTTP POSTs with
// an Idempotency-Key header that is the same at every attempt, whoever makes it and after whatever crash. Failed
// attempts are repeated with growing pauses, by this process or by the next one.
#pragma once

#include "loop/loop.h"
#include "store/store.h"

// Kinds. What is applied stands here for the record, and is done by the command itself.
#define OUTBOX_NOTIFY "notify"
#define OUTBOX_APPLY  "apply"

struct outbox;

struct outbox *outbox_new(struct loop *loop, struct store *store); // looks at once for what others have left
struct outbox *
outbox_free(struct outbox *outbox);      // what is under way is left to the next process. NULL allowed; returns NULL
void outbox_look(struct outbox *outbox); // something may be due: something was committed
size_t outbox_under_way(const struct outbox *outbox);

int outbox_note_done(struct store *store, const char *run, const char *key,
                     struct err *err); // an effect that a command did itself
// In the transaction of the end of a run (record: as it was started): a notification for each address it was started
// with. result may be NULL.
int outbox_put_end(struct store *store, const json_t *record, enum run_state state, const json_t *result,
                   struct err *err);
// The end of a run that nobody could begin or load, in a transaction of its own when none is open.
int outbox_end_run(struct store *store, const char *run, enum run_state state, const json_t *result, struct err *err);
