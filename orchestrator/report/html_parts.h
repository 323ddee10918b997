// Inside of the page only: its sections. Each writes nothing when the model has nothing for it.
#pragma once

#include "base/buf.h"
#include "json/json.h"

#define HTML_FINDINGS_SHOWN 400
#define HTML_COMMANDS_SHOWN 500

void html_baseline(const json_t *m, struct buf *out); // only where nothing was compared
void html_hot_paths(const json_t *m, const char *flame, struct buf *out);
void html_findings(const json_t *m, struct buf *out);
void html_build(const json_t *m, struct buf *out);
void html_tests(const json_t *m, struct buf *out);

void html_limits(const json_t *m, struct buf *out);
void html_budget(const json_t *m, struct buf *out);
void html_stages(const json_t *m, struct buf *out);
void html_children(const json_t *m, struct buf *out);
void html_commands(const json_t *m, struct buf *out);
void html_host(const json_t *m, struct buf *out);
void html_reproduce(const json_t *m, struct buf *out);
