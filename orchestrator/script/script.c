// Loading, tasks and calls. A task is a coroutine; its path and the number of each of its calls do not depend on when answers
// arrive. Everything here runs while no script code is on the C stack, except the small functions the prelude calls.
#include "script/script.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "script/prelude.h"
#include "script/value.h"
#include "script/vm.h"

#include <stdio.h>
#include <string.h>

#define MEMORY_DEFAULT       ((size_t)64 << 20)
#define INSTRUCTIONS_DEFAULT UINT64_C(50000000)
#define LOG_LINE_MAX         4096
#define SLOT_BITS            20 // a call id is generation << SLOT_BITS | slot; tasks stay below

struct group { // children of one `parallel`
    struct task *parent;
    int functions, results; // registry references
    unsigned total, started, live, width, base;
    unsigned failed; // lowest number of a child that failed, from 1; 0: none
    char *failure;
};

struct task {
    lua_State *L;
    int ref;
    char *path;
    unsigned calls, children;
    struct group *group; // it belongs to; NULL for the first task
    unsigned place;      // in the group, from 1
    uint64_t generation; // of the slot; grows with every call
    bool open;           // waits for the answer of call `generation`
    bool ready;          // in the queue
    int n_args;          // on its stack for the resumption
};

struct script {
    struct vm vm;
    char *name;
    json_t *declaration, *result;
    int main_ref; // registry reference of the function that runs the workflow
    enum script_state state;
    struct err error;
    struct script_host host;
    VEC(struct task *) tasks; // by slot; NULL: free
    VEC(uint64_t) generations; // by slot; outlive the tasks
    VEC(unsigned) queue;       // slots that are ready
    size_t queue_head, open_calls;
    int end_line;
    bool pumping;
};

// --- what the prelude calls; these may raise ---

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

static void open_prelude(struct script *s)
{
    static const luaL_Reg HOST[] = {
        {"call", host_call}, {"declare", host_declare}, {"log", host_log},     {"raise", host_raise},
        {"line", host_line}, {"list", host_list},       {"regex", vm_regex}, {"text", host_text}, {"guard", host_guard},
        {NULL, NULL},
    };
    lua_State *L = s->vm.L;
    value_open(L);
    int r = luaL_loadbufferx(L, (const char *)SCRIPT_PRELUDE, SCRIPT_PRELUDE_LEN, "=" VM_PRELUDE_NAME, "t");
    luaL_newlib(L, HOST);
    lua_pushlightuserdata(L, NULL);
    lua_setfield(L, -2, "null");
    if (r == LUA_OK)
        r = lua_pcall(L, 1, 0, 0);
    if (r != LUA_OK)
        must_failed(lua_tostring(L, -1), VM_PRELUDE_NAME, 0);
}

// --- ending ---

static void fail(struct script *s, const struct err *err)
{
    if (s->state == SCRIPT_DONE || s->state == SCRIPT_FAILED)
        return;
    s->state = SCRIPT_FAILED;
    s->error = *err;
}

static void finish(struct script *s, const char *outcome, json_t *result_consumed)
{
    s->state = SCRIPT_DONE;
    s->result = json_object();
    json_put_str(s->result, "outcome", outcome);
    json_put(s->result, "result", result_consumed);
}

static void group_free(struct script *s, struct group *g)
{
    luaL_unref(s->vm.L, LUA_REGISTRYINDEX, g->functions);
    luaL_unref(s->vm.L, LUA_REGISTRYINDEX, g->results);
    mem_free(g->failure);
    mem_free(g);
}

static void task_free(struct script *s, unsigned slot)
{
    struct task *t = s->tasks.items[slot];
    s->tasks.items[slot] = NULL;
    s->open_calls -= t->open;
    luaL_unref(s->vm.L, LUA_REGISTRYINDEX, t->ref);
    mem_free(t->path);
    mem_free(t);
}

// --- tasks ---

static void make_ready(struct script *s, unsigned slot, int n_args)
{
    struct task *t = s->tasks.items[slot];
    must(!t->ready);
    t->ready = true;
    t->n_args = n_args;
    vec_push(&s->queue, slot);
}

