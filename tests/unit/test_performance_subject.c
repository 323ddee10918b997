// agents/performance/subject: what is run and measured. Words without a shell, programs of the project, baton.toml,
// cargo bench.
#include "held.h"
#include "support/support.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "performance/subject.h"

#include <string.h>

struct place {
    struct held held;
    char *root, *member, *user;
    struct cargo_metadata metadata;
};

static void write_text(const char *dir, const char *name, const char *text)
{
    AUTO_FREE char *path = path_join(dir, name);
    AUTO_FREE char *folder = path_dir(path);
    struct err err;
    assert_ok(file_make_dirs(folder, &err), &err);
    assert_ok(file_write(path, text, strlen(text), false, &err), &err);
}

static json_t *target(const char *kind, const char *name)
{
    return json_pack("{s:[s], s:[s], s:s, s:s, s:s}", "kind", kind, "crate_types", kind, "name", name, "src_path",
                     "/x.rs", "edition", "2021");
}

// A workspace with one member, crates/tool: two programs, an example, two benches (one with a harness of its own).
static int set_up(void **state)
{
    struct place *p = mem_alloc(sizeof(*p));
    struct err err;
    p->root = test_temp_dir();
    p->member = path_join(p->root, "crates/tool");
    p->user = path_join(p->root, "user");
    write_text(p->member, "Cargo.toml",
               "[package]\nname = \"tool\"\nversion = \"0.1.0\"\n\n[[bench]]\nname = \"own\"\nharness = false\n\n"
               "[[bench]]\nname = \"std\"\n");
    AUTO_FREE char *manifest = path_join(p->member, "Cargo.toml");
    AUTO_FREE char *target_dir = path_join(p->root, "target");
    AUTO_JSON json_t *v = json_pack(
        "{s:[{s:s, s:s, s:s, s:n, s:s, s:s, s:[], s:{}, s:[o, o, o, o, o]}], s:[s], s:s, s:s, s:i, s:n}", "packages",
        "id", "tool-id", "name", "tool", "version", "0.1.0", "source", "manifest_path", manifest, "edition", "2021",
        "dependencies", "features", "targets", target("bin", "tool"), target("bin", "second"),
        target("example", "demo"), target("bench", "own"), target("bench", "std"), "workspace_members", "tool-id",
        "workspace_root", p->root, "target_directory", target_dir, "version", 1, "resolve");
    assert_non_null(v);
    AUTO_FREE char *text = json_compact(v);
    assert_ok(cargo_metadata_parse(text, strlen(text), &p->metadata, &err), &err);
    held_open(&p->held, p->root);
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct place *p = *state;
    cargo_metadata_free(&p->metadata);
    held_close(&p->held);
    test_remove(p->root);
    mem_free(p->member);
    mem_free(p->user);
    mem_free(p);
    return 0;
}

static json_t *find(const struct place *p, const char *bench)
{
    json_t *list = NULL;
    char *why = NULL;
    struct err err;
    const struct subject_places places = {.files = p->held.files, .project = p->member, .user = p->user};
    assert_ok(subject_find(&places, &p->metadata, bench, &list, &why, &err), &err);
    mem_free(why);
    return list;
}

static void assert_words(const json_t *subjects, const char *expected)
{
    AUTO_FREE char *text = json_compact(json_list(json_array_get(subjects, 0), "words"));
    assert_string_equal(text, expected);
}

static void test_words_of_the_caller(void **state)
{
    static const struct {
        const char *bench, *words;
    } CASES[] = {
        {"tool  count\t--words 10", "[\"{bin:tool}\",\"count\",\"--words\",\"10\"]"},
        {"tool 'two words' \"and more\" ''", "[\"{bin:tool}\",\"two words\",\"and more\",\"\"]"},
        {"tool a'b'c", "[\"{bin:tool}\",\"abc\"]"},
        {"second x", "[\"{bin:second}\",\"x\"]"},
        {"./target/release/tool x", "[\"{bin:tool}\",\"x\"]"},
        {"target/debug/examples/demo", "[\"{example:demo}\"]"},
        {"cargo run --release --bin second -- a b", "[\"{bin:second}\",\"a\",\"b\"]"},
        {"cargo run --example demo --release", "[\"{example:demo}\"]"},
        {"cargo run -- a", "[\"cargo\",\"run\",\"--\",\"a\"]"}, // which of the two programs is not said
        {"/usr/bin/env tool", "[\"/usr/bin/env\",\"tool\"]"},
        {"other a", "[\"other\",\"a\"]"},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        AUTO_JSON json_t *list = find(*state, CASES[i].bench);
        assert_int_equal(json_array_size(list), 1);
        assert_words(list, CASES[i].words);
    }
}

