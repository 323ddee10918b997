// orchestrator/script: what a script cannot do. Each of these would run for minutes, take all memory, or show an
// address.
#include "script_host.h"
#include "support/support.h"

#include "base/mem.h"
#include "base/str.h"
#include "script/script.h"

#include <string.h>

// Runs `body` as the run function and gives the error, or "" when it ended well.
static struct err run(const char *body)
{
    struct script *s = NULL;
    struct err err = {0};
    struct script_limits limits = {.memory = (size_t)16 << 20, .instructions = 5000000};
    AUTO_FREE char *text = str_printf("workflow 't' { run = function(p)\n%s\nend }", body);
    assert_ok(script_load(text, strlen(text), "t.lua", &limits, &s, &err), &err);
    struct script_host host = {.call = script_host_null};
    assert_ok(script_start(s, NULL, &host, &err), &err);
    struct err out = {0};
    if (script_state(s) == SCRIPT_FAILED)
        out = *script_error(s);
    script_free(s);
    return out;
}

static void test_script_endless_work_ends(void **state)
{
    (void)state;
    static const char INDEX_LOOP[] = "local m = setmetatable({}, { __index = function(t, k) return t[k + 1] end })\n"
                                     "while true do pcall(function() return m[1] end) end";
    static const char *const CASES[] = {
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "local function f() pcall(f) f() end f()",
        "pcall(function() while true do end end) return 1",
        "parallel { function() while true do end end, function() end }",
        "pcall(parallel, { function() while true do end end }) return 1",
        "local s = ('x'):rep(1000000) while true do s = s:upper() end",
        "local s = ('x'):rep(4000000) local t = {} for i = 1, 1e9 do t[1] = s .. i end",
        "local t = {} for i = 1, 20000 do t[i] = i end while true do for k in pairs(t) do break end end",
        "local t = {} for i = 1, 20000 do t[i] = -i end while true do table.sort(t) end",
        "local t = {} for i = 1, 1000 do t[i] = i end while true do table.concat(t, ',') end",
        "table.move({}, 1, 9000000, 2) table.move({}, 1, 9000000, 2)",
        INDEX_LOOP,
        "local s = ('x'):rep(4000000) while true do text.find(s, 'y') end",
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct err err = run(CASES[i]);
        if (err.code != ERR_LIMIT)
            fail_msg("%s: %s", CASES[i], err.text);
    }
}

static void test_script_memory_is_capped(void **state)
{
    (void)state;
    static const char *const CASES[] = {
        "local t = {} while true do t[#t + 1] = ('x'):rep(100000) .. #t end",
        "local s = 'x' while true do s = s .. s end",
        "local t = {} for i = 1, 1e9 do t[i] = i end",
        "local s = ('x'):rep(15000000) local u = s .. s",
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct err err = run(CASES[i]);
        assert_int_equal(err.code, ERR_LIMIT);
        if (!strstr(err.text, "not enough memory") && !strstr(err.text, "million instructions"))
            fail_msg("%s: %s", CASES[i], err.text);
    }
    struct err caught = run("local ok, m = pcall(function() local s = ('x'):rep(1000):rep(6000) return s .. s end)\n"
                            "assert(not ok and m == 'not enough memory', m)");
    assert_string_equal(caught.text, "");
}

