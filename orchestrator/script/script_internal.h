// Inside script/ only: what a script is made of. script.c loads and ends it, hostlib.c is what the prelude calls,
// tasks.c runs it.
#pragma once

#include "base/buf.h"
#include "base/vec.h"
#include "script/script.h"
#include "script/vm.h"

#define SLOT_BITS 20 // a call id is generation << SLOT_BITS | slot; SCRIPT_TASKS_MAX stays below

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
    unsigned slot, calls, children;
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
    int undo_ref; // of what runs the handlers of failure
    bool undoing; // they run
    int main_ref; // registry reference of the function that runs the workflow
    enum script_state state;
    struct err error;
    struct script_host host;
    VEC(struct task *) tasks;  // by slot; NULL: free
    VEC(uint64_t) generations; // by slot; outlive the tasks
    unsigned first_free;       // no slot before it is free
    VEC(struct group *) hungry; // no task of theirs has found room; oldest first
    VEC(unsigned) queue;       // slots that are ready
    size_t queue_head, open_calls;
    int end_line;
    bool pumping;
};

// hostlib.c: opens the border and runs the prelude.
void script_open_prelude(struct script *s, struct script_cache *cache);

// cache.c. Like luaL_loadbufferx of a text; `code` (NULL allowed) holds its bytecode afterwards, or is used when it does
// already. bare: without lines and names, which nobody is shown of the prelude; a third of the work is reading them.
int script_compile(lua_State *L, const char *text, size_t len, const char *chunk, bool bare, struct buf *code);
struct buf *script_cache_prelude(struct script_cache *cache); // NULL without a cache
struct buf *script_cache_code(struct script_cache *cache, const char *text, size_t len, const char *name);

// tasks.c
bool script_ended(const struct script *s);
// A failure, unless the script has ended.
void script_fail(struct script *s, const struct err *err);
// Takes the function on top of the main stack; gives the slot.
int script_task_new(struct script *s, char *path_consumed, struct group *group, unsigned place, struct err *err);
void script_make_ready(struct script *s, unsigned slot, int n_args);
// Resumes a task with (true, answer), or with (false, text): the prelude raises that.
void script_ready_with_value(struct script *s, unsigned slot, const json_t *answer);
void script_ready_with_error(struct script *s, unsigned slot, const char *text);
bool script_code_ends(int r); // this failure of a call cannot be caught
void script_pump(struct script *s);
void script_tasks_free(struct script *s);