// Takes the function on top of the main stack.
static int task_new(struct script *s, char *path_consumed, struct group *group, unsigned place, struct err *err)
{
    unsigned slot = 0;
    while (slot < s->tasks.len && s->tasks.items[slot])
        slot++;
    if (slot >= SCRIPT_TASKS_MAX) {
        mem_free(path_consumed);
        lua_pop(s->vm.L, 1);
        return err_set(err, ERR_LIMIT, "a run has at most %d tasks at the same time; give parallel a limit", SCRIPT_TASKS_MAX);
    }
    if (slot == s->tasks.len) {
        vec_push(&s->tasks, NULL);
        vec_push(&s->generations, 0);
    }
    struct task *t = mem_alloc(sizeof(*t));
    t->L = lua_newthread(s->vm.L);
    t->ref = luaL_ref(s->vm.L, LUA_REGISTRYINDEX);
    t->path = path_consumed;
    t->group = group;
    t->place = place;
    s->tasks.items[slot] = t;
    lua_xmove(s->vm.L, t->L, 1);
    return (int)slot;
}

static unsigned slot_of(const struct script *s, const struct task *t)
{
    for (unsigned i = 0; i < s->tasks.len; i++)
        if (s->tasks.items[i] == t)
            return i;
    must_failed("task of a group", __FILE__, __LINE__);
}

// Resumes a task with (false, text): the prelude raises it there.
static void ready_with_error(struct script *s, unsigned slot, const char *text)
{
    lua_State *L = s->tasks.items[slot]->L;
    lua_pushboolean(L, 0);
    lua_pushstring(L, text);
    make_ready(s, slot, 2);
}

static void ready_with_value(struct script *s, unsigned slot, const json_t *answer)
{
    lua_State *L = s->tasks.items[slot]->L;
    struct err err = {0};
    lua_pushboolean(L, 1);
    if (value_push(L, answer, false, &err) < 0) {
        lua_pop(L, 1);
        ready_with_error(s, slot, err.text);
        return;
    }
    make_ready(s, slot, 2);
}

// --- parallel ---

static void group_end(struct script *s, struct group *g)
{
    unsigned slot = slot_of(s, g->parent);
    if (g->failed) {
        ready_with_error(s, slot, g->failure);
    } else {
        lua_State *L = g->parent->L;
        lua_pushboolean(L, 1);
        lua_rawgeti(L, LUA_REGISTRYINDEX, g->results);
        make_ready(s, slot, 2);
    }
    group_free(s, g);
}

static void group_fill(struct script *s, struct group *g)
{
    lua_State *L = s->vm.L;
    while (!g->failed && g->started < g->total && g->live < g->width) {
        unsigned i = ++g->started;
        lua_rawgeti(L, LUA_REGISTRYINDEX, g->functions);
        lua_rawgeti(L, -1, i);
        lua_remove(L, -2);
        struct err err = {0};
        int slot = task_new(s, str_printf("%s.%u", g->parent->path, g->base + i), g, i, &err);
        if (slot < 0) {
            g->failed = i;
            str_set(&g->failure, err.text);
            break;
        }
        g->live++;
        lua_pushinteger(s->tasks.items[slot]->L, i);
        make_ready(s, (unsigned)slot, 1);
    }
    if (g->live == 0)
        group_end(s, g);
}

// Stack of the task: "parallel", list of functions, width.
static void start_group(struct script *s, struct task *t)
{
    struct group *g = mem_alloc(sizeof(*g));
    g->parent = t;
    g->total = (unsigned)lua_rawlen(t->L, 2);
    lua_Integer width = lua_tointeger(t->L, 3);
    g->width = width > 0 && width < SCRIPT_TASKS_MAX / 2 ? (unsigned)width : SCRIPT_TASKS_MAX / 2;
    g->base = t->children;
    t->children += g->total;
    lua_pushvalue(t->L, 2);
    g->functions = luaL_ref(t->L, LUA_REGISTRYINDEX);
    lua_createtable(t->L, (int)g->total, 0);
    g->results = luaL_ref(t->L, LUA_REGISTRYINDEX);
    lua_settop(t->L, 0);
    group_fill(s, g);
}

