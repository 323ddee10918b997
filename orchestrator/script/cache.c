// What was compiled once is kept as bytecode of our own making: text is never taken for it.
#include "script/script_internal.h"

#include "base/mem.h"
#include "base/str.h"

#include <string.h>

#define SCRIPTS_MAX 32

struct entry {
    char *name, *text;
    size_t len;
    struct buf code;
    json_t *declaration;
};

struct script_cache {
    struct buf prelude;
    struct entry entries[SCRIPTS_MAX];
    size_t next;
};

struct script_cache *script_cache_new(void)
{
    return mem_alloc(sizeof(struct script_cache));
}

static void entry_clear(struct entry *e)
{
    mem_free(e->name);
    mem_free(e->text);
    buf_free(&e->code);
    json_decref(e->declaration);
    *e = (struct entry){0};
}

struct script_cache *script_cache_free(struct script_cache *cache)
{
    for (size_t i = 0; cache && i < SCRIPTS_MAX; i++)
        entry_clear(&cache->entries[i]);
    if (cache)
        buf_free(&cache->prelude);
    mem_free(cache);
    return NULL;
}

static int write_code(lua_State *L, const void *data, size_t len, void *to)
{
    (void)L;
    buf_add(to, data, len);
    return 0;
}

int script_compile(lua_State *L, const char *text, size_t len, const char *chunk, bool bare, struct buf *code)
{
    if (code && code->len)
        return luaL_loadbufferx(L, buf_str(code), code->len, chunk, "b");
    int r = luaL_loadbufferx(L, text, len, chunk, "t");
    if (r != LUA_OK || !code)
        return r;
    lua_dump(L, write_code, code, bare);
    if (!bare)
        return r;
    lua_pop(L, 1); // the first one is as bare as all others
    return luaL_loadbufferx(L, buf_str(code), code->len, chunk, "b");
}

static struct entry *find(struct script_cache *cache, const char *text, size_t len, const char *name)
{
    for (size_t i = 0; cache && i < SCRIPTS_MAX; i++) {
        struct entry *e = &cache->entries[i];
        if (e->text && e->len == len && str_eq(e->name, name) && memcmp(e->text, text, len) == 0)
            return e;
    }
    return NULL;
}

struct buf *script_cache_prelude(struct script_cache *cache)
{
    return cache ? &cache->prelude : NULL;
}

struct buf *script_cache_code(struct script_cache *cache, const char *text, size_t len, const char *name)
{
    struct entry *e = find(cache, text, len, name);
    if (e || !cache)
        return e ? &e->code : NULL;
    e = &cache->entries[cache->next++ % SCRIPTS_MAX];
    entry_clear(e);
    e->name = str_dup(name);
    e->text = str_ndup(text, len);
    e->len = len;
    return &e->code;
}

json_t *script_declare_new(const char *text, size_t len, const char *name, const struct script_limits *limits, struct err *err)
{
    struct entry *e = find(limits ? limits->cache : NULL, text, len, name);
    if (e && e->declaration)
        return json_incref(e->declaration);
    struct script *s = NULL;
    if (script_load(text, len, name, limits, &s, err) < 0)
        return NULL;
    json_t *declaration = script_declaration_new(s);
    script_free(s);
    e = find(limits ? limits->cache : NULL, text, len, name);
    if (e)
        e->declaration = json_incref(declaration);
    return declaration;
}
