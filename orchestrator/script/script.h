// Workflow scripts in Lua: one VM per run with a memory cap and an instruction limit, one coroutine per task, and a
// host
// that answers what the script asks for. The only folder that sees lua.h. What a script can say is in lua/README.md.
//
// - Deterministic: same script, same params, same answers give the same calls with the same (task, n). `pairs` is
//   ordered,
//   there is no clock, no randomness, no addresses in texts; `now` and `random` are calls of the host.
// - Nothing of Lua is on the C stack while the host is called: the coroutine has yielded before.
// - One thread. A script owns everything it gives out, unless the name says _new.
#pragma once

#include "base/err.h"
#include "json/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCRIPT_TEXT_MAX ((size_t)1024 * 1024) // a script's text
#define SCRIPT_TASKS_MAX 16384                // coroutines of one run at the same time
#define SCRIPT_WIDTH     1000                 // of them in one `parallel` that gives no limit
#define SCRIPT_DEPTH_MAX 64                   // nesting of a value that crosses the border
#define SCRIPT_NODES_MAX 200000               // values in one that crosses
#define SCRIPT_BYTES_MAX ((size_t)16 << 20)   // bytes of text in one that crosses

struct script;

struct script_host {
    void *ctx;
    // A call the script waits for. `task` is the path of the coroutine ("0", "0.2", "0.2.1"), `n` the number of the
    // call in
    // that task (from 0): both are the same at every replay. Ops and their args and answers:
    //   stage    {agent, task?, after: [handoff id], input: {}, mode?, timeout_ms?, retries?, reuse?,
    //            timeouts?: {queue_ms, start_ms, run_ms, heartbeat_ms}, retry?: {attempts, backoff_ms, factor, max_ms, on?: [name]}, repeats?, limits?}
    //            -> {ok, id, agent, status, verdict, summary, output, artifacts, next_agent, next_task, key, stage}
    //   gate     {id, stage, verdict} (what is wanted, "approved")     -> {open: bool, reason: "…"}
    //   approve  {question, expires_ms?, about?, who?: [name], subject?} -> {approved: bool, by, note, subject?}
    //   signal   {name, timeout_ms?}                                   -> {came: bool, value, by}
    //   publish  {name, value}                                         -> null
    //   sleep    {ms}                                                  -> null
    //   child    {workflow, params: {}, project?, key?, timeout_ms?}   -> {ok, outcome, reason, result: {}, run}
    //   on_failure {}                                                  -> null; a handler is registered
    //   continue {params}                                              -> never
    //   now      {}                                                    -> seconds since 1970 (number)
    //   random   {}                                                    -> number in [0, 1)
    // Answered at once: return >= 0 with *ret_answer (a new reference). Later: return >= 0 and leave *ret_answer
    // NULL; then
    // script_answer() is due. A negative return with err is raised in the script at the call, where pcall can catch it;
    // -ERR_CANCELLED and -ERR_CONFLICT (diverged) end the script instead, it cannot catch them.
    int (*call)(void *ctx, uint64_t call_id, const char *task, unsigned n, const char *op, const json_t *args,
                json_t **ret_answer, struct err *err);
    // log(…) and print(…) of the script; one line, UTF-8. May be NULL. Comes again at every replay.
    void (*log)(void *ctx, const char *task, const char *text);
};

struct script_limits {
    size_t memory;         // bytes of the VM; 0: 64 MiB
    uint64_t instructions; // VM instructions (and their equivalent in copied bytes) between two waits; 0: 50 million
    struct script_cache *cache; // NULL: everything is compiled anew
};

// Compiled scripts, for a process that loads the same ones again and again. Must outlive nothing: scripts do not need it.
struct script_cache *script_cache_new(void);
struct script_cache *script_cache_free(struct script_cache *cache); // NULL allowed; returns NULL

enum script_state {
    SCRIPT_LOADED,  // declaration read, not started
    SCRIPT_WAITING, // at least one call is open
    SCRIPT_DONE,    // script_result
    SCRIPT_FAILED,  // script_error
};

// Compiles, runs the top level and reads the declaration. `name` stands in messages ("relay.lua"). limits NULL:
// defaults.
int script_load(const char *text, size_t len, const char *name, const struct script_limits *limits, struct script **ret,
                struct err *err);
// The declaration alone (script_declaration_new); with a cache the script is executed for it only once. NULL with err.
json_t *script_declare_new(const char *text, size_t len, const char *name, const struct script_limits *limits,
                           struct err *err);
// NULL allowed; open calls are dropped; returns NULL. Not from inside a host call.
struct script *script_free(struct script *s);

// {name, about, params: {name: {type, default?, one_of?, about?, required}}, chain: [agent], agents: [agent], limits:
// {…}}
// `agents` holds those of `agents =` and of `chain =`, each once.
json_t *script_declaration_new(const struct script *s);
// Fills defaults, checks types and one_of, refuses unknown names (the text lists the known ones). With from_text,
// string
// values are read as the declared type (command line). Returns a new object or NULL.
json_t *script_params_new(const json_t *declaration, const json_t *given, bool from_text, struct err *err);

// Runs until every task waits or the script ended. params as from script_params_new (it is called again here).
// The host is copied; its ctx must live as long as the script. A failing script is no error here: see script_state.
int script_start(struct script *s, const json_t *params, const struct script_host *host, struct err *err);
// Gives an open call its answer (borrowed) or, with answer NULL, the error `failure`, and runs on. ERR_STATE: the
// call is not
// open any more (late or second answer); the script does not notice. Allowed inside a host call: runs on afterwards.
int script_answer(struct script *s, uint64_t call_id, const json_t *answer, const struct err *failure, struct err *err);

// Drops all tasks and runs the handlers that the script has registered, newest first, as the task "undo". Each gets `why`
// ({outcome, reason}). DONE afterwards: {outcome: "accepted", result: {handlers: n, failed: ["…"]}}. Not inside a host call.
int script_undo(struct script *s, const json_t *why, struct err *err);

enum script_state script_state(const struct script *s);
// DONE: {outcome: "accepted|rejected|…" (tbl/states.def), result: any}. Borrowed; NULL in other states.
const json_t *script_result(const struct script *s);
// FAILED: message with file:line, then a traceback; code LIMIT for memory and instructions. Borrowed; NULL in other
// states.
const struct err *script_error(const struct script *s);
// Line of the script where an open call was made (also inside the host call), 0 when it is not open.
int script_line(const struct script *s, uint64_t call_id);
// Line of the finish() or fail() that ended it; 0 when the run function just returned, or has not ended.
int script_end_line(const struct script *s);
size_t script_open_calls(const struct script *s);
