// Internal: the text of an agent file as lines, and where its frontmatter is.
#pragma once

#include "base/buf.h"
#include "base/vec.h"

#include <stdbool.h>
#include <stddef.h>

struct source_line {
    const char *text; // points into the file; the indentation of an indented file is left out
    size_t len;       // without line end
    size_t start;     // offset of the line's first byte in the file
};

struct source {
    VEC(struct source_line) lines;
    bool has_front; // the first line that is not blank is a fence
    size_t open;    // index of the opening fence
    size_t close;   // index of the closing one, lines.len when missing
    size_t dots;    // index of the first "..." before that, YAML's own end mark; lines.len when there is none
    size_t indent;  // bytes that every line of an indented file begins with
    bool bom;
    size_t len; // of the file
};

// Splits at \n, \r\n and \r. The text must outlive the source.
void source_scan(struct source *s, const char *text, size_t len);
void source_free(struct source *s);

bool line_blank(const struct source_line *line);
bool line_fence(const struct source_line *line);     // three or more dashes at column 0, blanks behind
size_t line_heading(const struct source_line *line); // level of a Markdown heading at column 0, 0 for none
// Lines [from, to) joined with \n, each without line end.
void source_join(const struct source *s, size_t from, size_t to, struct buf *out);
