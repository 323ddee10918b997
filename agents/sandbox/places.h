// The folders of one stage, and what of them a call may see: checkouts, target folders, the git repository behind a
// checkout, the private CARGO_HOME, files that steer tools.
#pragma once

#include "pins.h"
#include "plan.h"

struct places {
    const char *workspace, *home; // resolved
    char *const *built, *const *own, *const *readonly, *const *writable;
    const char *const *reach; // files elsewhere that can be read; may be NULL
};

// Checkouts and folders of the stage. target: what was built can be started; writable: those that are not read-only can
// be changed.
void places_give(const struct places *places, const char *cwd, char *const *environment, bool target, bool writable,
                 struct plan *plan);
// The repositories behind the checkouts: readable, or writable except for what makes git start programs.
void places_git(const struct places *places, const char *cwd, bool writable, struct plan *plan);
// Toolchain and registry. real: the user's own CARGO_HOME, writable.
int places_cargo(const struct places *places, struct pins *pins, char *const *environment, bool real, struct plan *plan,
                 struct err *err);
// TMPDIR and HOME.
void places_private(const struct places *places, bool start_temporary, struct plan *plan);
// Existing files and folders that steer tools are read-only; folders that are missing are made empty, so that they
// cannot be made by the call. They stay until places_unmake, at the end of the stage: making and removing them for each
// call costs more than all mounts of a box. places_sweep, after each call, removes every such file that it has made,
// and makes links again that it has replaced.
struct steering {
    VEC(char *) made;    // folders
    VEC(char *) missing; // files; of one call
    VEC(char *) links;   // what they are and what they lead to, in turns; of one call
};
void places_steering(const struct places *places, const char *cwd, struct steering *ret, struct plan *plan);
void places_sweep(struct steering *steering);
void places_unmake(struct steering *steering);
