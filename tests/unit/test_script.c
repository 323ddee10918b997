// orchestrator/script: tasks, calls, answers, errors, params.
#include "support/support.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "script/script.h"

#include <stdio.h>
#include <string.h>

struct asked {
    uint64_t id;
    char task[64], op[32];
    unsigned n;
    int line;
    json_t *args;
};

struct world {
    struct script *s;
    VEC(struct asked) calls;
    struct buf log;
    bool at_once;       // answer inside the call
    bool answer_inside; // with script_answer
    int refuse;         // negative code: the call fails
    struct err err;
};

static json_t *echo(const char *op, const json_t *args)
{
    if (str_eq(op, "stage"))
        return json_pack("{s:s, s:s, s:s, s:O}", "id", json_str(args, "agent", ""), "status", "completed", "agent",
                         json_str(args, "agent", ""), "output", json_object_get(args, "input"));
    if (str_eq(op, "gate"))
        return json_pack("{s:b, s:s}", "open", 1, "reason", "approved");
    if (str_eq(op, "now"))
        return json_integer(1000);
    if (str_eq(op, "random"))
        return json_real(0.5);
    return json_null();
}

static int on_call(void *ctx, uint64_t id, const char *task, unsigned n, const char *op, const json_t *args,
                   json_t **ret, struct err *err)
{
    struct world *w = ctx;
    struct asked a = {.id = id, .n = n, .line = script_line(w->s, id), .args = json_incref((json_t *)(uintptr_t)args)};
    snprintf(a.task, sizeof(a.task), "%s", task);
    snprintf(a.op, sizeof(a.op), "%s", op);
    vec_push(&w->calls, a);
    if (w->refuse)
        return err_set(err, (enum err_code) - w->refuse, "refused by the host");
    if (w->at_once)
        *ret = echo(op, args);
    if (w->answer_inside) {
        AUTO_JSON json_t *answer = echo(op, args);
        return script_answer(w->s, id, answer, NULL, err);
    }
    return 0;
}

static void on_log(void *ctx, const char *task, const char *text)
{
    struct world *w = ctx;
    buf_printf(&w->log, "%s:%s\n", task, text);
}

static int load(struct world *w, const char *text)
{
    return script_load(text, strlen(text), "t.lua", NULL, &w->s, &w->err);
}

static void start(struct world *w, const char *text)
{
    assert_ok(load(w, text), &w->err);
    struct script_host host = {w, on_call, on_log};
    assert_ok(script_start(w->s, NULL, &host, &w->err), &w->err);
}

static void answer(struct world *w, size_t i)
{
    AUTO_JSON json_t *v = echo(w->calls.items[i].op, w->calls.items[i].args);
    assert_ok(script_answer(w->s, w->calls.items[i].id, v, NULL, &w->err), &w->err);
}

static const char *outcome(const struct world *w)
{
    if (script_state(w->s) == SCRIPT_FAILED)
        return script_error(w->s)->text;
    return json_str(script_result(w->s), "outcome", "(not done)");
}

static int setup(void **state)
{
    *state = mem_alloc(sizeof(struct world));
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    script_free(w->s);
    for (size_t i = 0; i < w->calls.len; i++)
        json_decref(w->calls.items[i].args);
    vec_free(&w->calls);
    buf_free(&w->log);
    mem_free(w);
    return 0;
}

