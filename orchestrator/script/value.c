#include "script/value.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "script/script.h"

#include <lauxlib.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define KEYS_ON_STACK 16

struct border {
    lua_State *L;
    size_t nodes, bytes;
    struct buf path;
    struct err *err;
    bool keep_null;
};

void value_open(lua_State *L)
{
    luaL_newmetatable(L, VALUE_LIST_NAME);
    lua_pushliteral(L, "list");
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}

void value_mark_list(lua_State *L)
{
    luaL_setmetatable(L, VALUE_LIST_NAME);
}

static int count(struct border *b, int depth, size_t bytes)
{
    b->bytes += bytes;
    if (depth > SCRIPT_DEPTH_MAX)
        return err_set(b->err, ERR_LIMIT, "the value at '%s' is nested deeper than %d levels (or contains itself)",
                       buf_str(&b->path), SCRIPT_DEPTH_MAX);
    if (++b->nodes > SCRIPT_NODES_MAX)
        return err_set(b->err, ERR_LIMIT, "a value has more than %d parts", SCRIPT_NODES_MAX);
    if (b->bytes > SCRIPT_BYTES_MAX)
        return err_set(b->err, ERR_LIMIT, "a value is larger than %d MiB", (int)(SCRIPT_BYTES_MAX >> 20));
    return 0;
}

// --- JSON to Lua ---

// First the limits, so that pushing cannot fail halfway.
static int measure(struct border *b, const json_t *v, int depth)
{
    int r = count(b, depth, json_is_string(v) ? json_string_length(v) : 0);
    if (r < 0)
        return r;
    size_t i;
    const json_t *item;
    const char *key;
    if (json_is_array(v)) {
        json_array_foreach (v, i, item) {
            if ((r = measure(b, item, depth + 1)) < 0)
                return r;
        }
    }
    if (json_is_object(v)) {
        json_t *object = json_incref((json_t *)(uintptr_t)v); // the iteration of Jansson wants it without const
        json_t *member;
        json_object_foreach (object, key, member) {
            b->bytes += strlen(key);
            if ((r = measure(b, member, depth + 1)) < 0)
                break;
        }
        json_decref(object);
    }
    return r;
}

static void push(struct border *b, const json_t *v);

static void push_object(struct border *b, const json_t *v)
{
    json_t *object = json_incref((json_t *)(uintptr_t)v);
    lua_createtable(b->L, 0, (int)json_object_size(object));
    const char *key;
    json_t *member;
    json_object_foreach (object, key, member) {
        if (json_is_null(member) && !b->keep_null)
            continue;
        lua_pushstring(b->L, key);
        push(b, member);
        lua_rawset(b->L, -3);
    }
    json_decref(object);
}

static void push(struct border *b, const json_t *v)
{
    size_t i;
    json_t *item;
    switch (json_typeof(v)) {
    case JSON_NULL:
        lua_pushlightuserdata(b->L, NULL);
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        lua_pushboolean(b->L, json_is_true(v));
        break;
    case JSON_INTEGER:
        lua_pushinteger(b->L, json_integer_value(v));
        break;
    case JSON_REAL:
        lua_pushnumber(b->L, json_real_value(v));
        break;
    case JSON_STRING:
        lua_pushlstring(b->L, json_string_value(v), json_string_length(v));
        break;
    case JSON_ARRAY:
        lua_createtable(b->L, (int)json_array_size(v), 0);
        json_array_foreach (v, i, item) {
            push(b, item);
            lua_rawseti(b->L, -2, (lua_Integer)i + 1);
        }
        value_mark_list(b->L);
        break;
    case JSON_OBJECT:
        push_object(b, v);
        break;
    }
}

int value_push(lua_State *L, const json_t *v, bool keep_null, struct err *err)
{
    struct border b = {.L = L, .err = err, .keep_null = keep_null};
    int r = measure(&b, v, 0);
    buf_free(&b.path);
    if (r < 0)
        return r;
    if (!lua_checkstack(L, 4 * SCRIPT_DEPTH_MAX))
        return err_set(err, ERR_LIMIT, "the script has no stack left for a value");
    push(&b, v);
    return 0;
}

// --- Lua to JSON ---

static json_t *read_value(struct border *b, int index, int depth);

static json_t *bad(struct border *b, enum err_code code, const char *what)
{
    err_set(b->err, code, "'%s' %s", b->path.len ? buf_str(&b->path) : "the value", what);
    return NULL;
}

static bool marked_list(lua_State *L, int index)
{
    if (!lua_getmetatable(L, index))
        return false;
    luaL_getmetatable(L, VALUE_LIST_NAME);
    bool same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same;
}

// Kinds of keys: how many there are, how many of them are 1..n, how many are texts.
struct shape {
    size_t all, places, texts;
};

static struct shape shape_of(lua_State *L, int index)
{
    struct shape s = {0};
    size_t len = lua_rawlen(L, index);
    lua_pushnil(L);
    while (lua_next(L, index)) {
        lua_pop(L, 1);
        s.all++;
        s.texts += lua_type(L, -1) == LUA_TSTRING;
        s.places += lua_isinteger(L, -1) && lua_tointeger(L, -1) >= 1 && (lua_Unsigned)lua_tointeger(L, -1) <= len;
    }
    return s;
}

