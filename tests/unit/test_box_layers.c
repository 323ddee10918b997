// proto/boxes and orchestrator/probe: what a host lacks against what its site requires, and a probe that does not
// answer.
#include "support/support.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "boxes/layers.h"
#include "boxes/profile_table.h"
#include "loop/loop.h"
#include "probe/probe.h"

#include <string.h>
#include <sys/stat.h>

static const char *const NAMES[] = {
#define BOX_LAYER(code, name, needed, meaning) name,
#include "tbl/box_layers.def"
};

static json_t *probe_without(const char *missing)
{
    json_t *probe = json_object(), *layers = json_array();
    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++) {
        json_t *row = json_object();
        json_put_str(row, "layer", NAMES[i]);
        json_put_flag(row, "present", !str_eq(NAMES[i], missing));
        json_put_str(row, "detail", "as it is");
        json_put_str(row, "open", "what is open");
        json_array_append_new(layers, row);
    }
    json_put(probe, "layers", layers);
    return probe;
}

static void test_box_layers_refuse_what_the_site_requires(void **state)
{
    (void)state;
    static const struct {
        const char *missing, *from; // the least requirement that refuses, NULL: none
    } CASES[] = {{"namespaces", "full"},
                 {"file view", "full"},
                 {"Landlock", "landlock"},
                 {"system calls", "landlock"},
                 {"control group", ""},
                 {"memory limit", ""},
                 {"perf", ""},
                 {"nothing", ""}};
    static const char *const LEVELS[] = {"none", "landlock", "full"};
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        AUTO_JSON json_t *probe = probe_without(CASES[i].missing);
        bool refused = false;
        for (size_t k = 0; k < ARRAY_LEN(LEVELS); k++) {
            struct err err;
            int require = box_word_index(BOX_KEY_REQUIRE, LEVELS[k]);
            refused = refused || str_eq(LEVELS[k], CASES[i].from);
            assert_int_equal(layers_check(probe, require, &err), refused ? -ERR_UNSUPPORTED : 0);
            AUTO_JSON json_t *facts = layers_facts_new(probe, require);
            assert_int_equal(json_flag(facts, "usable", refused), !refused);
            assert_string_equal(json_str(facts, "require", ""), LEVELS[k]);
            if (!refused)
                continue;
            AUTO_FREE char *says = str_printf("%s is missing (as it is): what is open", CASES[i].missing);
            assert_non_null(strstr(err.text, says));
            assert_string_equal(json_str(facts, "why", ""), err.text);
        }
        AUTO_JSON json_t *facts = layers_facts_new(probe, 0);
        assert_int_equal(json_array_size(json_list(facts, "missing")), !str_eq(CASES[i].missing, "nothing"));
    }
    struct err err;
    AUTO_JSON json_t *nothing = json_object();
    assert_int_equal(layers_check(nothing, box_word_index(BOX_KEY_REQUIRE, "none"), &err), -ERR_UNSUPPORTED);
}

struct asked {
    struct loop *loop;
    unsigned told;
};

static void on_known(void *user)
{
    struct asked *a = user;
    a->told++;
    loop_stop(a->loop);
}

// What comes of a baton-exec that is this script; NULL: there is none.
static void check_answer(const char *script, int expected, const char *says)
{
    struct err err;
    struct asked asked = {0};
    char *dir = test_temp_dir();
    AUTO_FREE char *program = path_join(dir, "baton-exec");
    if (script) {
        assert_ok(file_write(program, script, strlen(script), false, &err), &err);
        assert_int_equal(chmod(program, 0755), 0);
    }
    assert_ok(loop_new(&asked.loop, &err), &err);
    struct probe *probe = probe_new(asked.loop, dir, on_known, &asked);
    assert_false(probe_known(probe));
    probe_begin(probe);
    probe_begin(probe); // once is enough
    assert_false(probe_known(probe));
    loop_run(asked.loop);
    assert_true(probe_known(probe));
    assert_int_equal(asked.told, 1);
    assert_int_equal(probe_check(probe, "", &err), expected);
    AUTO_JSON json_t *facts = probe_facts_new(probe, "");
    assert_int_equal(json_flag(facts, "usable", false), expected == 0);
    if (expected < 0) {
        assert_non_null(strstr(err.text, says));
        assert_non_null(strstr(err.text, "baton doctor"));
        assert_string_equal(json_str(facts, "why", ""), err.text);
    }
    assert_int_equal(probe_check(probe, "base require = less", &err), -ERR_PARSE);
    probe_free(probe);
    loop_free(asked.loop);
    test_remove(dir);
}

static void test_box_layers_probe_answers_or_says_why_not(void **state)
{
    (void)state;
    check_answer("#!/bin/sh\necho '{\"layers\":[]}'\nexit 1\n", 0, NULL); // the answer counts, not the exit status
    check_answer("#!/bin/sh\necho '{\"layers\":[{\"layer\":\"Landlock\",\"present\":false,\"open\":\"x\"}]}'\n",
                 -ERR_UNSUPPORTED, "Landlock is missing");
    check_answer("#!/bin/sh\nexit 0\n", -ERR_UNSUPPORTED, "gave no answer");
    check_answer("#!/bin/sh\necho no\n", -ERR_UNSUPPORTED, "reinstall Baton");
    check_answer("#!/bin/sh\nkill -9 $$\n", -ERR_UNSUPPORTED, "gave no answer");
    check_answer(NULL, -ERR_UNSUPPORTED, "baton-exec");
}

// Let go of while it is asked: nobody is called afterwards, and no process stays.
static void test_box_layers_probe_freed_while_asked(void **state)
{
    (void)state;
    struct err err;
    struct asked asked = {0};
    assert_ok(loop_new(&asked.loop, &err), &err);
    struct probe *probe = probe_new(asked.loop, BATON_BIN_DIR, on_known, &asked);
    probe_begin(probe);
    probe_free(probe);
    loop_run(asked.loop);
    assert_int_equal(asked.told, 0);
    probe_free(probe_new(asked.loop, BATON_BIN_DIR, on_known, &asked));
    loop_free(asked.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_box_layers_refuse_what_the_site_requires),
        cmocka_unit_test(test_box_layers_probe_answers_or_says_why_not),
        cmocka_unit_test(test_box_layers_probe_freed_while_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