static void test_script_stage_waits_for_its_answer(void **state)
{
    struct world *w = *state;
    start(w, "workflow 't' { run = function(p)\n"
             "  local a = stage { agent = 'x', input = { n = 1 }, timeout = '2m', retries = 2 }\n"
             "  local b = stage { agent = 'y', after = { a, a.id }, task = 'do it' }\n"
             "  finish('accepted', { a = a.output.n, ok = b.ok })\n"
             "end }");
    assert_int_equal(script_state(w->s), SCRIPT_WAITING);
    assert_int_equal(w->calls.len, 1);
    assert_int_equal(script_open_calls(w->s), 1);
    const struct asked *a = &w->calls.items[0];
    assert_string_equal(a->op, "stage");
    assert_string_equal(a->task, "0");
    assert_int_equal(a->line, 2);
    assert_int_equal(json_int(a->args, "timeout_ms", 0), 120000);
    assert_int_equal(json_int(a->args, "retries", 0), 2);
    assert_int_equal(json_array_size(json_list(a->args, "after")), 0);
    answer(w, 0);
    assert_int_equal(w->calls.len, 2);
    assert_int_equal(w->calls.items[1].n, 1);
    assert_int_equal(json_array_size(json_list(w->calls.items[1].args, "after")), 2);
    assert_string_equal(json_str(w->calls.items[1].args, "task", ""), "do it");
    answer(w, 1);
    assert_string_equal(outcome(w), "accepted");
    const json_t *result = json_obj(script_result(w->s), "result");
    assert_int_equal(json_int(result, "a", 0), 1);
    assert_true(json_flag(result, "ok", false));
}

static void test_script_late_and_second_answers_are_refused(void **state)
{
    struct world *w = *state;
    start(w, "workflow 't' { run = function() now() now() now() end }");
    answer(w, 0);
    AUTO_JSON json_t *v = json_integer(5);
    assert_int_equal(script_answer(w->s, w->calls.items[0].id, v, NULL, &w->err), -ERR_STATE);
    assert_int_equal(script_answer(w->s, 12345678, v, NULL, &w->err), -ERR_STATE);
    assert_int_equal(script_answer(w->s, UINT64_MAX, v, NULL, &w->err), -ERR_STATE);
    assert_int_equal(w->calls.len, 2);
    answer(w, 1);
    answer(w, 2);
    assert_string_equal(outcome(w), "accepted");
    assert_int_equal(script_answer(w->s, w->calls.items[2].id, v, NULL, &w->err), -ERR_STATE);
}

static void test_script_answers_at_once_and_inside_the_call(void **state)
{
    struct world *w = *state;
    w->at_once = true;
    start(w, "workflow 't' { run = function() for i = 1, 1000 do now() end return random(1, 10) end }");
    assert_string_equal(outcome(w), "accepted");
    assert_int_equal(json_int(script_result(w->s), "result", 0), 6);
    assert_int_equal(w->calls.len, 1001);
    w->s = script_free(w->s);
    w->at_once = false;
    w->answer_inside = true;
    start(w, "workflow 't' { run = function() for i = 1, 1000 do now() end end }");
    assert_string_equal(outcome(w), "accepted");
}

static void test_script_errors_of_calls_are_raised_at_the_line(void **state)
{
    struct world *w = *state;
    start(w, "workflow 't' { run = function()\n"
             "  local ok, message = pcall(now)\n"
             "  assert(not ok and message == 't.lua:2: no clock', message)\n"
             "  now()\n"
             "end }");
    struct err failure;
    err_set(&failure, ERR_UNAVAILABLE, "no clock");
    assert_ok(script_answer(w->s, w->calls.items[0].id, NULL, &failure, &w->err), &w->err);
    assert_int_equal(script_state(w->s), SCRIPT_WAITING);
    assert_ok(script_answer(w->s, w->calls.items[1].id, NULL, &failure, &w->err), &w->err);
    assert_int_equal(script_state(w->s), SCRIPT_FAILED);
    assert_true(str_starts(script_error(w->s)->text, "t.lua:4: no clock"));
    assert_null(strstr(script_error(w->s)->text, "0x"));
}

static void test_script_cancel_cannot_be_caught(void **state)
{
    struct world *w = *state;
    w->refuse = -ERR_CANCELLED;
    start(w, "workflow 't' { run = function() while true do pcall(now) end end }");
    assert_int_equal(script_state(w->s), SCRIPT_FAILED);
    assert_int_equal(script_error(w->s)->code, ERR_CANCELLED);
    w->s = script_free(w->s);
    w->refuse = -ERR_IO;
    start(w, "workflow 't' { run = function() local ok = pcall(now) finish(ok and 'failed' or 'rejected', 'x') end }");
    assert_string_equal(outcome(w), "rejected");
    assert_string_equal(json_str(json_obj(script_result(w->s), "result"), "reason", ""), "x");
}

