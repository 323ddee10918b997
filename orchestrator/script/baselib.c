// The environment: the standard functions that are harmless, and replacements for those that are not deterministic,
// show addresses, or can work without end inside C.
#include "script/vm.h"

#include <lualib.h>
#include <stdlib.h>
#include <string.h>

#define REP_MAX ((size_t)16 << 20)

// --- tostring ---

const char *vm_tostring(lua_State *L, int index)
{
    index = lua_absindex(L, index);
    int type = lua_type(L, index);
    if (type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TBOOLEAN || type == LUA_TNIL)
        return luaL_tolstring(L, index, NULL);
    if (luaL_getmetafield(L, index, "__tostring") != LUA_TNIL) {
        lua_pop(L, 1);
        return luaL_tolstring(L, index, NULL);
    }
    // Never luaL_tolstring here: it writes the address.
    return lua_pushstring(L, type == LUA_TLIGHTUSERDATA ? "null" : lua_typename(L, type));
}

static int base_tostring(lua_State *L)
{
    luaL_checkany(L, 1);
    vm_tostring(L, 1);
    return 1;
}

// --- pairs: numbers in order, then strings in byte order, then booleans ---

struct key {
    int type, place; // place in the list of keys as found
    lua_Number number;
    lua_Integer integer;
    bool is_integer;
    const char *text;
    size_t len;
};

static int rank(int type)
{
    return type == LUA_TNUMBER ? 0 : type == LUA_TSTRING ? 1 : type == LUA_TBOOLEAN ? 2 : 3;
}

static int compare_keys(const void *pa, const void *pb)
{
    const struct key *a = pa, *b = pb;
    if (rank(a->type) != rank(b->type))
        return rank(a->type) - rank(b->type);
    if (a->type == LUA_TNUMBER) {
        if (a->is_integer && b->is_integer)
            return a->integer < b->integer ? -1 : a->integer > b->integer;
        return a->number < b->number ? -1 : a->number > b->number;
    }
    if (a->type == LUA_TSTRING) {
        size_t n = a->len < b->len ? a->len : b->len;
        int r = memcmp(a->text, b->text, n);
        return r != 0 ? r : a->len < b->len ? -1 : a->len > b->len;
    }
    return a->integer < b->integer ? -1 : a->integer > b->integer;
}

static size_t count_keys(lua_State *L, int table)
{
    size_t n = 0;
    lua_pushnil(L);
    while (lua_next(L, table)) {
        lua_pop(L, 1);
        n++;
    }
    return n;
}

// Pushes a list of the keys of the table at index 1, in order.
static void push_sorted_keys(lua_State *L)
{
    size_t n = count_keys(L, 1), others = 0;
    vm_charge(L, 8 * n);
    lua_createtable(L, (int)n, 0);
    int found = lua_gettop(L);
    struct key *keys = lua_newuserdatauv(L, n * sizeof(*keys) + 1, 0);
    lua_pushnil(L);
    for (size_t i = 0; i < n && lua_next(L, 1); i++) {
        lua_pop(L, 1);
        struct key k = {.type = lua_type(L, -1), .place = (int)i + 1};
        if (k.type == LUA_TNUMBER) {
            k.is_integer = lua_isinteger(L, -1);
            k.number = lua_tonumber(L, -1);
            k.integer = k.is_integer ? lua_tointeger(L, -1) : 0;
        } else if (k.type == LUA_TSTRING) {
            k.text = lua_tolstring(L, -1, &k.len);
        } else if (k.type == LUA_TBOOLEAN) {
            k.integer = lua_toboolean(L, -1);
        } else {
            others++;
        }
        keys[i] = k;
        lua_pushvalue(L, -1);
        lua_rawseti(L, found, (lua_Integer)i + 1);
    }
    lua_settop(L, found + 1);
    if (others > 1)
        vm_raise(
            L,
            "pairs: this table has %d keys that are no strings, numbers or booleans; their order would not be the same "
            "at a replay",
            (int)others);
    qsort(keys, n, sizeof(*keys), compare_keys);
    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, found, keys[i].place);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_replace(L, found);
    lua_settop(L, found);
}

// Upvalues: table, sorted keys, position. Keys that were removed in between are left out.
static int pairs_next(lua_State *L)
{
    lua_Integer at = lua_tointeger(L, lua_upvalueindex(3));
    for (;;) {
        at++;
        if (lua_rawgeti(L, lua_upvalueindex(2), at) == LUA_TNIL)
            return 1;
        lua_pushvalue(L, -1);
        if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) {
            lua_pushinteger(L, at);
            lua_replace(L, lua_upvalueindex(3));
            return 2;
        }
        lua_pop(L, 2);
    }
}

