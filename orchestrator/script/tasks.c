// Tasks, groups of parallel tasks, calls of the host. Everything here runs while no script code is on the C stack.
#include "script/script_internal.h"

#include "base/mem.h"
#include "base/str.h"
#include "script/value.h"

#include <stdio.h>
#include <string.h>

// --- ending ---

void script_fail(struct script *s, const struct err *err)
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
    s->first_free = slot < s->first_free ? slot : s->first_free;
    s->open_calls -= t->open;
    luaL_unref(s->vm.L, LUA_REGISTRYINDEX, t->ref);
    mem_free(t->path);
    mem_free(t);
}

// --- tasks ---

void script_make_ready(struct script *s, unsigned slot, int n_args)
{
    struct task *t = s->tasks.items[slot];
    must(!t->ready);
    t->ready = true;
    t->n_args = n_args;
    vec_push(&s->queue, slot);
}

// Takes the function on top of the main stack.
int script_task_new(struct script *s, char *path_consumed, struct group *group, unsigned place, struct err *err)
{
    unsigned slot = s->first_free;
    while (slot < s->tasks.len && s->tasks.items[slot])
        slot++;
    if (slot >= SCRIPT_TASKS_MAX) {
        s->first_free = slot;
        mem_free(path_consumed);
        lua_pop(s->vm.L, 1);
        return err_set(err, ERR_LIMIT, "a run has at most %d tasks at the same time; give parallel a limit",
                       SCRIPT_TASKS_MAX);
    }
    if (slot == s->tasks.len) {
        vec_push(&s->tasks, NULL);
        vec_push(&s->generations, 0);
    }
    struct task *t = mem_alloc(sizeof(*t));
    t->L = lua_newthread(s->vm.L);
    t->ref = luaL_ref(s->vm.L, LUA_REGISTRYINDEX);
    t->path = path_consumed;
    t->slot = slot;
    t->group = group;
    t->place = place;
    s->tasks.items[slot] = t;
    s->first_free = slot + 1;
    lua_xmove(s->vm.L, t->L, 1);
    return (int)slot;
}

// Resumes a task with (false, text): the prelude raises it there.
void script_ready_with_error(struct script *s, unsigned slot, const char *text)
{
    lua_State *L = s->tasks.items[slot]->L;
    lua_pushboolean(L, 0);
    lua_pushstring(L, text);
    script_make_ready(s, slot, 2);
}

void script_ready_with_value(struct script *s, unsigned slot, const json_t *answer)
{
    lua_State *L = s->tasks.items[slot]->L;
    struct err err = {0};
    lua_pushboolean(L, 1);
    if (value_push(L, answer, false, &err) < 0) {
        lua_pop(L, 1);
        script_ready_with_error(s, slot, err.text);
        return;
    }
    script_make_ready(s, slot, 2);
}

// --- parallel ---

static void group_end(struct script *s, struct group *g)
{
    unsigned slot = g->parent->slot;
    if (g->failed) {
        script_ready_with_error(s, slot, g->failure);
    } else {
        lua_State *L = g->parent->L;
        lua_pushboolean(L, 1);
        lua_rawgeti(L, LUA_REGISTRYINDEX, g->results);
        script_make_ready(s, slot, 2);
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
        int slot = script_task_new(s, str_printf("%s.%u", g->parent->path, g->base + i), g, i, &err);
        if (slot < 0) { // there is room when one of them ends, or when somebody else's does
            g->started--;
            if (g->live == 0)
                vec_push(&s->hungry, g);
            return;
        }
        g->live++;
        lua_pushinteger(s->tasks.items[slot]->L, i);
        script_make_ready(s, (unsigned)slot, 1);
    }
    if (g->live == 0)
        group_end(s, g);
}

static void feed(struct script *s)
{
    while (s->hungry.len && s->first_free < SCRIPT_TASKS_MAX) {
        struct group *g = s->hungry.items[0];
        memmove(s->hungry.items, s->hungry.items + 1, --s->hungry.len * sizeof(g));
        group_fill(s, g);
        if (g->live == 0) // there was no room after all: it is hungry again
            return;
    }
}

// Stack of the task: "parallel", list of functions, width.
static void start_group(struct script *s, struct task *t)
{
    struct group *g = mem_alloc(sizeof(*g));
    g->parent = t;
    g->total = (unsigned)lua_rawlen(t->L, 2);
    lua_Integer width = lua_tointeger(t->L, 3);
    g->width = width <= 0 ? SCRIPT_WIDTH : width < SCRIPT_TASKS_MAX ? (unsigned)width : SCRIPT_TASKS_MAX;
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
    feed(s);
}

// --- calls of the host ---

static void do_finish(struct script *s, struct task *t)
{
    struct err err = {0};
    lua_settop(t->L, 3);
    if (s->undoing) {
        lua_settop(t->L, 0);
        script_ready_with_error(s, t->slot, "finish: the run has ended; a handler of its failure cannot end it again");
        return;
    }
    const char *outcome = lua_tostring(t->L, 2);
    json_t *result = value_read_new(t->L, 3, &err);
    if (!result) {
        char text[ERR_TEXT_MAX + 32];
        snprintf(text, sizeof(text), "finish: %s", err.text);
        lua_settop(t->L, 0);
        script_ready_with_error(s, t->slot, text);
        return;
    }
    s->end_line = vm_line(t->L);
    finish(s, outcome, result);
}

bool script_code_ends(int r)
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
        script_ready_with_error(s, slot, err.text);
        return;
    }
    unsigned n = t->calls++;
    t->generation = ++s->generations.items[slot];
    t->open = true;
    s->open_calls++;
    uint64_t id = t->generation << SLOT_BITS | slot;
    AUTO_JSON json_t *answer = NULL;
    int r = s->host.call(s->host.ctx, id, t->path, n, op, args, &answer, &err);
    if (r < 0 && script_code_ends(r)) {
        script_fail(s, &err);
    } else if (t->open && (r < 0 || answer)) { // else it was answered inside the call, or will be later
        t->open = false;
        s->open_calls--;
        if (r < 0)
            script_ready_with_error(s, slot, err.text);
        else
            script_ready_with_value(s, slot, answer);
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
        script_fail(s, &err);
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
        script_fail(s, &(struct err){ERR_LIMIT, "the script caught the error of its instruction limit"});
    } else if (r == LUA_YIELD) {
        task_yielded(s, slot);
    } else if (r == LUA_OK) {
        task_returned(s, slot, n_results);
    } else if (t->group && !s->vm.over) {
        child_end(s, slot, false);
    } else {
        struct err err = {0};
        vm_error(&s->vm, t->L, r, &err);
        script_fail(s, &err);
    }
}

bool script_ended(const struct script *s)
{
    return s->state == SCRIPT_DONE || s->state == SCRIPT_FAILED;
}

void script_pump(struct script *s)
{
    if (s->pumping)
        return; // the outer one goes on
    s->pumping = true;
    while (!script_ended(s) && s->queue_head < s->queue.len) {
        unsigned slot = s->queue.items[s->queue_head++];
        if (s->queue_head == s->queue.len)
            s->queue_head = s->queue.len = 0;
        run_task(s, slot);
    }
    s->pumping = false;
    if (!script_ended(s) && s->open_calls == 0 && s->hungry.len)
        script_fail(s, &(struct err){ERR_LIMIT, "every task of the run waits for tasks that find no room; give parallel a limit"});
    must(script_ended(s) || s->open_calls > 0);
}

void script_tasks_free(struct script *s)
{
    while (s->hungry.len)
        group_free(s, s->hungry.items[--s->hungry.len]);
    s->first_free = 0;
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
}