static void test_script_finish_cannot_be_caught(void **state)
{
    struct world *w = *state;
    start(w, "workflow 't' { run = function() pcall(function() fail('enough') end) finish('accepted') end }");
    assert_string_equal(outcome(w), "failed");
}

static void test_script_fail_says_why_or_that_nobody_said(void **state)
{
    static const char *const CALLS[][2] = {{"fail()", "the workflow gave no reason"},
                                           {"fail(nil)", "the workflow gave no reason"},
                                           {"fail(false)", "false"},
                                           {"fail('enough')", "enough"}};
    struct world *w = *state;
    for (size_t i = 0; i < ARRAY_LEN(CALLS); i++) {
        AUTO_FREE char *text = str_printf("workflow 't' { run = function() %s end }", CALLS[i][0]);
        start(w, text);
        assert_string_equal(outcome(w), "failed");
        assert_string_equal(json_str(json_obj(script_result(w->s), "result"), "reason", ""), CALLS[i][1]);
        script_free(w->s);
        w->s = NULL;
    }
}

static void test_script_parallel_tasks_have_stable_paths(void **state)
{
    struct world *w = *state;
    start(w, "workflow 't' { run = function()\n"
             "  local r = parallel({ 'a', 'b', 'c' }, function(name, i)\n"
             "    local s = stage { agent = name }\n"
             "    now()\n"
             "    return s.agent .. i\n"
             "  end)\n"
             "  local more = parallel { function() return now() end, function() end, limit = 1 }\n"
             "  assert(#more == 1 and more[2] == nil)\n"
             "  return r\n"
             "end }");
    assert_int_equal(w->calls.len, 3);
    assert_string_equal(w->calls.items[0].task, "0.1");
    assert_string_equal(w->calls.items[2].task, "0.3");
    answer(w, 2); // in another order than asked
    answer(w, 0);
    assert_string_equal(w->calls.items[3].task, "0.3");
    assert_int_equal(w->calls.items[3].n, 1);
    answer(w, 1);
    for (size_t i = 3; i < 6; i++)
        answer(w, i);
    assert_int_equal(w->calls.len, 7);
    assert_string_equal(w->calls.items[6].task, "0.4");
    answer(w, 6);
    assert_string_equal(outcome(w), "accepted");
    const json_t *result = json_list(script_result(w->s), "result");
    assert_string_equal(json_string_value(json_array_get(result, 0)), "a1");
    assert_string_equal(json_string_value(json_array_get(result, 2)), "c3");
}

static void test_script_parallel_failure_waits_for_all_and_names_the_first(void **state)
{
    struct world *w = *state;
    start(w, "workflow 't' { run = function()\n"
             "  local ok, message = pcall(parallel, { 1, 2, 3, 4, 5 }, function(i)\n"
             "    now()\n"
             "    if i >= 2 then error('bad ' .. i, 0) end\n"
             "  end, 3)\n"
             "  return message\n"
             "end }");
    assert_int_equal(w->calls.len, 3); // limit
    answer(w, 2);                      // 3 fails: 4 and 5 are not begun
    answer(w, 1);
    assert_int_equal(script_state(w->s), SCRIPT_WAITING);
    assert_int_equal(w->calls.len, 3);
    answer(w, 0);
    assert_string_equal(outcome(w), "accepted");
    assert_string_equal(json_str(script_result(w->s), "result", ""), "t.lua:2: bad 2");
}

