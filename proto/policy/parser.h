// Inside of the command parser: reading position, words and here-documents.
#pragma once

#include "base/buf.h"
#include "base/vec.h"
#include "policy/command.h"

struct parser {
    const char *text;
    size_t len, pos;
    VEC(struct stage) stages;
    VEC(char *) argv;
    VEC(char *) env;
    VEC(struct redirect) redirects;
    size_t start;   // offset of the stage being read
    size_t pending; // here-documents of the present line whose text is still to come
    struct err *err;
};

struct word {
    struct buf text;
    size_t plain; // length of the part before the first quote or backslash
    bool quoted, escaped;
};

// ERR_PARSE with the column of `pos` (or the present position) and the reason.
int parser_refuse_at(struct parser *p, size_t pos, const char *why);
int parser_refuse(struct parser *p, const char *why);
char parser_at(const struct parser *p, size_t offset); // '\0' behind the end
bool parser_looking_at(const struct parser *p, const char *s);
void parser_skip_blanks(struct parser *p);
bool parser_ends_word(char c);

// The delimiter of a here-document at the position; *ret_literal: quoted, so that its text is taken as it stands. Owned
// by the caller, NULL when there is none.
char *parser_delimiter(struct parser *p, bool *ret_literal);
// Reads lines up to the delimiter line; the position is at the start of a line. false when the delimiter never comes.
bool parser_read_heredoc(struct parser *p, const char *delim, bool strip_tabs, struct buf *ret);
// Adds one word's text to *w, up to a blank or an operator. ERR_PARSE: it holds something a shell would expand.
int parser_read_word(struct parser *p, struct word *w);
