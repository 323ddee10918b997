// Limits. The hook counts instructions and, once the limit is reached, re-arms itself at every instruction: a script
// that wraps its loop in pcall gets the error again at once, until nothing of it is left. C functions charge for their
// work, and large allocations are charged too, because no hook fires inside them.
#include "script/vm.h"

#include "base/buf.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOOK_EVERY      1000
#define CHARGED_ALLOC   1024 // bytes; smaller ones are paid by their instructions
#define BYTES_PER_UNIT  64
#define TRACEBACK_LINES 12
#define COLLECT_FROM    ((size_t)512 << 10) // bytes in use; most runs end before, and then all goes at once

struct vm *vm_of(lua_State *L)
{
    return *(struct vm **)lua_getextraspace(L);
}

static int limit_error(lua_State *L)
{
    return luaL_error(L,
                      "the script used %I million instructions without waiting for anything; is there an endless loop?",
                      (LUAI_UACINT)(vm_of(L)->limit / 1000000));
}

static void hook(lua_State *L, lua_Debug *ar);

static void collect_from_here(struct vm *vm)
{
    if (vm->collects || vm->used < COLLECT_FROM)
        return;
    vm->collects = true;
    lua_gc(vm->L, LUA_GCRESTART);
}

// Setting a hook walks all frames of the stack: once is enough.
static void arm(lua_State *L)
{
    if (lua_gethookcount(L) != 1)
        lua_sethook(L, hook, LUA_MASKCOUNT, 1);
}

static void hook(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    struct vm *vm = vm_of(L);
    collect_from_here(vm);
    vm->spent += HOOK_EVERY;
    if (vm->spent < vm->limit)
        return;
    vm->over = true;
    arm(L);
    limit_error(L);
}

static void *allocate(void *ud, void *p, size_t old_size, size_t new_size)
{
    struct vm *vm = ud;
    if (!p)
        old_size = 0; // then it holds the kind of the object
    if (new_size == 0) {
        vm->used -= old_size;
        if (p)
            blocks_put(&vm->blocks, p, old_size);
        return NULL;
    }
    if (vm->running && new_size > old_size) {
        bool refused = vm->used - old_size + new_size > vm->cap;
        // A refusal makes Lua collect all garbage and try again: that is work too.
        if (refused || new_size >= CHARGED_ALLOC)
            vm->spent += (new_size + (refused ? vm->used : 0)) / BYTES_PER_UNIT;
        if (vm->spent >= vm->limit)
            arm(vm->running); // the next instruction ends it
        if (refused)
            return NULL; // "not enough memory"
    }
    void *q = p ? blocks_resize(&vm->blocks, p, old_size, new_size) : blocks_get(&vm->blocks, new_size);
    if (!q && !vm->running)
        must_failed("memory for the script", __FILE__, __LINE__);
    if (q)
        vm->used += new_size - old_size;
    return q;
}

static int panic(lua_State *L)
{
    const char *text = lua_tostring(L, -1);
    must_failed(text ? text : "unprotected error in Lua", __FILE__, __LINE__);
}

void vm_open(struct vm *vm, size_t memory, uint64_t instructions, void *owner)
{
    *vm = (struct vm){.cap = memory, .limit = instructions, .owner = owner};
    vm->L = lua_newstate(allocate, vm);
    must(vm->L != NULL);
    lua_atpanic(vm->L, panic);
    lua_gc(vm->L, LUA_GCSTOP);
    *(struct vm **)lua_getextraspace(vm->L) = vm;
    vm_open_base(vm->L);
}

// Without lua_close(), which would free one object after the other: all that a state holds lies in its blocks,
// expressions too.
void vm_close(struct vm *vm)
{
    blocks_free(&vm->blocks);
    vm->L = NULL;
}

void vm_enter(struct vm *vm, lua_State *L)
{
    vm->running = L;
    vm->spent = 0;
    collect_from_here(vm);
    lua_sethook(L, hook, LUA_MASKCOUNT, vm->over ? 1 : HOOK_EVERY);
}

void vm_leave(struct vm *vm)
{
    vm->running = NULL;
}

void vm_charge(lua_State *L, uint64_t units)
{
    struct vm *vm = vm_of(L);
    vm->spent += units;
    if (!vm->running || vm->spent < vm->limit)
        return;
    vm->over = true;
    arm(L);
    limit_error(L);
}

// --- positions and messages ---

static bool script_frame(lua_State *L, lua_Debug *ar)
{
    return lua_getinfo(L, "Sl", ar) && ar->currentline > 0 && strcmp(ar->short_src, VM_PRELUDE_NAME) != 0;
}

int vm_line(lua_State *L)
{
    lua_Debug ar;
    for (int level = 0; lua_getstack(L, level, &ar); level++)
        if (script_frame(L, &ar))
            return ar.currentline;
    return 0;
}

int vm_raise(lua_State *L, const char *fmt, ...)
{
    char text[ERR_TEXT_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    lua_Debug ar;
    for (int level = 0; lua_getstack(L, level, &ar); level++) {
        if (script_frame(L, &ar)) {
            lua_pushfstring(L, "%s:%d: %s", ar.short_src, ar.currentline, text);
            return lua_error(L);
        }
    }
    lua_pushstring(L, text);
    return lua_error(L);
}

static void traceback(lua_State *L, struct buf *b)
{
    lua_Debug ar;
    int shown = 0;
    for (int level = 0; shown < TRACEBACK_LINES && lua_getstack(L, level, &ar); level++) {
        if (!script_frame(L, &ar))
            continue;
        lua_getinfo(L, "n", &ar);
        buf_printf(b, "\n  at %s:%d", ar.short_src, ar.currentline);
        if (ar.name)
            buf_printf(b, " in '%s'", ar.name);
        else if (strcmp(ar.what, "main") != 0)
            buf_printf(b, " in the function of line %d", ar.linedefined);
        shown++;
    }
}

void vm_error(struct vm *vm, lua_State *L, int status, struct err *err)
{
    struct buf b = BUF_INIT;
    const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
    if (text)
        buf_str_add(&b, text);
    else
        buf_printf(&b, "the script raised an error that is no text but a %s", luaL_typename(L, -1));
    if (status == LUA_ERRMEM)
        buf_printf(&b, ": the script may use %zu MiB", vm->cap >> 20);
    traceback(L, &b);
    bool limit = status == LUA_ERRMEM || vm->over;
    enum err_code code = limit ? ERR_LIMIT : status == LUA_ERRSYNTAX ? ERR_PARSE : ERR_INVALID;
    err_set(err, code, "%s", buf_str(&b));
    buf_free(&b);
}
