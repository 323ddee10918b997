// Writing Markdown that a terminal shows well and a forge renders: escaping, code spans, aligned tables, fenced text.
#pragma once

#include "base/attr.h"
#include "base/buf.h"
#include "base/vec.h"

#include <stdbool.h>

// %s is escaped as prose (see mark.h).
void md_put(struct buf *out, const char *fmt, ...) ATTR_PRINTF(2, 3);
// A code span that holds any text; "–" for an empty one. For tables see md_cell_code.
void md_code(struct buf *out, const char *text);
// Lines between fences that no content can close.
void md_fenced(struct buf *out, const char *language, const char *text);

struct md_table {
    size_t columns;
    unsigned right;    // bit n: column n is aligned to the right
    VEC(char *) cells; // the first row is the head
};

void md_cell(struct md_table *t, const char *fmt, ...) ATTR_PRINTF(2, 3); // %s escaped as prose
void md_cell_code(struct md_table *t, const char *text);
// Writes it with padded columns and a blank line behind, and frees it. Nothing when there is only the head.
void md_table_write(struct md_table *t, struct buf *out);