static void test_what_needs_a_shell_is_refused(void **state)
{
    const struct place *p = *state;
    static const char *const BAD[] = {"a | b", "a; b", "a && b", "a > f", "a <", "a<f",   "a $HOME", "a `b`",
                                      "a \\n", "a *",  "a ?",    "a\nb",  "'a",  "a \"b", "   "};
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
        json_t *list = NULL;
        char *why = NULL;
        struct err err;
        const struct subject_places places = {.files = p->held.files, .project = p->member};
        if (subject_find(&places, &p->metadata, BAD[i], &list, &why, &err) >= 0)
            fail_msg("accepted: %s", BAD[i]);
        assert_non_null(strstr(err.text, "--bench"));
    }
}

// Input, and files that the caller has beside the checkout.
static void test_files_of_the_caller(void **state)
{
    const struct place *p = *state;
    write_text(p->user, "big.txt", "not in git");
    write_text(p->member, "small.txt", "in git");
    AUTO_JSON json_t *list = find(p, "tool small.txt big.txt --in=big.txt -n 3 < /data/in.txt");
    AUTO_FREE char *big = path_join(p->user, "big.txt");
    AUTO_FREE char *expected = str_printf("[\"{bin:tool}\",\"small.txt\",\"%s\",\"--in=%s\",\"-n\",\"3\"]", big, big);
    assert_words(list, expected);
    assert_string_equal(json_str(json_array_get(list, 0), "stdin", ""), "/data/in.txt");
    const char **reach = subject_reach(json_array_get(list, 0));
    assert_string_equal(reach[0], big);
    assert_string_equal(reach[2], "/data/in.txt");
    assert_null(reach[3]);
    mem_free(reach);
}

static void test_declared_in_the_project(void **state)
{
    struct place *p = *state;
    write_text(p->member, "baton.toml",
               "[[bench]]\nname = \"one\"\ncommand = [\"{bin:tool}\", \"a b\"]\ncwd = \"data\"\nstdin = \"in.txt\"\n\n"
               "[[bench]]\nname = \"two\"\ncommand = \"tool x\"\n");
    AUTO_JSON json_t *list = find(p, NULL);
    assert_int_equal(json_array_size(list), 2);
    const json_t *one = json_array_get(list, 0);
    assert_words(list, "[\"{bin:tool}\",\"a b\"]");
    assert_string_equal(json_str(one, "source", ""), "baton.toml");
    assert_string_equal(json_str(one, "cwd", ""), "crates/tool/data");
    assert_string_equal(json_str(one, "stdin", ""), "crates/tool/in.txt");
    AUTO_JSON json_t *programs = subject_programs(list);
    AUTO_FREE char *text = json_compact(programs);
    assert_string_equal(text, "[\"bin:tool\"]");
    AUTO_JSON json_t *mine = find(p, "second"); // what the caller names comes first
    assert_words(mine, "[\"{bin:second}\"]");
}

static void test_wrong_declarations(void **state)
{
    struct place *p = *state;
    static const char *const BAD[] = {
        "[[bench]]\ncommand = \"x\"\n",
        "[[bench]]\nname = \"a\"\n",
        "[[bench]]\nname = \"a\"\ncommand = []\n",
        "[[bench]]\nname = \"a\"\ncommand = [1]\n",
        "[[bench]]\nname = \"a\"\ncommand = 7\n",
        "[[bench]]\nname = \"a\"\ncommand = \"x | y\"\n",
        "[[bench]]\nname = \"a\"\ncommand = \"x\"\ncwd = \"../..\"\n",
        "[[bench]]\nname = \"a\"\ncommand = \"x\"\ncwd = \"/\"\n",
        "[[bench]]\nname = \"a\"\ncommand = \"x\"\nstdin = \"/etc/passwd\"\n",
        "[[bench]\n",
        "[bench]\nname = \"a\"\ncommand = \"x\"\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
        json_t *list = NULL;
        char *why = NULL;
        struct err err;
        const struct subject_places places = {.files = p->held.files, .project = p->member};
        write_text(p->member, "baton.toml", BAD[i]);
        if (subject_find(&places, &p->metadata, NULL, &list, &why, &err) >= 0)
            fail_msg("accepted: %s", BAD[i]);
        assert_non_null(strstr(err.text, "baton.toml"));
    }
}

