// The command line: one table of commands and options, from which the parser, --help and the man page come.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct cli; // a parsed command line

struct cli_option {
    const char *name;     // long name without dashes
    char letter;          // or 0
    const char *argument; // what stands behind it in the help, NULL: a flag
    bool many;            // may be given several times
    const char *about;
};

struct cli_command {
    const char *name;                  // one or two words: "run", "agent lint"
    const char *arguments;             // "WORKFLOW", "FILE|DIR...", NULL: none
    size_t least, most;                // number of arguments; most 0 with arguments: any number
    const char *about;                 // one line
    const char *text;                  // more, may be NULL
    const struct cli_option *options;  // ends with an empty name; may be NULL
    const char *const *examples;       // NULL-terminated
    int (*run)(const struct cli *cli); // exit status
};

extern const struct cli_command CLI_COMMANDS[]; // ends with an empty name
extern const size_t CLI_COMMAND_COUNT;

// Parses and runs. Returns the exit status.
int cli_main(int argc, char **argv);

bool cli_flag(const struct cli *cli, const char *name);
const char *cli_value(const struct cli *cli, const char *name, const char *def); // the last one given
const char *const *cli_values(const struct cli *cli, const char *name);          // all, NULL-terminated; never NULL
size_t cli_arg_count(const struct cli *cli);
const char *cli_arg(const struct cli *cli, size_t i); // NULL beyond the last
size_t cli_plain_count(const struct cli *cli);        // of them, how many stand before a lone "--"

// "baton: <text>" on standard error; returns the exit status of the error's code.
int cli_fail(const struct err *err);

void cli_write_help(FILE *out, const struct cli_command *command); // NULL: all commands
bool cli_write_group(FILE *out, const char *first); // commands whose first of two words this is; false: there are none
