// Rust symbol names for people: the legacy scheme (_ZN...17h<hash>E) and v0 (_R..., RFC 2603), one binary often has
// both. Written as `nm -C` writes them: hashes and crate disambiguators dropped, integer constants without suffix.
// Anything else, C++ names included, comes back unchanged. Bounded in length, depth and work; never fails.
#pragma once

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

#define DEMANGLE_INPUT_MAX  ((size_t)16 * 1024) // longer symbols come back unchanged
#define DEMANGLE_OUTPUT_MAX ((size_t)16 * 1024) // names that would become longer come back mangled
#define DEMANGLE_DEPTH_MAX  500                 // nesting of paths and types

// Owned by the caller.
char *demangle(const char *symbol);
// true: the demangled name was added to out. false: not a Rust symbol, out is unchanged.
bool demangle_to(struct buf *out, const char *symbol, size_t len);

// A demangled name made short enough to read in a table, owned by the caller: module paths are dropped but for the
// last one before the name, generic arguments of functions are dropped, those of types are kept short.
//   <alloc::vec::Vec<u8> as core::clone::Clone>::clone     -> <Vec<u8> as Clone>::clone
//   core::slice::sort::stable::driftsort_main::<u64, ...>  -> stable::driftsort_main
//   hot::main::{closure#0}, hot::main::{{closure}}         -> hot::main::{closure}
char *demangle_short(const char *demangled);

// Length of the demangled name without the closures at its end: they are written inside of that function.
//   hot::main::{{closure}}, hot::main::{closure#0}::{closure#1}  ->  hot::main
size_t demangle_outer(const char *demangled);

// The crate that a demangled name starts with, as far as the name tells: "alloc" for <alloc::vec::Vec<T>>::push,
// "hot" for <hot::S as core::fmt::Debug>::fmt, "" when there is none (C functions, [unknown]). Borrowed slice.
const char *demangle_crate(const char *demangled, size_t *ret_len);
