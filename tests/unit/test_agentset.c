// proto/agentfile/agentdir: sets of files, and what they say about each other.
#include "support/support.h"

#include "agentfile/agentdir.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "json/json.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void put(const char *dir, const char *name, const char *text)
{
    struct err err;
    char *path = path_join(dir, name);
    char *parent = path_dir(path);
    assert_ok(file_make_dirs(parent, &err), &err);
    assert_ok(file_write(path, text, strlen(text), false, &err), &err);
    mem_free(parent);
    mem_free(path);
}

static struct agentset *load(const char *path)
{
    return agentset_load(&path, 1);
}

static const struct agentfile *file_named(const struct agentset *set, const char *ending)
{
    for (size_t i = 0; i < set->files.len; i++)
        if (str_ends(set->files.items[i]->file, ending))
            return set->files.items[i];
    fail_msg("no file %s", ending);
    abort(); // not reached: fail_msg leaves the test
}

static bool noted(const struct agentfile *f, enum agent_level level, const char *part)
{
    for (size_t i = 0; i < f->diagnostics.len; i++)
        if (f->diagnostics.items[i].level == level && str_has_nocase(f->diagnostics.items[i].text, part))
            return true;
    return false;
}

static void test_agentset_loads_what_it_can(void **state)
{
    (void)state;
    char *dir = test_temp_dir();
    put(dir, "b.md", "---\nname: b\n---\n");
    put(dir, "a/deep/c.MD", "---\nname: c\n---\n");
    put(dir, "bad.md", "\xFF\xFF\xFF");
    put(dir, "README.md", "# Agents\n");
    put(dir, "notes.txt", "---\nname: d\n---\n");
    put(dir, "node_modules/x.md", "---\nname: e\n---\n");
    char *loop = path_join(dir, "a/deep/up"), *nowhere = path_join(dir, "gone.md"), *fifo = path_join(dir, "pipe.md");
    assert_int_equal(symlink("../..", loop), 0);
    assert_int_equal(symlink("nothing-here", nowhere), 0);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    struct agentset *set = load(dir);
    assert_int_equal(set->agents.len, 2);
    assert_string_equal(set->agents.items[0]->name, "c"); // a/ comes before b.md
    assert_string_equal(set->agents.items[1]->name, "b");
    assert_true(noted(file_named(set, "/bad.md"), AGENT_ERROR, "UTF-8"));
    assert_true(noted(file_named(set, "/README.md"), AGENT_INFO, "no agent"));
    assert_true(noted(file_named(set, "/gone.md"), AGENT_ERROR, "leads nowhere"));
    assert_true(noted(file_named(set, "/pipe.md"), AGENT_ERROR, "regular"));
    assert_true(noted(file_named(set, "deep/up"), AGENT_INFO, "read before"));
    agentset_free(set);
    set = load("/nowhere/at/all");
    assert_int_equal(set->agents.len, 0);
    assert_int_equal(set->files.items[0]->diagnostics.items[0].level, AGENT_ERROR);
    agentset_free(set);
    mem_free(loop);
    mem_free(nowhere);
    mem_free(fifo);
    test_remove(dir);
}

static void test_agentset_first_of_two_names_counts(void **state)
{
    (void)state;
    char *dir = test_temp_dir();
    put(dir, "1.md", "---\nname: same\ndescription: first\n---\n");
    put(dir, "2.md", "---\nname: same\ndescription: second\n---\n");
    struct agentset *set = load(dir);
    assert_int_equal(set->agents.len, 1);
    assert_string_equal(agentset_find(set, "same")->description, "first");
    assert_true(noted(file_named(set, "1.md"), AGENT_WARNING, "2.md"));
    assert_true(noted(file_named(set, "2.md"), AGENT_WARNING, "not used"));
    agentset_free(set);
    char *one = path_join(dir, "1.md"), *two = path_join(dir, "2.md");
    const char *paths[] = {two, one, dir};
    set = agentset_load(paths, 3);
    assert_string_equal(agentset_find(set, "same")->description, "second");
    agentset_free(set);
    mem_free(one);
    mem_free(two);
    test_remove(dir);
}

static size_t count_kind(const json_t *report, const char *kind, const char *from, const char *to)
{
    size_t i, n = 0;
    json_t *p;
    json_array_foreach(json_list(report, "problems"), i, p)
    {
        if (str_eq(json_str(p, "kind", ""), kind) && (!from || str_eq(json_str(p, "from", ""), from)) &&
            (!to || str_eq(json_str(p, "to", ""), to)))
            n++;
    }
    return n;
}