static void test_script_wide_and_nested_parallel(void **state)
{
    struct world *w = *state;
    w->at_once = true;
    start(w, "workflow 't' { run = function()\n"
             "  local items = {}\n"
             "  for i = 1, 1000 do items[i] = i end\n"
             "  local sum = 0\n"
             "  for _, v in ipairs(parallel(items, function(i) return stage { agent = 'e', input = { i = i } "
             "}.output.i end)) do sum = sum + v end\n"
             "  local inner = parallel({ 1, 2 }, function(i) return parallel({ 1, 2 }, function(j) now() return i * 10 "
             "+ j end) end)\n"
             "  return { sum = sum, inner = inner[2][1] }\n"
             "end }");
    assert_string_equal(outcome(w), "accepted");
    const json_t *result = json_obj(script_result(w->s), "result");
    assert_int_equal(json_int(result, "sum", 0), 500500);
    assert_int_equal(json_int(result, "inner", 0), 21);
    assert_string_equal(w->calls.items[w->calls.len - 1].task, "0.1002.2");
}

static void test_script_freed_while_waiting_leaks_nothing(void **state)
{
    struct world *w = *state;
    start(w, "workflow 't' { run = function() parallel { function() parallel { now, now } end, now } end }");
    assert_int_equal(script_open_calls(w->s), 3);
}

static void test_script_params(void **state)
{
    struct world *w = *state;
    assert_ok(load(w, "workflow 't' { about = 'A test', params = {\n"
                      "  focus = { default = 'all', one_of = { 'build', 'all' }, about = 'What' },\n"
                      "  rounds = 2, ratio = { type = 'number' }, name = { required = true }, fast = false },\n"
                      "  chain = 'x -> [y] → **x** (if changes)', agents = { 'z' }, run = function() end }"),
              &w->err);
    AUTO_JSON json_t *d = script_declaration_new(w->s);
    assert_int_equal(json_array_size(json_list(d, "chain")), 3);
    assert_int_equal(json_array_size(json_list(d, "agents")), 3);
    assert_string_equal(json_str(json_obj(json_obj(d, "params"), "rounds"), "type", ""), "integer");

    AUTO_JSON json_t *text =
        json_pack("{s:s, s:s, s:s, s:s}", "rounds", "5", "name", "n", "ratio", "0.5", "fast", "true");
    AUTO_JSON json_t *full = script_params_new(d, text, true, &w->err);
    assert_non_null(full);
    assert_int_equal(json_int(full, "rounds", 0), 5);
    assert_true(json_flag(full, "fast", false));
    assert_string_equal(json_str(full, "focus", ""), "all");
    assert_null(script_params_new(d, text, false, &w->err)); // "5" is no integer there
    assert_non_null(strstr(w->err.text, "expected: "));

    static const char *const BAD[][2] = {
        {"{\"focus\":\"x\",\"name\":\"n\"}", "expected one of: build, all"},
        {"{\"nmae\":\"n\"}", "has no param 'nmae'; it has: "},
        {"{}", "param 'name' is missing"},
        {"{\"name\":3}", "expected: string"},
        {"[]", "are an object"},
    };
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
        AUTO_JSON json_t *given = json_loads(BAD[i][0], 0, NULL);
        assert_null(script_params_new(d, given, false, &w->err));
        assert_int_equal(w->err.code, ERR_INVALID);
        assert_non_null(strstr(w->err.text, BAD[i][1]));
    }
    struct script_host host = {w, on_call, on_log};
    assert_int_equal(script_start(w->s, NULL, &host, &w->err), -ERR_INVALID);
    assert_ok(script_start(w->s, full, &host, &w->err), &w->err);
    assert_int_equal(script_start(w->s, full, &host, &w->err), -ERR_STATE);
}

