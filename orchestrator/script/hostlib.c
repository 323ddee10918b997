// What the prelude calls; these may raise.
#include "script/script_internal.h"

#include "base/id.h"
#include "script/prelude.h"
#include "script/value.h"

#include <string.h>

#define LOG_LINE_MAX 4096

static struct script *script_of(lua_State *L)
{
    return vm_of(L)->owner;
}

static int host_call(lua_State *L)
{
    luaL_checkstring(L, 1);
    if (!lua_isyieldable(L))
        return vm_raise(L, "%s: only inside the run function of the workflow (and not inside a metamethod or a sort)",
                        lua_tostring(L, 1));
    return lua_yield(L, lua_gettop(L));
}

static int host_declare(lua_State *L)
{
    struct script *s = script_of(L);
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    if (s->main_ref != LUA_NOREF)
        return vm_raise(L, "a file declares one workflow, this is the second");
    struct err err = {0};
    json_t *v = value_read_new(L, 1, &err);
    if (!v)
        return vm_raise(L, "workflow: %s", err.text);
    s->declaration = v;
    lua_settop(L, 2);
    s->main_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

// undo(fn): fn(why) runs the handlers of failure.
static int host_undo(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 1);
    script_of(L)->undo_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

static int host_log(lua_State *L)
{
    struct script *s = script_of(L);
    size_t len = 0;
    const char *text = luaL_checklstring(L, 1, &len);
    const char *path = "0";
    for (size_t i = 0; i < s->tasks.len; i++)
        if (s->tasks.items[i] && s->tasks.items[i]->L == L)
            path = s->tasks.items[i]->path;
    if (s->host.log) {
        json_t *clean = json_text_new(text, len < LOG_LINE_MAX ? len : LOG_LINE_MAX);
        s->host.log(s->host.ctx, path, json_string_value(clean));
        json_decref(clean);
    }
    return 0;
}

static int host_raise(lua_State *L)
{
    return vm_raise(L, "%s", luaL_checkstring(L, 1));
}

static int host_line(lua_State *L)
{
    lua_pushinteger(L, vm_line(L));
    return 1;
}

static int host_list(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    value_mark_list(L);
    return 1;
}

static int host_text(lua_State *L)
{
    luaL_checkany(L, 1);
    vm_tostring(L, 1);
    return 1;
}

// hash(value): of its canonical JSON.
static int host_hash(lua_State *L)
{
    struct err err = {0};
    char hash[HASH_TEXT];
    json_t *v = value_read_new(L, 1, &err);
    if (!v)
        return vm_raise(L, "%s", err.text);
    json_hash(v, hash);
    json_decref(v);
    lua_pushstring(L, hash);
    return 1;
}

// guard(make): the globals get the metatable make(globals) gives.
static int host_guard(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 1);
    lua_pushglobaltable(L);
    lua_call(L, 1, 1);
    lua_pushglobaltable(L);
    lua_insert(L, -2);
    lua_setmetatable(L, -2);
    return 0;
}

void script_open_prelude(struct script *s, struct script_cache *cache)
{
    static const luaL_Reg HOST[] = {
        {"call", host_call}, {"declare", host_declare}, {"log", host_log},   {"raise", host_raise}, {"line", host_line},
        {"list", host_list}, {"regex", vm_regex},       {"text", host_text}, {"guard", host_guard}, {"hash", host_hash}, {"undo", host_undo}, {NULL, NULL},
    };
    lua_State *L = s->vm.L;
    value_open(L);
    struct buf own = BUF_INIT; // an error in it has the same text with and without a cache
    struct buf *code = cache ? script_cache_prelude(cache) : &own;
    int r = script_compile(L, (const char *)SCRIPT_PRELUDE, SCRIPT_PRELUDE_LEN, "=" VM_PRELUDE_NAME, true, code);
    buf_free(&own);
    luaL_newlib(L, HOST);
    lua_pushlightuserdata(L, NULL);
    lua_setfield(L, -2, "null");
    lua_newtable(L);
#define X(name, in_list, meaning) (lua_pushboolean(L, 1), lua_setfield(L, -2, name));
#include "tbl/retry.def"
#undef X
    lua_setfield(L, -2, "failures");
    if (r == LUA_OK)
        r = lua_pcall(L, 1, 0, 0);
    if (r != LUA_OK)
        must_failed(lua_tostring(L, -1), VM_PRELUDE_NAME, 0);
}