// The task returned (value on top of its stack) or failed.
static void child_end(struct script *s, unsigned slot, bool ok)
{
    struct task *t = s->tasks.items[slot];
    struct group *g = t->group;
    if (ok) {
        lua_rawgeti(t->L, LUA_REGISTRYINDEX, g->results);
        lua_insert(t->L, -2);
        lua_rawseti(t->L, -2, t->place);
    } else if (!g->failed || t->place < g->failed) {
        const char *text = lua_type(t->L, -1) == LUA_TSTRING ? lua_tostring(t->L, -1) : "a parallel task failed";
        g->failed = t->place;
        str_set(&g->failure, text);
    }
    task_free(s, slot);
    g->live--;
    group_fill(s, g);
}

// --- calls of the host ---

static void do_finish(struct script *s, struct task *t)
{
    struct err err = {0};
    lua_settop(t->L, 3);
    const char *outcome = lua_tostring(t->L, 2);
    json_t *result = value_read_new(t->L, 3, &err);
    if (!result) {
        char text[ERR_TEXT_MAX + 32];
        snprintf(text, sizeof(text), "finish: %s", err.text);
        lua_settop(t->L, 0);
        ready_with_error(s, slot_of(s, t), text);
        return;
    }
    s->end_line = vm_line(t->L);
    finish(s, outcome, result);
}

static bool ends_script(int r)
{
    return r == -ERR_CANCELLED || r == -ERR_CONFLICT;
}

static void ask_host(struct script *s, unsigned slot)
{
    struct task *t = s->tasks.items[slot];
    struct err err = {0};
    AUTO_FREE char *op = str_dup(lua_tostring(t->L, 1));
    AUTO_JSON json_t *args = value_read_new(t->L, 2, &err);
    lua_settop(t->L, 0);
    if (!args) {
        err_wrap(&err, "%s", op);
        ready_with_error(s, slot, err.text);
        return;
    }
    unsigned n = t->calls++;
    t->generation = ++s->generations.items[slot];
    t->open = true;
    s->open_calls++;
    uint64_t id = t->generation << SLOT_BITS | slot;
    AUTO_JSON json_t *answer = NULL;
    int r = s->host.call(s->host.ctx, id, t->path, n, op, args, &answer, &err);
    if (r < 0 && ends_script(r)) {
        fail(s, &err);
    } else if (t->open && (r < 0 || answer)) { // else it was answered inside the call, or will be later
        t->open = false;
        s->open_calls--;
        if (r < 0)
            ready_with_error(s, slot, err.text);
        else
            ready_with_value(s, slot, answer);
    }
}

// --- running ---

static void task_yielded(struct script *s, unsigned slot)
{
    struct task *t = s->tasks.items[slot];
    const char *op = lua_tostring(t->L, 1);
    if (str_eq(op, "parallel"))
        start_group(s, t);
    else if (str_eq(op, "finish"))
        do_finish(s, t);
    else
        ask_host(s, slot);
}

static void task_returned(struct script *s, unsigned slot, int n_results)
{
    struct task *t = s->tasks.items[slot];
    lua_settop(t->L, n_results > 0 ? lua_gettop(t->L) - n_results + 1 : lua_gettop(t->L) + 1); // one value
    if (t->group) {
        child_end(s, slot, true);
        return;
    }
    struct err err = {0};
    json_t *result = value_read_new(t->L, -1, &err);
    if (!result) {
        err_wrap(&err, "%s: the result of the run function", s->name);
        fail(s, &err);
    } else {
        finish(s, "accepted", result);
    }
}

static void run_task(struct script *s, unsigned slot)
{
    struct task *t = s->tasks.items[slot];
    t->ready = false;
    int n_results = 0;
    vm_enter(&s->vm, t->L);
    int r = lua_resume(t->L, s->vm.L, t->n_args, &n_results);
    vm_leave(&s->vm);
    if (s->vm.over && (r == LUA_YIELD || r == LUA_OK)) {
        fail(s, &(struct err){ERR_LIMIT, "the script caught the error of its instruction limit"});
    } else if (r == LUA_YIELD) {
        task_yielded(s, slot);
    } else if (r == LUA_OK) {
        task_returned(s, slot, n_results);
    } else if (t->group && !s->vm.over) {
        child_end(s, slot, false);
    } else {
        struct err err = {0};
        vm_error(&s->vm, t->L, r, &err);
        fail(s, &err);
    }
}