// Text of a file and what its load, or its run, must say.
static void test_script_messages_name_the_place_and_what_is_known(void **state)
{
    struct world *w = *state;
    static const char *const CASES[][2] = {
        {"x = = 1", "t.lua:1: "},
        {"local a = 1", "t.lua declares no workflow"},
        {"workflow 't' {}", "t.lua:1: workflow \"t\": 'run' is missing"},
        {"workflow 't' { run = 1 }", "'run' must be a function, not a number"},
        {"workflow 't' { run = print, rum = 1 }",
         "unknown key 'rum'; known keys: about, agents, chain, limits, params, run"},
        {"workflow 't' { run = print }\nworkflow 'u' { run = print }", "t.lua:2: a file declares one workflow"},
        {"workflow 't' { run = print, chain = 'a -> b c' }", "step 2 'b c' is no agent name"},
        {"workflow 't' { run = print, params = { A = 1 } }", "param 'A': a name has small letters"},
        {"now()", "t.lua:1: now: only inside the run function"},
        {"\n\ny = 1", "t.lua:3: 'y' is not declared; write: local y = …"},
        {"workfow 't' {}", "t.lua:1: unknown name 'workfow'; did you mean 'workflow'?"},
        {"\x1bLuaS", "t.lua is compiled Lua"},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        int r = load(w, CASES[i][0]);
        if (r >= 0 || !strstr(w->err.text, CASES[i][1]))
            fail_msg("case %zu: expected '%s', got '%s'", i, CASES[i][1], r < 0 ? w->err.text : "success");
    }
    static const char *const RUNS[][2] = {
        {"stage { agnet = 'x' }",
         "t.lua:2: stage: unknown key 'agnet'; known keys: after, agent, input, limits, mode, repeats, retries, reuse, "
         "task, timeout"},
        {"stage {}", "t.lua:2: stage: 'agent' is missing"},
        {"stage 'x'", "t.lua:2: stage: expected a table, got string"},
        {"stage { agent = 'x', after = 5 }", "'after' must be a table or string, not a number"},
        {"stage { agent = 'x', after = { {} } }", "'after' number 1 is not a result of stage"},
        {"stage { agent = 'x', timeout = 'soon' }", "expected seconds or a text like"},
        {"stage { agent = 'x', input = { f = print } }", "t.lua:2: stage: 'input.f' is a function, which cannot leave"},
        {"stage { agent = 'x', input = { [1] = 1, a = 2 } }", "'input' mixes keys"},
        {"stage { agent = 'x', input = { n = 0/0 } }", "'input.n' is not a finite number"},
        {"local t = {} t.t = t stage { agent = 'x', input = t }", "nested deeper than 64 levels"},
        {"print(p.focsu)", "t.lua:2: unknown param 'focsu'; declared: focus"},
        {"p.focus = 1", "t.lua:2: param 'focus' cannot be set"},
        {"finish('done')", "t.lua:2: finish: unknown outcome 'done'; known outcomes: accepted, failed, "},
        {"finish('accepted', print)", "t.lua:2: finish: 'the value' is a function"},
        {"parallel { 1 }", "parallel: number 1 is a number, expected a function"},
        {"parallel { limt = 2, print }", "parallel: unknown key 'limt'"},
        {"gate('x')", "t.lua:2: gate: expected a result of stage"},
        {"stgae {}", "unknown name 'stgae'"},
        {"return { [1.5] = 2 }", "t.lua: the result of the run function: 'the value' mixes keys"},
        {"error({})", "the script raised an error that is no text but a table"},
        {"local x = nil; x.y = 1", "t.lua:2: attempt to index a nil value (local 'x')"},
    };
    for (size_t i = 0; i < ARRAY_LEN(RUNS); i++) {
        AUTO_FREE char *text =
            str_printf("workflow 't' { params = { focus = 'a' }, run = function(p)\n%s\nend }", RUNS[i][0]);
        start(w, text);
        const char *got = outcome(w);
        if (script_state(w->s) != SCRIPT_FAILED || !strstr(got, RUNS[i][1]))
            fail_msg("run %zu: expected '%s', got '%s'", i, RUNS[i][1], got);
        assert_null(strstr(got, "0x"));
        w->s = script_free(w->s);
    }
}

static void test_script_log_has_the_task(void **state)
{
    struct world *w = *state;
    start(w, "workflow 't' { run = function() log('a', 1, {}, null, print, nil) parallel { function() print('x\\ny') "
             "end } end }");
    assert_string_equal(buf_str(&w->log), "0:a 1 table null function nil\n0.1:x y\n");
}

