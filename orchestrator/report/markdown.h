// The model as Markdown: verdict first, readable in a terminal and on a forge.
#pragma once

#include "base/buf.h"
#include "json/json.h"

// flame: name of the flame graph beside the report, NULL when there is none.
void report_markdown(const json_t *model, const char *flame, struct buf *out);
