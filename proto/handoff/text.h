// Inside proto/handoff: text that is cut, cleaned and quoted.
#pragma once

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

// One line: control characters and line ends become single blanks, blanks at the ends go, "…" marks a cut. Owned by the
// caller.
char *text_line_new(const char *s, size_t max);
// Many lines: LF only, no control characters but tabs, no blank lines at the ends, no blanks at the very end.
char *text_block_new(const char *s);
char *text_cut_new(const char *s, size_t max); // at a character, "…" marks a cut
size_t text_lines(const char *s);              // "" has none

// A double-quoted YAML scalar on one line.
void text_yaml_quoted(struct buf *b, const char *s);
bool text_yaml_plain_safe(const char *s); // may stand without quotes and stays a string
