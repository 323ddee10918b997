// What a command's words and outputs say; no state.
#pragma once

#include "base/buf.h"

#include <stdbool.h>

bool words_need_dependencies(const char *const *argv); // a cargo command that resolves or builds dependencies
// `dir` or the nearest folder above it that has a file of that name; owned by the caller, NULL: none.
char *words_folder_above(const char *dir, const char *name);
char *words_command(const char *const *argv); // for messages, cut; owned by the caller
const char *
words_last_lines(const struct buf *b); // beginning of what is worth telling at the end of a stream; borrowed
