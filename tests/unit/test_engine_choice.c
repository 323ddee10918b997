// orchestrator/engine: what a stage is to do (focus), what its result depends on (key), where files are found
// (catalog).
#include "support/support.h"

#include "agentfile/agentfile.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "run/catalog.h"
#include "run/focus.h"
#include "run/key.h"

#include <string.h>

static const char ENGINEER[] = "---\nname: rust-performance-engineer\ndescription: d\nallowed-tools:\n  - Read\n---\n\n"
                               "## When Called After Another Agent\n\n"
                               "| Previous Agent | Expected Context | Focus |\n"
                               "|----------------|------------------|-------|\n"
                               "| rust-code-reviewer | Performance concerns | Profile specific code |\n"
                               "| rust-developer | New feature complete | Benchmark and optimize |\n"
                               "| rust-cicd-devops | Slow CI builds | Build optimization |\n"
                               "| rust-debugger | Words nobody consumes | Look at it |\n";

static struct agentfile *engineer(void)
{
    struct agentfile *f = NULL;
    struct err err;
    assert_ok(agentfile_parse("rust-performance-engineer.md", ENGINEER, strlen(ENGINEER), &f, &err), &err);
    return f;
}

static json_t *parents_with(const char *key)
{
    json_t *parents = json_array(), *parent = json_object(), *output = json_object();
    json_put(output, key, json_array());
    json_put(parent, "output", output);
    json_array_append_new(parents, parent);
    return parents;
}

static struct focus choose(const struct agentfile *f, const char *previous, const char *key, const char *forced)
{
    struct focus focus;
    AUTO_JSON json_t *parents = key ? parents_with(key) : json_array();
    focus_choose(f, "performance", previous, parents, forced, &focus);
    return focus;
}

static void test_focus_row_of_the_predecessor_decides(void **state)
{
    (void)state;
    struct agentfile *f = engineer();
    struct focus focus = choose(f, "rust-code-reviewer", "findings", NULL);
    assert_string_equal(focus.mode, "profile");
    assert_string_equal(focus.text, "Profile specific code");
    assert_string_equal(focus.expected, "Performance concerns");
    assert_int_equal(focus.line, 12);
    assert_false(focus.missing);
    focus = choose(f, "rust-developer", "changes", NULL);
    assert_string_equal(focus.mode, "verify");
    assert_false(focus.missing);
    focus = choose(f, "rust-cicd-devops", "build", NULL);
    assert_string_equal(focus.mode, "build");
    agentfile_free(f);
}

static void test_focus_finds_missing_context(void **state)
{
    (void)state;
    struct agentfile *f = engineer();
    struct focus focus = choose(f, "rust-developer", "findings", NULL);
    assert_true(focus.missing);
    assert_non_null(strstr(focus.keys, "changes"));
    focus = choose(f, "rust-debugger", "findings", NULL); // what no table knows is not demanded
    assert_false(focus.missing);
    agentfile_free(f);
}

static void test_focus_without_a_row_or_a_parent(void **state)
{
    (void)state;
    struct agentfile *f = engineer();
    struct focus focus = choose(f, NULL, NULL, NULL);
    assert_string_equal(focus.mode, "profile");
    assert_null(focus.text);
    assert_false(focus.missing);
    focus = choose(f, "somebody-else", "findings", NULL);
    assert_string_equal(focus.mode, "profile");
    assert_int_equal(focus.line, 0);
    agentfile_free(f);
}

static void test_focus_mode_can_be_forced(void **state)
{
    (void)state;
    struct agentfile *f = engineer();
    assert_string_equal(choose(f, "rust-code-reviewer", "findings", "verify").mode, "verify");
    assert_true(focus_mode_known("performance", "verify"));
    assert_false(focus_mode_known("performance", "implement"));
    assert_false(focus_mode_known("nobody", "verify"));
    agentfile_free(f);
}

// --- key ---

static void key(const struct key_parts *parts, char out[HASH_TEXT])
{
    key_of_stage(parts, out);
    assert_int_equal(strlen(out), 64);
}

static void test_key_changes_with_every_part(void **state)
{
    (void)state;
    AUTO_JSON json_t *input = json_pack("{s:i, s:i}", "a", 1, "b", 2),
                     *swapped = json_pack("{s:i, s:i}", "b", 2, "a", 1);
    AUTO_JSON json_t *other = json_pack("{s:i}", "a", 2), *list = json_pack("[s]", "x");
    const struct key_parts base = {
        .agent_hash = "h", .worker = "echo/1", .mode = "echo", .task = "t", .input = input, .project = "c"};
    char keys[10][HASH_TEXT], same[HASH_TEXT];
    struct key_parts p[10];
    for (size_t i = 0; i < ARRAY_LEN(p); i++)
        p[i] = base;
    p[1].agent_hash = "i";
    p[2].worker = "echo/2";
    p[3].mode = "other";
    p[4].task = NULL;
    p[5].input = other;
    p[6].parents = list;
    p[7].project = "d";
    p[8].operator_rules = list;
    p[9].input = NULL;
    for (size_t i = 0; i < ARRAY_LEN(p); i++) {
        key(&p[i], keys[i]);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(keys[i], keys[k]);
    }
    struct key_parts again = base;
    again.input = swapped; // the order of members means nothing
    key(&again, same);
    assert_string_equal(same, keys[0]);
}

