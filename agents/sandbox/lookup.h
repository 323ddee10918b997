// From the first word of a call to the file that is started: a name is looked up in PATH; a rustup proxy becomes the
// binary of its toolchain; the file is pinned with its hash, and so is what a script leads to.
#pragma once

#include "pins.h"

#include "policy/policy.h"
#include "json/json.h"

struct lookup_call {
    const char *const *argv;
    const char *cwd, *path, *left_out;                       // text of PATH, and what is not searched
    const char *cargo_home, *rustup_home, *rustup_toolchain; // of the environment; may be NULL
    char *const *toolchains;                                 // patterns that a project may ask for
};

struct lookup {
    char *program;     // what is started; a script under the name it was found by, everything else resolved
    const char *file;  // the pinned file, resolved; NULL: a program of the project, which is not pinned
    const char **argv; // NULL: as in the call; texts borrowed from it
    char *toolchain;   // for RUSTUP_TOOLCHAIN; NULL: none was chosen
    json_t *record;    // {path, hash, toolchain?, starts?} for the receipt; NULL: not pinned
};

// Pins what the rules name by a plain word, so that a program is the one it was when the stage made its first call,
// also when its own turn comes later. Rules for any command pin nothing here.
void lookup_pin_rules(struct pins *pins, const struct policy *policy, const char *path);

// ERR_NOT_FOUND: no such program. ERR_DENIED: it is not the one it was, or a toolchain that a project may not ask for.
int lookup_program(struct pins *pins, const struct lookup_call *call, struct lookup *ret, struct err *err);
void lookup_free(struct lookup *l);