static json_t *read_list(struct border *b, int index, size_t n, int depth)
{
    json_t *list = json_array();
    size_t path = b->path.len;
    for (size_t i = 1; i <= n; i++) {
        buf_printf(&b->path, "[%zu]", i);
        lua_rawgeti(b->L, index, (lua_Integer)i);
        json_t *item = read_value(b, lua_gettop(b->L), depth + 1);
        lua_pop(b->L, 1);
        if (!item) {
            json_decref(list);
            return NULL;
        }
        must(json_array_append_new(list, item) == 0);
        b->path.data[path] = '\0';
        b->path.len = path;
    }
    return list;
}

struct key {
    const char *text;
    size_t len;
};

static int compare_keys(const void *a, const void *b)
{
    return strcmp(((const struct key *)a)->text, ((const struct key *)b)->text);
}

static void sort_keys(struct key *keys, size_t n)
{
    if (n > KEYS_ON_STACK) {
        qsort(keys, n, sizeof(*keys), compare_keys);
        return;
    }
    for (size_t i = 1; i < n; i++) {
        struct key key = keys[i];
        size_t at = i;
        for (; at > 0 && compare_keys(&keys[at - 1], &key) > 0; at--)
            keys[at] = keys[at - 1];
        keys[at] = key;
    }
}

// Fills `keys` with the texts of all keys; they live as long as the table.
static int read_keys(struct border *b, int index, struct key *keys)
{
    size_t n = 0;
    lua_pushnil(b->L);
    while (lua_next(b->L, index)) {
        lua_pop(b->L, 1);
        size_t len = 0;
        const char *key = lua_tolstring(b->L, -1, &len);
        if (!str_utf8_valid(key, len)) {
            lua_pop(b->L, 1);
            bad(b, ERR_INVALID, "has a key that is not UTF-8 text");
            return -ERR_INVALID;
        }
        b->bytes += len;
        keys[n++] = (struct key){key, len};
    }
    sort_keys(keys, n);
    return 0;
}

static json_t *read_object(struct border *b, int index, size_t n, int depth)
{
    struct key few[KEYS_ON_STACK], *keys = n > KEYS_ON_STACK ? mem_array(n, sizeof(*keys)) : few;
    json_t *object = json_object();
    size_t path = b->path.len;
    bool ok = read_keys(b, index, keys) == 0;
    for (size_t i = 0; ok && i < n; i++) {
        if (path)
            buf_char(&b->path, '.');
        buf_add(&b->path, keys[i].text, keys[i].len);
        lua_pushlstring(b->L, keys[i].text, keys[i].len);
        lua_rawget(b->L, index);
        json_t *member = read_value(b, lua_gettop(b->L), depth + 1);
        lua_pop(b->L, 1);
        ok = member && json_object_setn_new_nocheck(object, keys[i].text, keys[i].len, member) == 0;
        if (ok && b->path.data) {
            b->path.data[path] = '\0';
            b->path.len = path;
        }
    }
    if (keys != few)
        mem_free(keys);
    if (ok)
        return object;
    json_decref(object);
    return NULL;
}

static json_t *read_table(struct border *b, int index, int depth)
{
    if (!lua_checkstack(b->L, 8))
        return bad(b, ERR_LIMIT, "is nested too deep for the script's stack");
    bool marked = marked_list(b->L, index);
    struct shape s = shape_of(b->L, index);
    if (s.all > SCRIPT_NODES_MAX)
        return bad(b, ERR_LIMIT, "has too many parts");
    if (s.places == s.all && s.all == lua_rawlen(b->L, index) && (s.all > 0 || marked))
        return read_list(b, index, s.all, depth);
    if (marked)
        return bad(b, ERR_INVALID, "is a list with holes or with keys that are no places");
    if (s.texts == s.all)
        return read_object(b, index, s.all, depth);
    return bad(b, ERR_INVALID, "mixes keys: a table is a list (1, 2, 3, … without holes) or has only texts as keys");
}

static json_t *read_value(struct border *b, int index, int depth)
{
    lua_State *L = b->L;
    size_t len = 0;
    const char *text = lua_type(L, index) == LUA_TSTRING ? lua_tolstring(L, index, &len) : NULL;
    if (count(b, depth, len) < 0)
        return NULL;
    switch (lua_type(L, index)) {
    case LUA_TNIL:
        return json_null();
    case LUA_TBOOLEAN:
        return json_boolean(lua_toboolean(L, index));
    case LUA_TNUMBER:
        if (lua_isinteger(L, index))
            return json_integer(lua_tointeger(L, index));
        if (!isfinite(lua_tonumber(L, index)))
            return bad(b, ERR_INVALID, "is not a finite number");
        return json_real(lua_tonumber(L, index));
    case LUA_TSTRING:
        return str_utf8_valid(text, len) ? json_stringn_nocheck(text, len) : bad(b, ERR_INVALID, "is not UTF-8 text");
    case LUA_TLIGHTUSERDATA:
        return json_null();
    case LUA_TTABLE:
        return read_table(b, index, depth);
    default: {
        char what[64];
        snprintf(what, sizeof(what), "is a %s, which cannot leave the script", luaL_typename(L, index));
        return bad(b, ERR_INVALID, what);
    }
    }
}

json_t *value_read_new(lua_State *L, int index, struct err *err)
{
    struct border b = {.L = L, .err = err, .path = BUF_MAX(4096)};
    if (!lua_checkstack(L, 8)) {
        err_set(err, ERR_LIMIT, "the script has no stack left");
        return NULL;
    }
    json_t *v = read_value(&b, lua_absindex(L, index), 0);
    buf_free(&b.path);
    return v;
}
