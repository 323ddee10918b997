// Loading, starting, answering. A task is a coroutine; its path and the number of each of its calls do not depend on
// when answers arrive.
#include "script/script_internal.h"

#include "base/mem.h"
#include "base/str.h"
#include "script/value.h"

#include <string.h>

#define MEMORY_DEFAULT       ((size_t)64 << 20)
#define INSTRUCTIONS_DEFAULT UINT64_C(50000000)

static int load_text(struct script *s, const char *text, size_t len, struct script_cache *cache, struct err *err)
{
    lua_State *L = s->vm.L;
    AUTO_FREE char *chunk = str_printf("=%s", s->name);
    size_t skip = len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    if (len > skip && text[skip] == LUA_SIGNATURE[0])
        return err_set(err, ERR_PARSE, "%s is compiled Lua; only text is loaded", s->name);
    struct buf *code = script_cache_code(cache, text, len, s->name);
    vm_enter(&s->vm, L);
    int r = script_compile(L, text + skip, len - skip, chunk, false, code);
    if (r == LUA_OK)
        r = lua_pcall(L, 0, 0, 0);
    vm_leave(&s->vm);
    if (r != LUA_OK) {
        vm_error(&s->vm, L, r, err);
        return -(int)err->code;
    }
    if (s->main_ref == LUA_NOREF)
        return err_set(err, ERR_INVALID,
                       "%s declares no workflow; expected: workflow \"name\" { run = function(p) … end }", s->name);
    return 0;
}

int script_load(const char *text, size_t len, const char *name, const struct script_limits *limits, struct script **ret,
                struct err *err)
{
    struct err own = {0};
    if (!err)
        err = &own;
    if (len > SCRIPT_TEXT_MAX)
        return err_set(err, ERR_LIMIT, "the script '%s' has more than %zu bytes", name, SCRIPT_TEXT_MAX);
    struct script *s = mem_alloc(sizeof(*s));
    s->name = str_dup(name);
    s->main_ref = s->undo_ref = LUA_NOREF;
    vm_open(&s->vm, limits && limits->memory ? limits->memory : MEMORY_DEFAULT,
            limits && limits->instructions ? limits->instructions : INSTRUCTIONS_DEFAULT, s);
    script_open_prelude(s, limits ? limits->cache : NULL);
    int r = load_text(s, text, len, limits ? limits->cache : NULL, err);
    if (r < 0) {
        script_free(s);
        return r;
    }
    *ret = s;
    return 0;
}

struct script *script_free(struct script *s)
{
    if (!s)
        return NULL;
    script_tasks_free(s);
    vm_close(&s->vm);
    vec_free(&s->tasks);
    vec_free(&s->generations);
    vec_free(&s->queue);
    vec_free(&s->hungry);
    json_decref(s->declaration);
    json_decref(s->result);
    mem_free(s->name);
    mem_free(s);
    return NULL;
}

json_t *script_declaration_new(const struct script *s)
{
    return json_incref(s->declaration);
}

int script_start(struct script *s, const json_t *params, const struct script_host *host, struct err *err)
{
    if (s->state != SCRIPT_LOADED)
        return err_set(err, ERR_STATE, "the script '%s' was started already", s->name);
    AUTO_JSON json_t *full = script_params_new(s->declaration, params, false, err);
    if (!full)
        return err ? -(int)err->code : -ERR_INVALID;
    s->host = *host;
    lua_rawgeti(s->vm.L, LUA_REGISTRYINDEX, s->main_ref);
    int slot = script_task_new(s, str_dup("0"), NULL, 0, err);
    int r = slot < 0 ? slot : value_push(s->tasks.items[slot]->L, full, false, err);
    if (r < 0)
        return r;
    s->state = SCRIPT_WAITING;
    script_make_ready(s, (unsigned)slot, 1);
    script_pump(s);
    return 0;
}

int script_undo(struct script *s, const json_t *why, struct err *err)
{
    if (s->state == SCRIPT_LOADED || s->undoing || s->pumping)
        return err_set(err, ERR_STATE, "the handlers of '%s' cannot run now", s->name);
    script_tasks_free(s);
    s->queue.len = s->queue_head = s->open_calls = 0;
    json_decref(s->result);
    s->result = NULL;
    err_clear(&s->error);
    s->vm.over = false; // a limit that was reached: they have one of their own
    s->undoing = true;
    s->state = SCRIPT_WAITING;
    lua_rawgeti(s->vm.L, LUA_REGISTRYINDEX, s->undo_ref);
    int slot = script_task_new(s, str_dup("undo"), NULL, 0, err);
    int r = slot < 0 ? slot : value_push(s->tasks.items[slot]->L, why, false, err);
    if (r < 0)
        return r;
    script_make_ready(s, (unsigned)slot, 1);
    script_pump(s);
    return 0;
}

int script_answer(struct script *s, uint64_t call_id, const json_t *answer, const struct err *failure, struct err *err)
{
    uint64_t slot = call_id & (((uint64_t)1 << SLOT_BITS) - 1);
    struct task *t = slot < s->tasks.len ? s->tasks.items[slot] : NULL;
    if (script_ended(s) || !t || !t->open || t->generation != call_id >> SLOT_BITS)
        return err_set(err, ERR_STATE, "the call is not open any more: the answer came late or twice");
    t->open = false;
    s->open_calls--;
    if (answer)
        script_ready_with_value(s, (unsigned)slot, answer);
    else if (failure && script_code_ends(-(int)failure->code))
        script_fail(s, failure);
    else
        script_ready_with_error(s, (unsigned)slot, failure ? failure->text : "the call failed");
    script_pump(s);
    return 0;
}

enum script_state script_state(const struct script *s)
{
    return s->state;
}

const json_t *script_result(const struct script *s)
{
    return s->state == SCRIPT_DONE ? s->result : NULL;
}

const struct err *script_error(const struct script *s)
{
    return s->state == SCRIPT_FAILED ? &s->error : NULL;
}

int script_line(const struct script *s, uint64_t call_id)
{
    uint64_t slot = call_id & (((uint64_t)1 << SLOT_BITS) - 1);
    const struct task *t = slot < s->tasks.len ? s->tasks.items[slot] : NULL;
    return t && t->generation == call_id >> SLOT_BITS ? vm_line(t->L) : 0;
}

int script_end_line(const struct script *s)
{
    return s->end_line;
}

size_t script_open_calls(const struct script *s)
{
    return s->open_calls;
}

