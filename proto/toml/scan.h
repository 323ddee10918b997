// Inside proto/toml: the scanner. Positions are byte offsets; a failing function has filled scan->err with line and
// column.
#pragma once

#include "base/buf.h"
#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct scan {
    const char *text;
    size_t len, pos;
    int line;
    size_t line_start;
    const char *what;
    struct err *err;
};

int scan_fail(struct scan *s, const char *fmt, ...) ATTR_PRINTF(2, 3);
int scan_peek(const struct scan *s); // next byte, -1 at the end
bool scan_take(struct scan *s, char c);
void scan_blanks(struct scan *s); // blanks and tabs
bool scan_newline(struct scan *s);
int scan_comment(struct scan *s);              // when there is one, up to the line's end
int scan_line_end(struct scan *s);             // blanks, comment, then newline or end of text
int scan_gaps(struct scan *s);                 // blanks, newlines and comments, as between array elements
int scan_key(struct scan *s, struct buf *ret); // one part of a key, bare or quoted

int scan_string(struct scan *s, bool multi_line_allowed, struct buf *ret); // at the opening quote
int scan_scalar(struct scan *s, json_t **ret);                             // any value but array and inline table
