// Inside of the Markdown report only: the baseline and the sections behind the hot paths. Each writes nothing when the
// model has nothing for it.
#pragma once

#include "base/buf.h"
#include "json/json.h"

#define FINDINGS_SHOWN 300
#define COMMANDS_SHOWN 400

void markdown_baseline(const json_t *m, struct buf *out); // only where nothing was compared
void markdown_findings(const json_t *m, struct buf *out);
void markdown_build(const json_t *m, struct buf *out);
void markdown_tests(const json_t *m, struct buf *out);
void markdown_limits(const json_t *m, struct buf *out);
void markdown_budget(const json_t *m, struct buf *out);
void markdown_stages(const json_t *m, struct buf *out);
void markdown_children(const json_t *m, struct buf *out);
void markdown_commands(const json_t *m, struct buf *out);
void markdown_host(const json_t *m, struct buf *out);
void markdown_reproduce(const json_t *m, struct buf *out);