static int base_pairs(lua_State *L)
{
    luaL_checkany(L, 1);
    if (luaL_getmetafield(L, 1, "__pairs") != LUA_TNIL) {
        lua_pushvalue(L, 1);
        lua_call(L, 1, 3);
        return 3;
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    push_sorted_keys(L);
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, pairs_next, 3);
    return 1;
}

// next(t): the first key and value, to see whether a table is empty.
static int base_next(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    if (!lua_isnoneornil(L, 2))
        return vm_raise(L, "next(t, key) has no stable order; use pairs(t)");
    lua_settop(L, 1);
    push_sorted_keys(L);
    if (lua_rawgeti(L, 2, 1) == LUA_TNIL)
        return 1;
    lua_pushvalue(L, -1);
    lua_rawget(L, 1);
    return 2;
}

// --- the rest of the base library ---

static int base_setmetatable(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_argexpected(L, lua_isnil(L, 2) || lua_istable(L, 2), 2, "nil or table");
    if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
        return vm_raise(L, "this metatable is protected");
    static const char *const REFUSED[] = {"__gc", "__mode"}; // they would show when garbage is collected
    for (size_t i = 0; lua_istable(L, 2) && i < ARRAY_LEN(REFUSED); i++) {
        lua_pushstring(L, REFUSED[i]);
        if (lua_rawget(L, 2) != LUA_TNIL)
            return vm_raise(L, "a metatable with %s is not allowed in a workflow", REFUSED[i]);
    }
    lua_settop(L, 2);
    lua_setmetatable(L, 1);
    return 1;
}

// A caught error makes Lua walk all frames and shrink the stack; both are part of the memory in use.
static int end_pcall(lua_State *L, int status, lua_KContext skip)
{
    if (status == LUA_OK || status == LUA_YIELD)
        return lua_gettop(L) - (int)skip;
    vm_charge(L, vm_of(L)->used / 64);
    lua_pushboolean(L, 0);
    lua_pushvalue(L, -2);
    return 2;
}

static int base_pcall(lua_State *L)
{
    luaL_checkany(L, 1);
    lua_pushboolean(L, 1);
    lua_insert(L, 1);
    return end_pcall(L, lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, 0, end_pcall), 0);
}

static int base_xpcall(lua_State *L)
{
    int n = lua_gettop(L);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_pushboolean(L, 1);
    lua_pushvalue(L, 1);
    lua_rotate(L, 3, 2); // function, handler, true, function, arguments
    return end_pcall(L, lua_pcallk(L, n - 2, LUA_MULTRET, 2, 2, end_pcall), 2);
}

// Upvalue: a standard function. Charges for the bytes it is given.
static int charged_call(lua_State *L)
{
    int n = lua_gettop(L);
    uint64_t bytes = 0;
    for (int i = 1; i <= n; i++)
        if (lua_type(L, i) == LUA_TSTRING)
            bytes += lua_rawlen(L, i);
    vm_charge(L, bytes / 16);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, n, LUA_MULTRET);
    return lua_gettop(L);
}

// Upvalue: a standard function of `table`. A __len that lies would let it run for ever.
static int table_call(lua_State *L)
{
    int n = lua_gettop(L);
    luaL_checktype(L, 1, LUA_TTABLE);
    if (luaL_getmetafield(L, 1, "__len") != LUA_TNIL)
        return vm_raise(L, "functions of 'table' do not take a table with __len");
    vm_charge(L, 4 * lua_rawlen(L, 1));
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, n, LUA_MULTRET);
    return lua_gettop(L);
}

static int table_move(lua_State *L)
{
    lua_Integer from = luaL_checkinteger(L, 2), to = luaL_checkinteger(L, 3);
    luaL_checkinteger(L, 4);
    if (to >= from && (lua_Unsigned)to - (lua_Unsigned)from > 10000000)
        return vm_raise(L, "table.move: more than 10 million elements");
    vm_charge(L, to >= from ? 4 * (uint64_t)(to - from) : 0);
    return table_call(L);
}

static int string_rep(lua_State *L)
{
    size_t len = 0, sep = 0;
    luaL_checklstring(L, 1, &len);
    lua_Integer n = luaL_checkinteger(L, 2);
    luaL_optlstring(L, 3, "", &sep);
    if (n > 0 && ((lua_Unsigned)n > REP_MAX || (len + sep) > REP_MAX / (size_t)n))
        return vm_raise(L, "string.rep: the result would be larger than %d MiB", (int)(REP_MAX >> 20));
    vm_charge(L, n > 0 ? (uint64_t)n / 4 : 0);
    return charged_call(L);
}

