// Which words of a command are another command.
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum launch_kind {
    LAUNCH_NONE,     // starts nothing that its words name
    LAUNCH_WRAPPER,  // stripped: the inner command is judged in its place
    LAUNCH_LAUNCHER, // needs a rule; the inner command is judged too
    LAUNCH_SHELL,    // as LAUNCHER; the inner words are a text for a shell
    LAUNCH_REFUSED   // a wrapper in a form that cannot be judged
};

struct launch {
    enum launch_kind kind;
    size_t inner;        // index of the first inner word
    bool extra;          // further words come from the standard input (bare xargs)
    const char *problem; // with REFUSED
};

void launcher_look(const char *const *argv, struct launch *ret);
// The same for a program given by path: its last component. Borrowed.
const char *launcher_program(const char *word);
// Index of a program's subcommand, options before it skipped (git -C x log: 3); 0 when there is none or the program has
// none.
size_t launcher_subcommand(const char *const *argv);
