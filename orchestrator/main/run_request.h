// What the options of `baton run`, `tune` and `start` ask the engine for. Everything that can be wrong is found before a run
// begins.
#pragma once

#include "engine/engine.h"
#include "main/cli.h"

struct run_request {
    struct engine_request request; // points into the members below, and into cli
    json_t *params;
    char **own_rules; // what the caller named, as rules; NULL-terminated
    json_t *limits;
    bool silent; // no summary on standard output: the command prints what it found itself
};

// ERR_INVALID names the option. On success run_request_clear is due.
int run_request_read(const struct cli *cli, const char *workflow, const char *project, struct run_request *ret,
                     struct err *err);
void run_request_grant(struct run_request *request, const char *rule); // one more; not yet started
json_t *run_request_limits_new(const struct cli *cli,
                               struct err *err); // {name: text} of --limit and --max-rounds; NULL with err
void run_request_clear(struct run_request *request);
// The same as a message to a service (door/control.h), with whole paths: it has another working folder.
json_t *run_request_message_new(const struct run_request *request, struct err *err);