static void test_script_params_pass_on_as_input(void **state)
{
    struct world *w = *state;
    start(w, "workflow 'x' { params = { focus = { default = 'all' } }, run = function(p)\n"
             "stage { agent = 'a', input = p } end }");
    assert_int_equal(w->calls.len, 1);
    assert_string_equal(json_str(json_obj(w->calls.items[0].args, "input"), "focus", ""), "all");
}

// Answers every open call in the order of asking until the script has ended. Gives the most that were open at once.
static size_t answer_all(struct world *w)
{
    size_t most = 0;
    for (size_t i = 0; i < w->calls.len && script_state(w->s) == SCRIPT_WAITING; i++) {
        size_t open = script_open_calls(w->s);
        most = open > most ? open : most;
        AUTO_JSON json_t *answer = echo(w->calls.items[i].op, w->calls.items[i].args);
        assert_ok(script_answer(w->s, w->calls.items[i].id, answer, NULL, &w->err), &w->err);
    }
    return most;
}

static void test_script_parallel_of_any_width(void **state)
{
    struct world *w = *state;
    start(w, "workflow 't' { run = function()\n"
             "  local items, sum = {}, 0\n"
             "  for i = 1, 30000 do items[i] = i end\n"
             "  for _, n in ipairs(parallel(items, function(i) now() return i end, 7)) do sum = sum + n end\n"
             "  for _, n in ipairs(parallel(items, function(i) now() return i end)) do sum = sum + n end\n"
             "  finish('accepted', { sum = sum }) end }");
    assert_int_equal(script_open_calls(w->s), 7);
    assert_int_equal(answer_all(w), SCRIPT_WIDTH);
    assert_int_equal(json_int(json_obj(script_result(w->s), "result"), "sum", 0), 2 * 450015000);
}

static void test_script_tasks_without_room_fail(void **state)
{
    struct world *w = *state;
    start(w, "workflow 't' { run = function()\n"
             "  local items = {}\n"
             "  for i = 1, 20000 do items[i] = i end\n"
             "  parallel(items, function(i) parallel { function() now() end } end, 20000) end }");
    assert_int_equal(script_state(w->s), SCRIPT_FAILED);
    assert_int_equal(script_error(w->s)->code, ERR_LIMIT);
}

// More tasks than there is room for wait until others have ended.
static void test_script_nested_parallel_waits_for_room(void **state)
{
    struct world *w = *state;
    start(w, "workflow 't' { run = function()\n"
             "  local items, sum = {}, 0\n"
             "  for i = 1, 1000 do items[i] = i end\n"
             "  local outer = parallel({ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20 }, "
             "function()\n"
             "    local own = 0\n"
             "    for _, n in ipairs(parallel(items, function(i) now() return i end, 1000)) do own = own + n end\n"
             "    return own\n"
             "  end)\n"
             "  for _, n in ipairs(outer) do sum = sum + n end\n"
             "  finish('accepted', { sum = sum }) end }");
    assert_in_range(answer_all(w), SCRIPT_WIDTH, SCRIPT_TASKS_MAX);
    assert_int_equal(script_state(w->s), SCRIPT_DONE);
    assert_int_equal(json_int(json_obj(script_result(w->s), "result"), "sum", 0), 20 * 500500);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_script_params_pass_on_as_input),
        T(test_script_stage_waits_for_its_answer),
        T(test_script_late_and_second_answers_are_refused),
        T(test_script_answers_at_once_and_inside_the_call),
        T(test_script_errors_of_calls_are_raised_at_the_line),
        T(test_script_cancel_cannot_be_caught),
        T(test_script_finish_cannot_be_caught),
        T(test_script_fail_says_why_or_that_nobody_said),
        T(test_script_parallel_tasks_have_stable_paths),
        T(test_script_parallel_failure_waits_for_all_and_names_the_first),
        T(test_script_wide_and_nested_parallel),
        T(test_script_parallel_of_any_width),
        T(test_script_nested_parallel_waits_for_room),
        T(test_script_tasks_without_room_fail),
        T(test_script_freed_while_waiting_leaks_nothing),
        T(test_script_params),
        T(test_script_messages_name_the_place_and_what_is_known),
        T(test_script_log_has_the_task),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
