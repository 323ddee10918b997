// Commands that a person names on the command line, to be run in a box.
//
// - A box shows no folder of the caller. What the command names is shown: its program, and each word with a '/' or '.'
//   in it that is a file here, get their full path; so does a bare word that is a file here and no program. Other bare
//   words may be subcommands.
// - Naming a command is granting it: the rule is exactly this command.
#pragma once

#include "main/run_request.h"
#include "json/json.h"

#define NAMED_WORDS_MAX 256

// words: NULL-terminated, may end in "<" and a file. They are added to ret_words as they are run, and granted.
int named_command(const char *const *words, struct run_request *q, json_t *ret_words, struct err *err);
// The same for a file that is only read: its full path, granted as `cat FILE`. Owned by the caller.
int named_file(const char *path, struct run_request *q, char **ret, struct err *err);
// Commands need no project; without one they run in a folder of the state that stays empty. Owned by the caller.
int named_empty_project(char **ret, struct err *err);
