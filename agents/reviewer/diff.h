// Reads `git diff` (unified, any amount of context): which files, which lines went and came.
#pragma once

#include "base/err.h"
#include "base/vec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DIFF_TEXT_MAX  ((size_t)64 * 1024 * 1024)
#define DIFF_FILES_MAX ((size_t)5000)
#define DIFF_LINES_MAX ((size_t)500000)

struct diff_line {
    uint32_t line; // in the new file when added, in the old one when removed
    bool added;
    char *text; // without the sign
};

struct diff_file {
    char *path; // new path; the old one when deleted
    bool created, deleted, binary;
    VEC(struct diff_line) lines;
    size_t added, removed;
};

struct diff {
    VEC(struct diff_file) files;
};

// ERR_LIMIT: too large. ERR_PARSE: not a diff (text before the first file is passed over).
int diff_parse(const char *text, size_t len, struct diff *ret, struct err *err);
void diff_free(struct diff *d);
// First added line of the file that contains the word (as a whole word), or the first added line, or 1.
uint32_t diff_line_with(const struct diff_file *f, const char *word);
