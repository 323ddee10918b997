// Makes a finished run in a new store from a description as in tests/fixtures/report/relay.json:
// {run {id, workflow, project, params, state, result}, stages [{agent, mode, state, handoff, receipts}],
//  measurements {seq, body}, flamegraph {seq, text}}. A description without a text takes
//  tests/fixtures/report/flamegraph.svg.
#pragma once

#include "store/store.h"
#include "json/json.h"

json_t *report_fixture(void); // relay.json, new reference
void report_store_fill(struct store *s, const json_t *description);
// Writes the report of the described run and reads it back.
struct written {
    char *dir;
    char *md, *html;
    json_t *model;
};
void report_written(const json_t *description, struct written *ret);
void written_free(struct written *w);