static bool ended(const struct script *s)
{
    return s->state == SCRIPT_DONE || s->state == SCRIPT_FAILED;
}

static void pump(struct script *s)
{
    if (s->pumping)
        return; // the outer one goes on
    s->pumping = true;
    while (!ended(s) && s->queue_head < s->queue.len) {
        unsigned slot = s->queue.items[s->queue_head++];
        if (s->queue_head == s->queue.len)
            s->queue_head = s->queue.len = 0;
        run_task(s, slot);
    }
    s->pumping = false;
    must(ended(s) || s->open_calls > 0);
}

// --- public ---

static int load_text(struct script *s, const char *text, size_t len, struct err *err)
{
    lua_State *L = s->vm.L;
    AUTO_FREE char *chunk = str_printf("=%s", s->name);
    size_t skip = len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    if (len > skip && text[skip] == LUA_SIGNATURE[0])
        return err_set(err, ERR_PARSE, "%s is compiled Lua; only text is loaded", s->name);
    vm_enter(&s->vm, L);
    int r = luaL_loadbufferx(L, text + skip, len - skip, chunk, "t");
    if (r == LUA_OK)
        r = lua_pcall(L, 0, 0, 0);
    vm_leave(&s->vm);
    if (r != LUA_OK) {
        vm_error(&s->vm, L, r, err);
        return -(int)err->code;
    }
    if (s->main_ref == LUA_NOREF)
        return err_set(err, ERR_INVALID, "%s declares no workflow; expected: workflow \"name\" { run = function(p) … end }",
                       s->name);
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
    s->main_ref = LUA_NOREF;
    vm_open(&s->vm, limits && limits->memory ? limits->memory : MEMORY_DEFAULT,
            limits && limits->instructions ? limits->instructions : INSTRUCTIONS_DEFAULT, s);
    open_prelude(s);
    int r = load_text(s, text, len, err);
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
    for (unsigned i = 0; i < s->tasks.len; i++) {
        struct task *t = s->tasks.items[i];
        // A group is freed once, with its first child that is found.
        struct group *g = t ? t->group : NULL;
        for (unsigned j = i + 1; g && j < s->tasks.len; j++)
            if (s->tasks.items[j] && s->tasks.items[j]->group == g)
                s->tasks.items[j]->group = NULL;
        if (g)
            group_free(s, g);
        if (t)
            task_free(s, i);
    }
    vm_close(&s->vm);
    vec_free(&s->tasks);
    vec_free(&s->generations);
    vec_free(&s->queue);
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
    int slot = task_new(s, str_dup("0"), NULL, 0, err);
    int r = slot < 0 ? slot : value_push(s->tasks.items[slot]->L, full, false, err);
    if (r < 0)
        return r;
    s->state = SCRIPT_WAITING;
    make_ready(s, (unsigned)slot, 1);
    pump(s);
    return 0;
}

int script_answer(struct script *s, uint64_t call_id, const json_t *answer, const struct err *failure, struct err *err)
{
    uint64_t slot = call_id & (((uint64_t)1 << SLOT_BITS) - 1);
    struct task *t = slot < s->tasks.len ? s->tasks.items[slot] : NULL;
    if (ended(s) || !t || !t->open || t->generation != call_id >> SLOT_BITS)
        return err_set(err, ERR_STATE, "the call is not open any more: the answer came late or twice");
    t->open = false;
    s->open_calls--;
    if (answer)
        ready_with_value(s, (unsigned)slot, answer);
    else if (failure && ends_script(-(int)failure->code))
        fail(s, failure);
    else
        ready_with_error(s, (unsigned)slot, failure ? failure->text : "the call failed");
    pump(s);
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

size_t script_memory(const struct script *s)
{
    return s->vm.used;
}