static void test_agentset_of_the_seed_family(void **state)
{
    (void)state;
    static const char *const unreachable[][2] = {{"rust-testing-engineer", "rust-performance-engineer"},
                                                 {"rust-cicd-devops", "rust-performance-engineer"},
                                                 {"rust-performance-engineer", "rust-architect"},
                                                 {"rust-code-reviewer", "rust-architect"},
                                                 {"rust-developer", "rust-security-maintenance"},
                                                 {"rust-testing-engineer", "rust-debugger"},
                                                 {"rust-code-reviewer", "rust-debugger"},
                                                 {"rust-performance-engineer", "rust-debugger"}};
    static const char *const without_row[][2] = {{"rust-architect", "rust-code-reviewer"},
                                                 {"rust-testing-engineer", "rust-developer"},
                                                 {"rust-performance-engineer", "rust-testing-engineer"},
                                                 {"rust-security-maintenance", "rust-developer"},
                                                 {"rust-cicd-devops", "rust-developer"},
                                                 {"rust-cicd-devops", "rust-testing-engineer"},
                                                 {"rust-debugger", "rust-code-reviewer"}};
    char *dir = test_source_path("tests/fixtures/agentfile/seed-family");
    struct agentset *set = load(dir);
    assert_int_equal(set->agents.len, 8);
    size_t rows = 0, chains = 0;
    for (size_t i = 0; i < set->agents.len; i++) {
        rows += set->agents.items[i]->focus.len;
        chains += set->agents.items[i]->chains.len;
        assert_int_equal(set->agents.items[i]->mode, AGENT_MODE_YAML);
    }
    assert_int_equal(rows, 30);
    assert_int_equal(chains, 12);
    assert_string_equal(agentset_find(set, "rust-agents:debug")->name, "rust-debugger");
    assert_null(agentset_find(set, "critic"));
    json_t *report = agentset_check(set);
    assert_int_equal(json_array_size(json_list(report, "edges")), 29);
    assert_int_equal(json_array_size(json_list(report, "problems")), 16);
    for (size_t i = 0; i < ARRAY_LEN(unreachable); i++)
        assert_int_equal(count_kind(report, "focus_not_permitted", unreachable[i][0], unreachable[i][1]), 1);
    for (size_t i = 0; i < ARRAY_LEN(without_row); i++)
        assert_int_equal(count_kind(report, "edge_without_focus", without_row[i][0], without_row[i][1]), 1);
    assert_int_equal(count_kind(report, "chain_not_permitted", "rust-performance-engineer", "rust-architect"), 1);
    json_decref(report);
    agentset_free(set);
    mem_free(dir);
}

static void test_agentset_of_the_shipped_agents(void **state)
{
    (void)state;
    char *dir = test_source_path("agents/definitions");
    struct agentset *set = load(dir);
    assert_int_equal(set->agents.len, 6);
    json_t *report = agentset_check(set);
    assert_int_equal(json_array_size(json_list(report, "problems")), 0);
    static const char *const chain[] = {"review", "performance", "developer", "performance", "review", "developer"};
    for (size_t i = 1; i < ARRAY_LEN(chain); i++) {
        const struct agentfile *from = agentset_find(set, chain[i - 1]), *to = agentset_find(set, chain[i]);
        assert_true(agentfile_may_ask_for(from, to->name));
        assert_non_null(agentfile_focus_after(to, from->name));
    }
    for (size_t i = 0; i < set->files.len; i++)
        for (size_t k = 0; k < set->files.items[i]->diagnostics.len; k++)
            assert_true(str_has_nocase(set->files.items[i]->diagnostics.items[k].text, "restricts the agent here"));
    json_decref(report);
    agentset_free(set);
    mem_free(dir);
}

static void test_agentset_reports_unknown_agents(void **state)
{
    (void)state;
    char *dir = test_temp_dir();
    put(dir, "a.md", "---\nname: a\ntools: Task(nobody), Task(b)\n---\n# Workflow Chains\n- b → a → b\n");
    put(dir, "b.md",
        "---\nname: b\ntools: Read\n---\n| Previous | Expected Context | Focus |\n|--|--|--|\n| a | x | y |\n");
    struct agentset *set = load(dir);
    json_t *report = agentset_check(set);
    assert_int_equal(count_kind(report, "unknown_agent", "a", "nobody"), 1);
    assert_int_equal(count_kind(report, "chain_not_permitted", "b", "a"), 1);
    assert_int_equal(json_array_size(json_list(report, "problems")), 2);
    assert_true(noted(file_named(set, "a.md"), AGENT_WARNING, "'nobody'"));
    json_decref(report);
    agentset_free(set);
    test_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_agentset_loads_what_it_can),
        cmocka_unit_test(test_agentset_first_of_two_names_counts),
        cmocka_unit_test(test_agentset_of_the_seed_family),
        cmocka_unit_test(test_agentset_of_the_shipped_agents),
        cmocka_unit_test(test_agentset_reports_unknown_agents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
