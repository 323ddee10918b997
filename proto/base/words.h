// A command as one text, taken apart into words without a shell: blanks part words, '…' and "…" group. Anything a shell
// would interpret is refused. "< FILE", the one redirection that needs no shell, becomes the word "<" before that of
// the file.
#pragma once

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

// At most `most` words, NULL-terminated, freed with str_list_free. ERR_PARSE: an open quote; ERR_INVALID: no word, more
// than `most`, or one that needs a shell. what: of what the text is, for the error ("the bench command").
int words_split(const char *text, const char *what, size_t most, char ***ret, struct err *err);

// Adds a word so that words_split takes it apart again. false, and nothing is added: it has both kinds of quotes.
bool words_add(struct buf *text, const char *word);
