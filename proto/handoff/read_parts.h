// Inside proto/handoff: the parts of reading.
#pragma once

#include "base/attr.h"
#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

void diag_add(json_t *diagnostics, int line, const char *level, const char *fmt, ...) ATTR_PRINTF(4, 5);

struct front {
    const char *yaml; // inside the text
    size_t yaml_len;
    int yaml_line;
    const char *body;
    size_t body_len;
    int body_line;
    bool fenced; // it has a first `---`
};

// Splits as the published awk recipe does: lines between the first and the second one that begin with `---`.
void front_split(const char *text, size_t len, struct front *ret, json_t *diagnostics);
// An object, always. `lines` receives "/key" -> line.
json_t *front_parse_new(const char *yaml, size_t len, int first_line, json_t *lines, json_t *diagnostics);

// Body of a Markdown handoff into `out`: context, sections, blockers, acceptance. `ours`: it was written by
// handoff_md_new. `headings` receives the level-2 headings.
void body_parse(const char *body, size_t len, bool ours, json_t *out, json_t *headings);
// The value behind a "Review Status" or "Verdict" line (bold or heading) of the body. Owned by the caller, NULL without
// one.
char *body_verdict_new(const char *body, size_t len);

// Values of a frontmatter or YAML file (consumed) into the normalized object. `body` may be NULL.
struct read_source {
    json_t *values, *lines, *diagnostics;
    const char *file_name, *body;
    size_t body_len;
    const char *era; // NULL: found out
};
json_t *read_normalize_new(const struct read_source *source, json_t *headings);