static void test_measure_of_the_project(void **state)
{
    struct place *p = *state;
    const struct subject_places places = {.files = p->held.files, .project = p->member};
    struct subject_measure said;
    struct err err;
    write_text(p->member, "baton.toml", "[measure]\nmetric = \"wall\"\ntheta_pct = 5\n");
    assert_int_equal(subject_measure(&places, &said, &err), 0);
    assert_true(said.has_metric && said.metric == AB_WALL && said.theta > 0.049 && said.theta < 0.051);
    write_text(p->member, "baton.toml", "[[bench]]\nname = \"a\"\ncommand = \"x\"\n");
    assert_int_equal(subject_measure(&places, &said, &err), 0);
    assert_true(!said.has_metric && said.theta <= 0);
    static const char *const BAD[] = {"[measure]\nmetric = \"luck\"\n", "[measure]\nmetric = 3\n", "[measure]\ntheta_pct = 0\n",
                                      "[measure]\ntheta_pct = \"much\"\n"};
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
        write_text(p->member, "baton.toml", BAD[i]);
        assert_int_equal(subject_measure(&places, &said, &err), -ERR_INVALID);
    }
}

static void test_unknown_names_are_named_with_their_line(void **state)
{
    struct place *p = *state;
    static const char *const CASES[][2] = {
        {"[[bench]]\nname = \"a\"\ncommand = \"x\"\ncomand = \"x\"\n",
         "baton.toml:4: unknown key 'comand'; known here: 'name', 'command', 'cwd', 'stdin'"},
        {"[[bench]]\nname = \"a\"\ncommand = \"x\"\n\n[[bench]]\nname = \"b\"\ncommand = \"x\"\n\nwdir = \".\"\n",
         "baton.toml:9: unknown key 'wdir'"},
        {"\n[benches]\nname = \"a\"\n", "baton.toml:2: unknown section or key 'benches'; known here: 'bench', 'measure'"},
        {"[measure]\ntheta = 3\n", "baton.toml:2: unknown key 'theta'; known here: 'metric', 'theta_pct'"},
        {"measure = 3\n", "write its header as [measure]"},
        {"timeout = 3\n", "baton.toml:1: unknown key 'timeout'"},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        json_t *list = NULL;
        char *why = NULL;
        struct err err;
        const struct subject_places places = {.files = p->held.files, .project = p->member};
        write_text(p->member, "baton.toml", CASES[i][0]);
        assert_int_equal(subject_find(&places, &p->metadata, NULL, &list, &why, &err), -ERR_INVALID);
        if (!strstr(err.text, CASES[i][1]))
            fail_msg("expected '%s' in '%s'", CASES[i][1], err.text);
    }
}

static void test_benches_of_cargo(void **state)
{
    struct place *p = *state;
    AUTO_JSON json_t *list = find(p, NULL);
    assert_int_equal(json_array_size(list), 1); // libtest's own need a nightly compiler
    assert_words(list, "[\"{bench:own}\",\"--bench\"]");
    assert_string_equal(json_str(json_array_get(list, 0), "cwd", ""), "crates/tool");
    AUTO_JSON json_t *asked = find(p, "cargo bench");
    assert_true(json_equal(list, asked));
}

static void test_nothing_to_run_says_how_to_declare(void **state)
{
    struct place *p = *state;
    json_t *list = NULL;
    char *why = NULL;
    struct err err;
    const struct subject_places places = {.files = p->held.files, .project = p->member};
    write_text(p->member, "Cargo.toml", "[package]\nname = \"tool\"\nversion = \"0.1.0\"\n");
    assert_ok(subject_find(&places, &p->metadata, "", &list, &why, &err), &err);
    assert_int_equal(json_array_size(list), 0);
    assert_non_null(strstr(why, "--bench"));
    assert_non_null(strstr(why, "baton.toml"));
    json_decref(list);
    mem_free(why);
}

static void test_argv_has_the_built_programs(void **state)
{
    AUTO_JSON json_t *list = find(*state, "tool a");
    AUTO_JSON json_t *programs = json_pack("{s:s}", "bin:tool", "/t/release/tool");
    AUTO_JSON json_t *none = json_object();
    char **argv = NULL;
    struct err err;
    assert_ok(subject_argv(json_array_get(list, 0), programs, &argv, &err), &err);
    assert_string_equal(argv[0], "/t/release/tool");
    assert_string_equal(argv[1], "a");
    assert_null(argv[2]);
    str_list_free(argv);
    assert_int_equal(subject_argv(json_array_get(list, 0), none, &argv, &err), -ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "bin:tool"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_words_of_the_caller),
        T(test_what_needs_a_shell_is_refused),
        T(test_files_of_the_caller),
        T(test_declared_in_the_project),
        T(test_wrong_declarations),
        T(test_measure_of_the_project),
        T(test_unknown_names_are_named_with_their_line),
        T(test_benches_of_cargo),
        T(test_nothing_to_run_says_how_to_declare),
        T(test_argv_has_the_built_programs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
