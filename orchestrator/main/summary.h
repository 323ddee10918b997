// What is said of a run at its end, and by `baton show`: the headline, the table, what was kept and dropped, where the report is.
#pragma once

#include "base/err.h"
#include "json/json.h"
#include "store/store.h"

#include <stdio.h>

int summary_print(struct store *store, const char *run, FILE *out, struct err *err);
// {"event": "result", run, state, exit, headline, metrics, changes, dropped, report: {json, markdown, html}, git}
json_t *summary_json_new(struct store *store, const char *run, struct err *err);
