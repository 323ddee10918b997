// orchestrator/script: instances that are made ready on a thread of their own.
#include "script_host.h"
#include "support/support.h"

#include "base/mem.h"
#include "base/str.h"
#include "script/stock.h"

#include <string.h>

enum { RUNS = 400, AT_ONCE = 24 };

// As the engine does it: from the stock, or loaded and told of.
static struct script *get(struct script_stock *stock, int edition, bool *ret_ready)
{
    struct script *s = NULL;
    struct err err = {0};
    AUTO_FREE char *hash = str_printf("hash %d", edition);
    s = script_stock_take(stock, hash, "t.lua");
    *ret_ready = s != NULL;
    if (s)
        return s;
    AUTO_FREE char *text = str_printf("local kept = 0\n"
                                      "workflow 't' { run = function(p)\n"
                                      "  kept = kept + 1\n"
                                      "  text.mark = (text.mark or 0) + 1\n"
                                      "  finish('accepted', { edition = %d, kept = kept, mark = text.mark })\n"
                                      "end }",
                                      edition);
    assert_ok(script_load(text, strlen(text), "t.lua", NULL, &s, &err), &err);
    script_stock_tell(stock, hash, "t.lua", text, strlen(text));
    return s;
}

// Each is the first to run in its instance, and of the edition that was asked for.
static void run(struct script *s, int edition)
{
    struct script_host host = {.call = script_host_null};
    struct err err = {0};
    assert_ok(script_start(s, NULL, &host, &err), &err);
    assert_int_equal(script_state(s), SCRIPT_DONE);
    const json_t *result = json_obj(script_result(s), "result");
    assert_int_equal(json_int(result, "edition", -1), edition);
    assert_int_equal(json_int(result, "kept", -1), 1);
    assert_int_equal(json_int(result, "mark", -1), 1);
}

static void test_stock_gives_fresh_instances_of_the_script_asked_for(void **state)
{
    (void)state;
    struct script_stock *stock = script_stock_new();
    struct script *open[AT_ONCE];
    size_t n_open = 0;
    for (int i = 0; i < RUNS; i++) {
        bool ready;
        int edition = i / 100; // a new one now and then
        open[n_open] = get(stock, edition, &ready);
        run(open[n_open++], edition);
        if (n_open == AT_ONCE)
            while (n_open)
                script_stock_give_back(stock, open[--n_open]);
    }
    while (n_open)
        script_stock_give_back(stock, open[--n_open]);
    // With time to make one, it is there. The instances of the first edition are not given for it.
    bool ready = false;
    for (int i = 0; i < 100000 && !ready; i++) {
        struct script *s = get(stock, 9, &ready);
        run(s, 9);
        script_stock_give_back(stock, s);
    }
    assert_true(ready);
    script_stock_free(stock);
}

static void test_stock_is_freed_while_it_works(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        struct script_stock *stock = script_stock_new();
        bool ready;
        for (int k = 0; k < i % 5; k++)
            script_stock_give_back(stock, get(stock, 1, &ready));
        script_stock_free(stock);
    }
    assert_null(script_stock_free(NULL));
}

static void test_stock_leaves_a_script_that_cannot_be_loaded(void **state)
{
    (void)state;
    struct script_stock *stock = script_stock_new();
    script_stock_tell(stock, "h", "bad.lua", "this is no Lua", 14);
    for (int i = 0; i < 100; i++)
        assert_null(script_stock_take(stock, "h", "bad.lua"));
    script_stock_free(stock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stock_gives_fresh_instances_of_the_script_asked_for),
        cmocka_unit_test(test_stock_is_freed_while_it_works),
        cmocka_unit_test(test_stock_leaves_a_script_that_cannot_be_loaded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
