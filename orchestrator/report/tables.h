// What "build-report" and the search for build settings found, as tables: made once from the model, and written to a
// terminal, as Markdown and as HTML.
#pragma once

#include "base/buf.h"
#include "json/json.h"

// Array of { "title", "note": text or null, "head": [text], "right": bits of columns aligned to the right, "rows":
// [[text]] }. Empty when the run made neither.
json_t *tables_new(const json_t *model);

void tables_text(const json_t *tables, struct buf *out); // escaped for a terminal
void tables_markdown(const json_t *tables, struct buf *out);
void tables_html(const json_t *tables, struct buf *out);

// --- for the makers of tables ---
// New table at the end of tables; head is NULL-terminated. Borrowed.
json_t *tables_add(json_t *tables, const char *title, const char *note, const char *const *head, unsigned right);
void tables_row(json_t *table, const char *const *cells); // NULL-terminated
void tables_build(const json_t *report, json_t *tables);  // of model.build_report
void tables_search(const json_t *search, json_t *tables); // of model.search
