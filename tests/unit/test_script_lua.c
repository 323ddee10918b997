// The tests in lua/test/*.lua (each is a workflow that asserts), the workflows that ship, and the check of workflows.
#include "support/support.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "script/check.h"
#include "script/dry.h"

#include <glob.h>
#include <stdio.h>
#include <string.h>

static void print_log(void *ctx, const char *task, const char *text)
{
    (void)ctx;
    printf("  %s: %s\n", task, text);
}

static void run_file(const char *path)
{
    char *text = test_read(path);
    struct script *s = NULL;
    struct err err = {0};
    assert_ok(script_load(text, strlen(text), path_base(path), NULL, &s, &err), &err);
    struct dry dry = {.gate = DRY_GATE_CLOSED_ONCE, .measurable = true, .changes = true, .approved = true, .script = s};
    struct script_host host = {.ctx = &dry, .call = dry_call, .log = print_log};
    assert_ok(script_start(s, NULL, &host, &err), &err);
    if (script_state(s) != SCRIPT_DONE)
        fail_msg("%s: %s", path, script_error(s) ? script_error(s)->text : "waits");
    assert_string_equal(json_str(script_result(s), "outcome", ""), "accepted");
    script_free(s);
    mem_free(text);
}

static size_t each(const char *pattern, void (*fn)(const char *path))
{
    AUTO_FREE char *full = test_source_path(pattern);
    glob_t found;
    assert_int_equal(glob(full, 0, NULL, &found), 0);
    size_t n = found.gl_pathc;
    for (size_t i = 0; i < n; i++)
        fn(found.gl_pathv[i]);
    globfree(&found);
    return n;
}

static void test_lua_tests_pass(void **state)
{
    (void)state;
    assert_true(each("lua/test/*.lua", run_file) >= 4);
}

static bool ships(void *ctx, const char *name)
{
    (void)ctx;
    AUTO_FREE char *relative = str_printf("agents/definitions/%s.md", name);
    AUTO_FREE char *path = test_source_path(relative);
    return str_eq(name, "echo") || file_exists(path);
}

static bool is_there(void *ctx, const char *workflow)
{
    (void)ctx;
    return !str_eq(workflow, "absent");
}

static json_t *check(const char *text)
{
    struct script_check_host host = {.agent_exists = ships, .workflow_exists = is_there};
    return script_check_new(text, strlen(text), "w.lua", &host);
}

static void check_shipped(const char *path)
{
    char *text = test_read(path);
    AUTO_JSON json_t *r = check(text);
    size_t i;
    const json_t *d;
    json_array_foreach(json_list(r, "diagnostics"), i, d)
        fail_msg("%s:%d: %s", path, (int)json_int(d, "line", 0), json_str(d, "text", ""));
    assert_true(json_flag(r, "ok", false));
    mem_free(text);
}

static void test_shipped_workflows_have_no_diagnostics(void **state)
{
    (void)state;
    assert_true(each("workflows/*.lua", check_shipped) >= 4);
}

static void test_relay_reaches_every_outcome(void **state)
{
    (void)state;
    AUTO_FREE char *path = test_source_path("workflows/relay.lua");
    char *text = test_read(path);
    AUTO_JSON json_t *r = check(text);
    mem_free(text);
    const json_t *outcomes = json_obj(r, "outcomes");
    static const char *const WANTED[] = {"accepted", "needs_discussion", "nothing_measurable", "failed"};
    for (size_t i = 0; i < ARRAY_LEN(WANTED); i++)
        if (json_int(outcomes, WANTED[i], 0) == 0)
            fail_msg("no dry run of relay ended as %s", WANTED[i]);
    assert_int_equal(json_array_size(json_list(r, "agents")), 3);
}

// Text, and the diagnostic it must have ("line level text").
static void test_check_finds_mistakes(void **state)
{
    (void)state;
    static const char *const CASES[][2] = {
        {"workflow 'w' {\n run = function()\n stage { agent = 'nobody' } end }",
         "3 error agent 'nobody' does not exist"},
        {"workflow 'w' {\n agents = { 'echo' }, run = function()\n local r = stage { agent = 'echo' }\n if r.ok then "
         "finish('accepted')\n"
         " else finish('rejected') end\n do return end\n finish('failed')\n end }",
         "7 warning this finish was not reached by any of "},
        {"workflow 'w' { params = { focus = 'a' }, run = function(p)\n print(p.bench) end }",
         "2 error unknown param 'bench'; declared: focus"},
        {"workflow 'w' { run = function()\n\n stage { agnt = 'echo' } end }", "3 error stage: unknown key 'agnt'"},
        {"workflow 'w' { run = function()\n local r = stage { agent = 'echo' }\n print(r.output.mine.deep) end }",
         "3 warning with a made-up result: attempt to index"},
        {"workflow 'w' { run = function()\n local r = nil\n print(r.x) end }", "3 error attempt to index"},
        {"workflow 'w' { run = function(p\n end }", "2 error "},
        {"workflow 'w' { run = function() end }", "0 note run can end without finish()"},
        {"workflow 'w' { run = function() while true do now() end end }",
         "0 warning a dry run was ended after 5000 calls"},
        {"workflow 'w' {\n agents = { 'echo' }, run = function() finish 'accepted' end }",
         "2 warning agent 'echo' is declared but"},
        {"workflow 'w' { run = function() stage { agent = 'echo' } finish 'accepted' end }",
         "1 warning agent 'echo' is used but"},
        {"workflow 'w' { run = function()\n if not gate(stage { agent = 'echo' }) then\n finish('acepted') end end }",
         "3 error finish: unknown outcome 'acepted'"},
        {"workflow 'w' { params = { n = { one_of = { 'a', 'b' } } }, run = function(p)\n if p.n == 'b' then\n "
         "error('bad') end end }",
         "3 error bad"},
        {"workflow 'w' { run = function() on_failure(function()\n error('oops') end) finish 'accepted' end }",
         "2 warning in a handler of on_failure: oops"},
        {"workflow 'w' { run = function()\n\n run_workflow { workflow = 'absent' } finish 'accepted' end }",
         "3 error workflow 'absent' does not exist"},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        AUTO_JSON json_t *r = check(CASES[i][0]);
        bool found = false;
        size_t j;
        const json_t *d;
        json_array_foreach(json_list(r, "diagnostics"), j, d)
        {
            AUTO_FREE char *text =
                str_printf("%d %s %s", (int)json_int(d, "line", 0), json_str(d, "level", ""), json_str(d, "text", ""));
            found = found || str_starts(text, CASES[i][1]);
        }
        if (!found) {
            AUTO_FREE char *all = json_compact(json_list(r, "diagnostics"));
            fail_msg("case %zu: expected '%s' in %s", i, CASES[i][1], all);
        }
        assert_int_equal(json_flag(r, "ok", true), !strstr(CASES[i][1], " error "));
    }
}

static void test_check_ignores_finish_in_comments_and_texts(void **state)
{
    (void)state;
    AUTO_JSON json_t *r = check(
        "-- finish('x')\n--[[ finish('y') ]] --[==[\nfinish(1) ]] ]==]\n"
        "workflow 'w' { run = function() local t = [[ finish('z') ]] .. \"finish('q')\" finish('accepted', t) end }");
    assert_int_equal(json_array_size(json_list(r, "diagnostics")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lua_tests_pass),
        cmocka_unit_test(test_shipped_workflows_have_no_diagnostics),
        cmocka_unit_test(test_relay_reaches_every_outcome),
        cmocka_unit_test(test_check_finds_mistakes),
        cmocka_unit_test(test_check_ignores_finish_in_comments_and_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