static void test_script_hard_patterns_are_refused(void **state)
{
    (void)state;
    static const char *const CASES[][2] = {
        {"text.match(('a'):rep(40), '(a*)*(a*)*(a*)*[bc]')", "too many steps"},
        {"text.match(('a'):rep(100000), '(a+)+[bc]')", "too many steps"},
        {"text.match('x', '(' .. ('a'):rep(2000) .. ')')", "may have 1000 bytes"},
        {"text.match('x', '(')", "is wrong at byte 1"},
        {"('x'):match('.*')", "Lua patterns are not available; use text.match"},
        {"('x'):gsub('x', 'y')", "use text.replace"},
        {"('x'):find('%a')", "Lua patterns are not available"},
        {"('x'):rep(1 << 40)", "would be larger than 16 MiB"},
        {"(''):rep(1 << 60)", "would be larger than 16 MiB"},
        {"table.move({}, 1, 1 << 60, 2)", "more than 10 million"},
        {"table.insert(setmetatable({}, { __len = function() return 1 << 60 end }), 1, 'x')",
         "do not take a table with __len"},
        {"setmetatable({}, { __gc = print })", "__gc is not allowed"},
        {"setmetatable({}, { __mode = 'k' })", "__mode is not allowed"},
        {"setmetatable(list {}, {})", "metatable is protected"},
        {"for _ in pairs({ [{}] = 1, [print] = 2 }) do end", "would not be the same at a replay"},
        {"next({ 1, 2 }, 1)", "use pairs(t)"},
        {"('%p'):format({})", "%p is not available"},
        {"io.open('x')", "unknown name 'io'"},
        {"os.exit()", "unknown name 'os'"},
        {"require 'x'", "unknown name 'require'"},
        {"load('return 1')", "unknown name 'load'"},
        {"debug.getinfo(1)", "unknown name 'debug'"},
        {"coroutine.yield()", "unknown name 'coroutine'"},
        {"dofile('x')", "unknown name 'dofile'"},
        {"collectgarbage()", "unknown name 'collectgarbage'"},
        {"math.random()", "attempt to call a nil value (field 'random')"},
        {"string.dump(print)", "attempt to call a nil value (field 'dump')"},
        {"table.sort({ 3, 2, 1 }, function() now() end)", "not inside a metamethod or a sort"},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct err err = run(CASES[i][0]);
        if (!strstr(err.text, CASES[i][1]))
            fail_msg("%s: expected '%s', got '%s'", CASES[i][0], CASES[i][1], err.text);
    }
}

static void test_script_never_shows_addresses(void **state)
{
    (void)state;
    struct err err = run(
        "local texts = { tostring({}), tostring(print), ('%s'):format({}), ('%s'):format(print),\n"
        "  tostring(null), tostring(setmetatable({}, { __name = 'x' })), tostring(list {}), ('%10s'):format(null) }\n"
        "for _, t in ipairs(texts) do assert(not t:find('0x', 1, true), t) end\n"
        "local _, m = pcall(error, setmetatable({}, { __tostring = function() return 'own' end }))\n"
        "assert(tostring(m) == 'own')");
    assert_string_equal(err.text, "");
}

static void test_script_stack_overflow_is_an_error(void **state)
{
    (void)state;
    struct err deep = run("local function f(n) return 1 + f(n + 1) end f(1)");
    assert_true(strstr(deep.text, "stack overflow") || strstr(deep.text, "not enough memory"));
    assert_true(strlen(deep.text) < 800);
    struct err err =
        run("local t = setmetatable({}, {}) getmetatable(t).__index = function(t, k) return t[k] end return t.x");
    assert_non_null(strstr(err.text, "overflow"));
}

static void test_script_load_is_limited_too(void **state)
{
    (void)state;
    struct script *s = NULL;
    struct err err = {0};
    struct script_limits limits = {.memory = (size_t)4 << 20, .instructions = 1000000};
    assert_int_equal(script_load("while true do end", 17, "t.lua", &limits, &s, &err), -ERR_LIMIT);
    const char *bomb = "local t = {} while true do t[#t + 1] = 'x' .. #t end";
    assert_int_equal(script_load(bomb, strlen(bomb), "t.lua", &limits, &s, &err), -ERR_LIMIT);
    size_t len = SCRIPT_TEXT_MAX + 1;
    char *big = mem_alloc(len + 1);
    memset(big, '-', len);
    assert_int_equal(script_load(big, len, "t.lua", &limits, &s, &err), -ERR_LIMIT);
    memset(big, '(', len);
    assert_true(script_load(big, len - 1, "t.lua", &limits, &s, &err) < 0); // nested as deep as the text is long
    mem_free(big);
    assert_null(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_script_endless_work_ends),          cmocka_unit_test(test_script_memory_is_capped),
        cmocka_unit_test(test_script_hard_patterns_are_refused),  cmocka_unit_test(test_script_never_shows_addresses),
        cmocka_unit_test(test_script_stack_overflow_is_an_error), cmocka_unit_test(test_script_load_is_limited_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
