// Which toolchain a rustup proxy (`cargo`, `rustc`, …) stands for, so that the toolchain's own binary is started. As
// rustup chooses, in this order: +TOOLCHAIN of the command, RUSTUP_TOOLCHAIN, then from the working folder upwards an
// override of the user or a rust-toolchain file, then the default. Only toolchains that are installed count, by name:
// a file of the project that names a folder (`path = …`) would start programs of the project and is refused.
#pragma once

#include "base/err.h"

#include <stdbool.h>

struct toolchain {
    char *name; // of the folder in RUSTUP_HOME/toolchains
    char *bin;  // its programs
};

// Whether `path` (as found in PATH) leads to rustup under another name.
bool toolchain_is_proxy(const char *path);

// permitted: patterns of what a file of the project may ask for, NULL-terminated; the user's own choices are not
// bound to them. plus: from the command, without the sign, or NULL. ERR_DENIED, ERR_NOT_FOUND: the text says which
// file asks for what. Freed with toolchain_free.
struct toolchain_wish {
    const char *rustup_home, *cwd, *plus, *variable;
    char *const *permitted;
};
int toolchain_choose(const struct toolchain_wish *wish, struct toolchain *ret, struct err *err);
void toolchain_free(struct toolchain *t);
