// Findings: the table of our checks, and the one place that makes the JSON of a finding (proto/README.md, with
// "severity": "critical", "important" or "suggestion" beside it).
#pragma once

#include "base/attr.h"
#include "json/json.h"

#include <stdbool.h>
#include <stdint.h>

#define FINDINGS_MAX ((size_t)2000) // of one review; further ones are counted, not kept

enum check {
#define X(id, lint, kind, scope, severity, confidence, why) CHECK_##id,
#include "reviewer/checks.def"
#undef X
    CHECK_COUNT_
};

struct findings {
    json_t *list;
    size_t left_out;
};

struct place {
    const char *file; // below the checkout root
    uint32_t line, column, line_end;
    const char *function; // NULL: none
};

void findings_init(struct findings *f);
void findings_free(struct findings *f);
// Adds a finding of one of our checks without edits. `suggestion` says what to write instead.
void finding_add(struct findings *f, enum check check, const struct place *at, const char *suggestion,
                 const char *message_fmt, ...) ATTR_PRINTF(5, 6);
// Adds any finding (the object is consumed; id and order are given by findings_finish).
void finding_add_json(struct findings *f, json_t *finding_consumed);
json_t *finding_place_new(const struct place *at); // object with file, line, column, line_end, function
// Removes doubles (same file and line, and either the same lint or a clippy lint that says the same), sorts by
// severity, file, line, and numbers F1, F2, …
void findings_finish(struct findings *f);
size_t findings_count(const struct findings *f, const char *key, const char *value); // e.g. ("severity", "important")
