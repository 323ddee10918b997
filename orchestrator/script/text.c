// Regular expressions through PCRE2, with limits on steps, depth and memory: the outcome of a hard pattern is an error
// after a bounded time.
#define PCRE2_CODE_UNIT_WIDTH 8
#include "script/vm.h"

#include "base/mem.h"

#include <pcre2.h>
#include <stddef.h>
#include <string.h>

#define PATTERN_MAX  1000
#define SUBJECT_MAX  ((size_t)4 << 20)
#define STEPS_MAX    500000
#define DEPTH_MAX    2000
#define HEAP_KIB_MAX 8192
#define CACHED_MAX   64
#define BOX_NAME     "baton.regex"
#define CACHE_NAME   "baton.regex.cache"

struct box {
    pcre2_code *code;
    pcre2_match_data *data;
};

static int box_free(lua_State *L)
{
    struct box *box = luaL_checkudata(L, 1, BOX_NAME);
    pcre2_match_data_free(box->data);
    pcre2_code_free(box->code);
    *box = (struct box){0};
    return 0;
}

// Pushes the cache table, emptied when it is full.
static void push_cache(lua_State *L)
{
    if (lua_getfield(L, LUA_REGISTRYINDEX, CACHE_NAME) == LUA_TTABLE) {
        lua_rawgeti(L, -1, 0);
        lua_Integer n = lua_tointeger(L, -1);
        lua_pop(L, 1);
        if (n < CACHED_MAX)
            return;
    }
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_setfield(L, LUA_REGISTRYINDEX, CACHE_NAME);
}

// Memory of expressions is the VM's: it goes with the VM.
static void *get_memory(size_t size, void *user)
{
    max_align_t *p = blocks_get(user, sizeof(*p) + size);
    if (!p)
        return NULL;
    memcpy(p, &size, sizeof(size));
    return p + 1;
}

static void put_memory(void *memory, void *user)
{
    max_align_t *p = memory;
    size_t size = 0;
    if (!p)
        return;
    memcpy(&size, --p, sizeof(size));
    blocks_put(user, p, sizeof(*p) + size);
}

static pcre2_code *compile_text(lua_State *L, const char *pattern, size_t len, int *ret_code, PCRE2_SIZE *ret_at)
{
    pcre2_general_context *memory = pcre2_general_context_create(get_memory, put_memory, &vm_of(L)->blocks);
    pcre2_compile_context *context = memory ? pcre2_compile_context_create(memory) : NULL;
    must(context != NULL);
    pcre2_code *code =
        pcre2_compile((PCRE2_SPTR)pattern, len, PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C, ret_code,
                      ret_at, context);
    pcre2_compile_context_free(context);
    pcre2_general_context_free(memory);
    return code;
}

static struct box *compile(lua_State *L, const char *pattern, size_t len)
{
    struct box *box = lua_newuserdatauv(L, sizeof(*box), 0);
    *box = (struct box){0};
    if (luaL_newmetatable(L, BOX_NAME)) {
        lua_pushcfunction(L, box_free);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    int code = 0;
    PCRE2_SIZE at = 0;
    box->code = compile_text(L, pattern, len, &code, &at);
    if (!box->code) {
        char text[160];
        pcre2_get_error_message(code, (PCRE2_UCHAR *)text, sizeof(text));
        vm_raise(L, "the regular expression '%.100s' is wrong at byte %d: %s", pattern, (int)at, text);
    }
    box->data = pcre2_match_data_create_from_pattern(box->code, NULL);
    must(box->data != NULL);
    return box;
}

// Leaves the box on the stack, so that it lives as long as it is used.
static struct box *find_or_compile(lua_State *L, int index)
{
    size_t len = 0;
    const char *pattern = luaL_checklstring(L, index, &len);
    if (len > PATTERN_MAX)
        vm_raise(L, "a regular expression may have %d bytes, this one has %d", PATTERN_MAX, (int)len);
    push_cache(L);
    lua_pushvalue(L, index);
    if (lua_rawget(L, -2) == LUA_TUSERDATA)
        return lua_touserdata(L, -1);
    lua_pop(L, 1);
    vm_charge(L, 2000 + 20 * len);
    struct box *box = compile(L, pattern, len);
    lua_pushvalue(L, index);
    lua_pushvalue(L, -2);
    lua_rawset(L, -4);
    lua_rawgeti(L, -2, 0);
    lua_Integer n = lua_tointeger(L, -1);
    lua_pop(L, 1);
    lua_pushinteger(L, n + 1);
    lua_rawseti(L, -3, 0);
    return box;
}

static int execute(struct box *box, const char *subject, size_t len, size_t start)
{
    pcre2_match_context *context = pcre2_match_context_create(NULL);
    must(context != NULL);
    pcre2_set_match_limit(context, STEPS_MAX);
    pcre2_set_depth_limit(context, DEPTH_MAX);
    pcre2_set_heap_limit(context, HEAP_KIB_MAX);
    int r = pcre2_match(box->code, (PCRE2_SPTR)subject, len, start, 0, box->data, context);
    pcre2_match_context_free(context);
    return r;
}

int vm_regex(lua_State *L)
{
    size_t len = 0;
    const char *subject = luaL_checklstring(L, 1, &len);
    lua_Integer init = luaL_optinteger(L, 3, 1);
    if (len > SUBJECT_MAX)
        return vm_raise(L, "a text of %d bytes is too large for a regular expression (at most %d)", (int)len,
                        (int)SUBJECT_MAX);
    if (init < 1 || (size_t)init > len + 1)
        return 0;
    lua_settop(L, 2);
    struct box *box = find_or_compile(L, 2);
    vm_charge(L, 200 + len / 4);
    int groups = execute(box, subject, len, (size_t)init - 1);
    if (groups == PCRE2_ERROR_NOMATCH)
        return 0;
    if (groups == PCRE2_ERROR_MATCHLIMIT || groups == PCRE2_ERROR_DEPTHLIMIT || groups == PCRE2_ERROR_HEAPLIMIT)
        return vm_raise(L, "the regular expression '%.100s' needs too many steps for this text; make it more exact",
                        lua_tostring(L, 2));
    if (groups < 0) {
        char text[160];
        pcre2_get_error_message(groups, (PCRE2_UCHAR *)text, sizeof(text));
        return vm_raise(L, "the regular expression '%.100s' failed: %s", lua_tostring(L, 2), text);
    }
    uint32_t all = pcre2_get_ovector_count(box->data); // groups at the end that did not take part count too
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(box->data);
    vm_charge(L, all);
    luaL_checkstack(L, (int)(2 * all), "too many groups");
    for (uint32_t i = 0; i < all; i++) {
        bool set = i < (uint32_t)groups && at[2 * i] != PCRE2_UNSET;
        if (set) {
            lua_pushinteger(L, (lua_Integer)at[2 * i] + 1);
            lua_pushinteger(L, (lua_Integer)at[2 * i + 1] + 1);
        } else {
            lua_pushboolean(L, 0);
            lua_pushboolean(L, 0);
        }
    }
    return (int)(2 * all);
}
