// The service behind `baton serve`: engine and doors from the first connection to the last journaled stage.
//
// Life: listens (in place of an earlier service, if there is one: then it answers and queues at once, and takes up runs
// when the earlier one has ended) -> serves -> drains (SIGTERM, ^C, or another service takes over) -> ends. Nothing
// that was answered is lost in any of these states, also when the process is killed in it.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct service_options {
    size_t max_runs, max_queue;
    int64_t drain_ns;
    bool replace;               // take over from a service that does not end by itself
    const char *metrics_listen; // address of GET /metrics; NULL: none
    bool say;                   // on standard error, for people
};

int service_run(const struct service_options *options, struct err *err); // until it is asked to end
