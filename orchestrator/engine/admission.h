// Who may be at work: a process that admits a limited number of runs keeps the others in a queue. The queue is the runs
// of the journal in the state queued, so it survives the process; what is kept here is a copy in the order of their
// arrival.
//
// Order: the project with the fewest runs at work comes next, among equals the one that was not served for longest, and
// of its runs the one that came first. So one project with a hundred runs does not keep the run of another one waiting
// for all of them.
#pragma once

#include "base/err.h"
#include "store/store.h"
#include "json/json.h"

#include <stdbool.h>
#include <stddef.h>

struct admission;

// most_running 0: everybody is admitted at once and nothing is ever queued.
struct admission *admission_new(struct store *store, size_t most_running, size_t most_queued);
struct admission *admission_free(struct admission *a); // NULL allowed; returns NULL

int admission_load(struct admission *a, struct err *err); // the queue as it stands in the journal
size_t admission_length(const struct admission *a);
bool admission_has(const struct admission *a, const char *run);
// Is there room for another one at work, when so many are?
bool admission_has_place(const struct admission *a, size_t running);
// Room for one more in the queue? ERR_LIMIT says how many wait.
int admission_check_room(const struct admission *a, struct err *err);
void admission_add(struct admission *a, const char *run, const char *project);
void admission_served(struct admission *a, const char *project); // one of its runs begins
bool admission_remove(struct admission *a, const char *run);     // false: it is not in the queue

// busy: project -> runs at work (integers). The run that comes next, NULL when nobody waits; borrowed until the next
// change.
const char *admission_next(const struct admission *a, const json_t *busy);
// 1 for the next one; 0: it does not wait.
size_t admission_position(const struct admission *a, const char *run, const json_t *busy);

// The queue of a journal for those who only look: {run: position}.
json_t *admission_positions_new(struct store *store, struct err *err);