// The standard one writes addresses for %p and for tables under %s.
static int string_format(lua_State *L)
{
    size_t len = 0;
    const char *format = luaL_checklstring(L, 1, &len);
    for (const char *p = format; (p = memchr(p, '%', len - (size_t)(p - format))) != NULL;) {
        p += 1;
        p += strspn(p, "-+ #0123456789.");
        if (*p == 'p')
            return vm_raise(L, "string.format: %%p is not available, addresses are not the same at a replay");
        if (*p)
            p++;
        if (p > format + len)
            break;
    }
    for (int i = 2; i <= lua_gettop(L); i++) {
        int type = lua_type(L, i);
        if (type != LUA_TNUMBER && type != LUA_TSTRING && type != LUA_TBOOLEAN && type != LUA_TNIL) {
            vm_tostring(L, i);
            lua_replace(L, i);
        }
    }
    return charged_call(L);
}

// find(s, text [, init [, true]]): plain only. Lua patterns can run for seconds inside C.
static int string_find(lua_State *L)
{
    size_t len = 0;
    const char *pattern = luaL_checklstring(L, 2, &len);
    if (!lua_toboolean(L, 4) && strcspn(pattern, "^$*+?.([%-") != len)
        return vm_raise(
            L, "string.find: Lua patterns are not available; use text.find(s, regex), or plain text as the fourth "
               "argument true");
    lua_settop(L, 3);
    lua_pushboolean(L, 1);
    vm_charge(L, lua_rawlen(L, 1) / 4);
    return charged_call(L);
}

static int no_pattern(lua_State *L)
{
    return vm_raise(L, "string.%s: Lua patterns are not available; use text.%s (regular expressions)",
                    lua_tostring(L, lua_upvalueindex(1)), lua_tostring(L, lua_upvalueindex(2)));
}

static void replace(lua_State *L, const char *name, lua_CFunction wrapper)
{
    lua_getfield(L, -1, name);
    lua_pushcclosure(L, wrapper, 1);
    lua_setfield(L, -2, name);
}

static void refuse(lua_State *L, const char *name, const char *instead)
{
    lua_pushstring(L, name);
    lua_pushstring(L, instead);
    lua_pushcclosure(L, no_pattern, 2);
    lua_setfield(L, -2, name);
}

static void drop(lua_State *L, const char *const *names)
{
    for (; *names; names++) {
        lua_pushnil(L);
        lua_setfield(L, -2, *names);
    }
}

static void open_string(lua_State *L)
{
    static const char *const DROPPED[] = {"dump", "pack", "unpack", "packsize", NULL};
    static const char *const CHARGED[] = {"byte", "char", "len", "lower", "upper", "reverse", "sub", NULL};
    luaL_requiref(L, "string", luaopen_string, 1);
    drop(L, DROPPED);
    for (const char *const *p = CHARGED; *p; p++)
        replace(L, *p, charged_call);
    replace(L, "rep", string_rep);
    replace(L, "format", string_format);
    replace(L, "find", string_find);
    refuse(L, "match", "match");
    refuse(L, "gmatch", "all");
    refuse(L, "gsub", "replace");
    lua_pushliteral(L, "");
    lua_getmetatable(L, -1);
    lua_pushliteral(L, "string");
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 3);
}

static void open_others(lua_State *L)
{
    static const char *const TABLE[] = {"concat", "insert", "remove", "sort", "unpack", NULL};
    static const char *const UTF8[] = {"char", "codepoint", "len", "offset", NULL};
    static const char *const NO_UTF8[] = {"charpattern", NULL};
    static const char *const NO_MATH[] = {"random", "randomseed", NULL};
    luaL_requiref(L, "table", luaopen_table, 1);
    for (const char *const *p = TABLE; *p; p++)
        replace(L, *p, table_call);
    replace(L, "move", table_move);
    lua_pop(L, 1);
    luaL_requiref(L, "utf8", luaopen_utf8, 1);
    drop(L, NO_UTF8);
    for (const char *const *p = UTF8; *p; p++)
        replace(L, *p, charged_call);
    lua_pop(L, 1);
    luaL_requiref(L, "math", luaopen_math, 1);
    drop(L, NO_MATH);
    lua_pop(L, 1);
}

void vm_open_base(lua_State *L)
{
    static const char *const DROPPED[] = {"collectgarbage", "dofile", "load",     "loadfile", "print",
                                          "warn",           "_G",     "_VERSION", "require",  NULL};
    static const luaL_Reg OWN[] = {
        {"tostring", base_tostring}, {"pairs", base_pairs},   {"next", base_next}, {"setmetatable", base_setmetatable},
        {"pcall", base_pcall},       {"xpcall", base_xpcall}, {NULL, NULL},
    };
    luaL_requiref(L, "_G", luaopen_base, 0);
    drop(L, DROPPED);
    luaL_setfuncs(L, OWN, 0);
    lua_pop(L, 1);
    open_string(L);
    open_others(L);
    // package.loaded holds the libraries as opened; nothing but the registry knows it now, and it names functions in
    // messages.
}
