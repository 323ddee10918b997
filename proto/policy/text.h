// Which bytes may stand in a command or a path at all.
#pragma once

#include <stdbool.h>
#include <stddef.h>

// NULL when the text is clean; else why not, with *ret_pos the offset of the first bad byte. Refused: NUL, other
// control characters (newline and tab only with `blanks`), invalid UTF-8, invisible and direction-changing characters.
const char *text_problem(const char *text, size_t len, bool blanks, size_t *ret_pos);
// 1-based position in characters of byte offset `pos`.
size_t text_column(const char *text, size_t pos);