static json_t *said(const char *id, const char *run, const char *summary)
{
    json_t *h = json_object();
    json_put_str(h, "id", id);
    json_put_str(h, "run", run);
    json_put_str(h, "summary", summary);
    json_put_str(h, "created", id);
    json_put(h, "parent", json_pack("[s]", id));
    json_put_int(h, "stage", (int)strlen(run));
    return h;
}

static void test_key_parents_count_by_what_they_say_and_come_from(void **state)
{
    (void)state;
    AUTO_JSON json_t *a = said("1", "r", "x"), *b = said("22", "other", "x"), *c = said("1", "r", "y");
    char of_a[HASH_TEXT], of_b[HASH_TEXT], of_c[HASH_TEXT], one[HASH_TEXT], two[HASH_TEXT];
    key_of_content(a, of_a);
    key_of_content(b, of_b);
    key_of_content(c, of_c);
    assert_string_equal(of_a, of_b); // who said it when is nothing to it
    assert_string_not_equal(of_a, of_c);
    assert_string_equal(json_str(a, "id", ""), "1"); // and it is as it was
    key_of_parent(of_a, "key", one);
    key_of_parent(of_b, "another key", two);
    assert_string_not_equal(one, two);
    key_of_parent(of_b, "key", two);
    assert_string_equal(one, two);
}

static void test_modes_that_leave_commits(void **state)
{
    (void)state;
    assert_true(focus_mode_commits("developer", "implement"));
    assert_true(focus_mode_commits("performance", "verify"));
    assert_false(focus_mode_commits("performance", "profile"));
    assert_false(focus_mode_commits("review", "verify"));
    assert_false(focus_mode_commits("nobody", "verify"));
}

// --- catalog ---

static void write_text(const char *dir, const char *name, const char *text)
{
    AUTO_FREE char *path = path_join(dir, name);
    AUTO_FREE char *folder = path_dir(path);
    struct err err;
    assert_ok(file_make_dirs(folder, &err), &err);
    assert_ok(file_write(path, text, strlen(text), false, &err), &err);
}

static void test_catalog_workflows(void **state)
{
    (void)state;
    char *dir = test_temp_dir();
    write_text(dir, "workflows/b.lua", "-- b");
    write_text(dir, "workflows/a.lua", "-- a");
    write_text(dir, "workflows/notes.txt", "x");
    AUTO_JSON json_t *list = catalog_workflows_new(dir);
    assert_int_equal(json_array_size(list), 2);
    assert_string_equal(json_str(json_array_get(list, 0), "name", ""), "a");
    char *text = NULL, *name = NULL;
    size_t len = 0;
    struct err err;
    assert_ok(catalog_workflow(dir, "b", &text, &len, &name, &err), &err);
    assert_string_equal(text, "-- b");
    assert_string_equal(name, "b");
    mem_free(text);
    mem_free(name);
    AUTO_FREE char *path = path_join(dir, "workflows/a.lua");
    assert_ok(catalog_workflow("/nowhere", path, &text, &len, &name, &err), &err);
    assert_string_equal(name, "a");
    mem_free(text);
    mem_free(name);
    static const char *const BAD[] = {"c", "", "../a", "x/y", "/no/such.lua"};
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++)
        assert_int_equal(catalog_workflow(dir, BAD[i], &text, &len, &name, &err), -ERR_NOT_FOUND);
    catalog_workflow(dir, "c", &text, &len, &name, &err);
    assert_non_null(strstr(err.text, "a, b"));
    test_remove(dir);
}

static void test_catalog_agents_of_the_caller_come_first(void **state)
{
    (void)state;
    char *dir = test_temp_dir();
    write_text(dir, "agents/echo.md", "---\nname: echo\ndescription: shipped\n---\nx\n");
    write_text(dir, "agents/other.md", "---\nname: other\ndescription: shipped\n---\nx\n");
    write_text(dir, "mine/echo.md", "---\nname: echo\ndescription: mine\n---\nx\n");
    AUTO_FREE char *mine = path_join(dir, "mine");
    const char *const dirs[] = {mine, NULL};
    struct agentset *set = catalog_agents(dir, dirs);
    assert_string_equal(agentset_find(set, "echo")->description, "mine");
    assert_string_equal(agentset_find(set, "other")->description, "shipped");
    agentset_free(set);
    test_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_focus_row_of_the_predecessor_decides),
        cmocka_unit_test(test_focus_finds_missing_context),
        cmocka_unit_test(test_focus_without_a_row_or_a_parent),
        cmocka_unit_test(test_focus_mode_can_be_forced),
        cmocka_unit_test(test_key_changes_with_every_part),
        cmocka_unit_test(test_key_parents_count_by_what_they_say_and_come_from),
        cmocka_unit_test(test_modes_that_leave_commits),
        cmocka_unit_test(test_catalog_workflows),
        cmocka_unit_test(test_catalog_agents_of_the_caller_come_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
