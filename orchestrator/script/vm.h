// Inside script/ only: one Lua state with its limits and the environment scripts see.
#pragma once

#include "base/err.h"
#include "script/blocks.h"

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VM_PRELUDE_NAME "prelude.lua"

struct vm {
    lua_State *L;        // main state: loads, declares; tasks are threads of it
    lua_State *running;  // what executes script code now, else NULL: then the memory cap is not enforced, so that API
                         // calls outside a protected call cannot raise
    struct blocks blocks;
    size_t used, cap;    // bytes
    uint64_t spent, limit;
    bool collects; // garbage: only from a size on
    bool over;     // the instruction limit was reached; stays
    void *owner;
};

// Opens the state with the safe libraries, without the prelude.
void vm_open(struct vm *vm, size_t memory, uint64_t instructions, void *owner);
void vm_close(struct vm *vm);
struct vm *vm_of(lua_State *L);

// Brackets every execution of script code.
void vm_enter(struct vm *vm, lua_State *L); // also gives a fresh instruction budget
void vm_leave(struct vm *vm);
// Work done in C on behalf of the script, in instructions. Raises when the limit is passed.
void vm_charge(lua_State *L, uint64_t units);

// Raises `message` with the position of the nearest script frame (not the prelude's).
int vm_raise(lua_State *L, const char *fmt, ...) ATTR_PRINTF(2, 3);
// Line of the nearest script frame, 0 when there is none.
int vm_line(lua_State *L);
// Fills err from the error value on top of L (not popped): message, then the frames of the script.
void vm_error(struct vm *vm, lua_State *L, int status, struct err *err);
// Text of any value without addresses; pushes a string.
const char *vm_tostring(lua_State *L, int index);

void vm_open_base(lua_State *L); // baselib.c: tostring, pairs, next, setmetatable, string, table, utf8, math
// text.c: regex(subject, pattern, init) -> first, behind the last, then such a pair (or false, false) for each group
int vm_regex(lua_State *L);
