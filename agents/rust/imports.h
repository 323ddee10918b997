// The `use` declarations of a file: which name stands for which path. Part of rust/items.h.
#pragma once

#include "rust/items.h"

#define RUST_IMPORTS_MAX 4096 // of one file; further ones are left out

// Fills items->imports. Globs (`use x::*`) and `self` at the start of a path are kept as written or left out.
void rust_imports_find(const struct rust_tokens *t, struct rust_items *items);
