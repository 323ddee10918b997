// Command texts to argv stages, without a shell. The parser accepts what means the same in every POSIX shell and can be
// proven to be literal, and refuses the rest with the column and the reason: expansions, globs, substitutions (except
// "$(cat <<'EOF' …)", which is a literal), background, subshells, control words, hidden characters.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

enum redirect_kind { REDIRECT_READ, REDIRECT_WRITE, REDIRECT_APPEND, REDIRECT_DUP, REDIRECT_TEXT };

struct redirect {
    enum redirect_kind kind;
    int fd;       // 0, 1 or 2
    int from;     // REDIRECT_DUP: the descriptor that is copied
    char *target; // file name, or the text of a here-document
};

// What joins a stage to the next one.
enum stage_join { JOIN_END, JOIN_AND, JOIN_OR, JOIN_THEN, JOIN_PIPE };

struct stage {
    char **argv; // NULL-terminated, at least one word
    char **env;  // leading NAME=value words, NULL-terminated
    size_t argc;
    struct redirect *redirects;
    size_t redirect_count;
    enum stage_join join;
    size_t column; // where the stage begins, 1-based, in characters
};

struct command {
    struct stage *stages; // at least one
    size_t count;
};

// ERR_PARSE: refused, the text is "column N: …". ERR_LIMIT: too long, too many stages or words.
int command_parse(const char *text, size_t len, struct command **ret, struct err *err);
void command_free(struct command *c);
