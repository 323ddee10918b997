// The lines of cargo's `--message-format=json`: compiler messages, artifacts, the end of the build. Lines that are not
// JSON objects (a build script or a wrapper may print) are counted and passed over; unknown reasons too.
#pragma once

#include "base/err.h"
#include "json/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CARGO_LINE_MAX     ((size_t)4 * 1024 * 1024) // longer lines are passed over and counted as bad
#define CARGO_MESSAGES_MAX ((size_t)20000)           // diagnostics and artifacts each; further ones are counted only

struct cargo_span {
    char *file;                                 // as rustc writes it: relative to the workspace root, or absolute
    int64_t line, line_end, column, column_end; // from 1, columns in characters
    int64_t byte_start, byte_end;               // in the file
    bool is_primary, from_macro;
    char *replacement;   // suggestion, or NULL
    char *applicability; // "MachineApplicable", "MaybeIncorrect", "HasPlaceholders", "Unspecified", or NULL
};

struct cargo_diagnostic {
    char *package_id, *target_name, *target_kind;
    char *code;  // "clippy::useless_vec", "E0308", "unused_variables"; NULL when there is none
    char *level; // "error", "warning", …
    char *message;
    char *rendered; // for people; NULL when absent
    char *help;     // first message of a child with level help that carries a suggestion, else of any help; NULL
    struct cargo_span *spans; // of the message itself; suggestions stand behind them
    size_t span_count;        // without the suggestions
    size_t suggestion_count;  // spans[span_count .. span_count + suggestion_count): parts of the FIRST child with
                              // suggestions
    size_t alternative_count; // further children with suggestions: choose by hand
};

struct cargo_artifact {
    char *package_id, *target_name, *target_kind; // kind as in cargo_metadata.h
    char *src_path;
    char *executable;     // NULL when none
    bool is_test_profile; // built with the test harness
    char *opt_level;
    char *debuginfo; // "0", "2", "line-tables-only" …
    bool fresh;
    char **filenames; // NULL-terminated
};

struct cargo_messages {
    struct cargo_diagnostic *diagnostics;
    size_t diagnostic_count;
    struct cargo_artifact *artifacts;
    size_t artifact_count;
    bool finished;              // build-finished was seen
    bool succeeded;             // and said success
    size_t bad_lines, left_out; // not understood; beyond CARGO_MESSAGES_MAX
};

// Never fails: what cannot be read is counted. Free with cargo_messages_free.
void cargo_messages_parse(const char *text, size_t len, struct cargo_messages *ret);
void cargo_messages_free(struct cargo_messages *m);

// First primary span, or NULL.
const struct cargo_span *cargo_primary_span(const struct cargo_diagnostic *d);
// Whether any span of the message or its suggestion lies in a macro expansion.
bool cargo_from_macro(const struct cargo_diagnostic *d);
// Executable of a target, e.g. ("wordmill", "bin"); NULL when there is none.
const char *cargo_executable(const struct cargo_messages *m, const char *target, const char *kind);
