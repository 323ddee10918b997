// Group commit: what the runs do in one turn of the loop is one transaction and one fsync. Whoever writes joins; the
// commit comes when the loop has given everybody their turn. Nothing that was done in a batch may be told to the
// outside before it settled.
#pragma once

#include "base/err.h"
#include "loop/loop.h"
#include "store/store.h"

struct batch;

// after: called behind the callbacks of each batch; may be NULL.
struct batch *batch_new(struct loop *loop, struct store *store, void (*after)(void *user), void *user);
// Commits what is open; nobody is told. NULL allowed; returns NULL.
struct batch *batch_free(struct batch *batch);

// Opens the transaction unless it is open. settled is called once, after the commit (why NULL) or when it failed and
// everything that was written since batch_join is undone. Joining again before that changes nothing.
typedef void (*batch_settled)(void *user, const struct err *why);
int batch_join(struct batch *batch, batch_settled settled, void *user, struct err *err);
// Tells of every commit how many turns shared it, how long it took and whether it failed. NULL: nobody.
void batch_watch(struct batch *batch, void (*watch)(void *user, size_t turns, int64_t ns, bool failed), void *user);
void batch_leave(struct batch *batch, const void *user); // its callback is dropped, what it wrote stays
int batch_flush(struct batch *batch, struct err *err);   // commits now; 0 also when nothing is open
