// Compiler attributes and the few macros the project allows. Uses nothing.
#pragma once

#include <assert.h>
#include <stddef.h>

#define ATTR_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define ATTR_NODISCARD __attribute__((warn_unused_result))
#define ATTR_NORETURN __attribute__((noreturn))
#define ATTR_UNUSED __attribute__((unused))

// Runs `fn(&variable)` when the variable goes out of scope. Never alive across a Lua call that can raise:
// longjmp skips it.
#define AUTO(fn) __attribute__((cleanup(fn)))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
