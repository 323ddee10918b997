// What a command's words and outputs say; no state.
#pragma once

#include "base/buf.h"

#include <stdbool.h>

bool words_need_dependencies(const char *const *argv);    // a cargo command that resolves or builds dependencies
bool words_file_above(const char *dir, const char *name); // in dir or a folder above it
char *words_command(const char *const *argv);             // for messages, cut; owned by the caller
const char *
words_last_lines(const struct buf *b); // beginning of what is worth telling at the end of a stream; borrowed
