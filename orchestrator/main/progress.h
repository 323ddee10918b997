// What a person sees while a run is at work. On a terminal: one line per stage, redrawn in place, with what it is doing now, elapsed
// time and an estimate. Elsewhere: plain lines. With json: every event as one JSON line on standard output.
#pragma once

#include "json/json.h"
#include "store/store.h"

enum progress_style { PROGRESS_TERMINAL, PROGRESS_PLAIN, PROGRESS_JSON, PROGRESS_QUIET };

struct progress;

// project: estimates come from earlier runs of it. The style for standard error: terminal when it is one.
struct progress *progress_new(struct store *store, const char *project, enum progress_style style);
struct progress *progress_free(struct progress *p); // leaves the cursor below what was drawn; returns NULL
enum progress_style progress_style_for(int fd);

void progress_event(struct progress *p, const char *run, enum event_kind kind, const json_t *body);
void progress_tick(struct progress *p); // redraws elapsed times; call it some times a second
