// proto/boxes: what a site's sandbox.profiles may say, how it is refused, and what counts of it.
#include "support/support.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "boxes/profile_table.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct profile_table *table_of(const char *text)
{
    struct profile_table *table = NULL;
    struct err err;
    assert_ok(profile_table_new(text, "site", &table, &err), &err);
    return table;
}

static void assert_word(const char *text, const char *profile, enum box_key key, const char *word)
{
    struct profile_table *table = table_of(text);
    assert_string_equal(profile_table_word(table, profile, key), word);
    profile_table_free(table);
}

static void test_box_profiles_words_of_what_is_included_count(void **state)
{
    (void)state;
    assert_word(NULL, "flamegraph", BOX_KEY_NETWORK, "lo");
    assert_word("base network = none\n", "git+sh", BOX_KEY_NETWORK, "none");
    assert_word("base network = none\ngit network = host\n", "git+sh", BOX_KEY_NETWORK, "host");
    assert_word("cargo network = host\n", "flamegraph", BOX_KEY_NETWORK, "host"); // it includes perf first, then cargo
    struct profile_table *table = table_of("mine include base\nmine match mine\n");
    assert_null(profile_table_word(table, "mine", BOX_KEY_CONFIG));
    assert_null(profile_table_word(table, "nobody", BOX_KEY_NETWORK));
    profile_table_free(table);
}

static void test_box_profiles_least_that_is_required(void **state)
{
    (void)state;
    static const struct {
        const char *text, *least;
    } CASES[] = {
        {NULL, "landlock"},
        {"base require = full\n", "full"},
        {"base require = none\n", "none"},
        {"git require = none\n", "none"},
        {"base require = full\ngit require = landlock\n", "landlock"},
        {"base require = full\nmine match mine\n", "landlock"}, // includes nothing
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct profile_table *table = table_of(CASES[i].text);
        assert_int_equal(profile_table_least_require(table), box_word_index(BOX_KEY_REQUIRE, CASES[i].least));
        profile_table_free(table);
    }
}

// What a run keeps of the files: comments and blanks do not count, everything else does, and it reads back as it was.
static void test_box_profiles_site_text_says_the_same(void **state)
{
    (void)state;
    struct profile_table *one = table_of(
                             "# a\n  cargo   program  gfortran\tld  # b\n\nx program a\ny include x\ny match z\nx "
                             "program = b\ngit network = host\n"),
                         *none = table_of("# nothing\n");
    AUTO_FREE char *text = profile_table_site_text(one);
    assert_string_equal(
        text, "cargo program gfortran ld\nx program a\ny include x\ny match z\nx program = b\ngit network = host\n");
    struct profile_table *again = table_of(text);
    AUTO_FREE char *twice = profile_table_site_text(again);
    assert_string_equal(twice, text);
    assert_int_equal(again->list.len, one->list.len);
    for (size_t i = 0; i < one->list.len; i++)
        assert_int_equal(again->list.items[i].replaced, one->list.items[i].replaced);
    AUTO_FREE char *empty = profile_table_site_text(none);
    assert_string_equal(empty, "");
    profile_table_free(one);
    profile_table_free(again);
    profile_table_free(none);
}

static void test_box_profiles_refuse_with_the_line(void **state)
{
    (void)state;
    static const char *const LINES[][2] = {
        {"cargo network = all", "site:2: network is 'all', expected one of none, lo, host"},
        {"cargo porgram x",
         "site:2: expected 'PROFILE KEY WORDS' or 'PROFILE KEY = WORDS' with a key of include, read,"},
        {"cargo memory much", "site:2: memory is 'much', expected a number of MiB"},
        {"a include base\nb include a\nc include b\nd include c\ne include d\nf include e\ng include f\nh include g\n"
         "h network lo",
         "site:9: with this, profiles include each other more than 8 deep from 'h'"},
    };
    for (size_t i = 0; i < ARRAY_LEN(LINES); i++) {
        struct profile_table *table = NULL;
        struct err err;
        AUTO_FREE char *text = str_printf("# ours\n%s\n", LINES[i][0]);
        int r = profile_table_new(text, "site", &table, &err);
        assert_int_equal(r, i == 3 ? -ERR_LIMIT : -ERR_PARSE);
        assert_ptr_equal(strstr(err.text, LINES[i][1]), err.text);
    }
    struct profile_table *table = table_of("a include base\nb include a\nc include b\nbase include c\n"); // a circle
    assert_string_equal(profile_table_word(table, "c", BOX_KEY_NETWORK), "lo");
    profile_table_free(table);
}

static int load_from(const char *dir, struct err *err)
{
    struct profile_table *table = NULL;
    assert_int_equal(setenv("XDG_CONFIG_HOME", dir, 1), 0);
    int r = profile_table_load(&table, err);
    profile_table_free(r == 0 ? table : NULL);
    return r;
}

// A file that is there and cannot be read is none that says nothing.
static void test_box_profiles_refuse_what_cannot_be_read(void **state)
{
    (void)state;
    struct err err;
    char *dir = test_temp_dir();
    AUTO_FREE char *config = path_join(dir, "baton");
    AUTO_FREE char *file = path_join(config, "sandbox.profiles");
    assert_ok(load_from(dir, &err), &err); // no file: nothing is changed
    assert_ok(file_make_dirs(config, &err), &err);
    assert_ok(load_from(dir, &err), &err);
    assert_int_equal(symlink("nowhere", file), 0);
    assert_int_equal(load_from(dir, &err), -ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, file));
    assert_int_equal(unlink(file), 0);
    assert_int_equal(mkdir(file, 0755), 0);
    assert_int_equal(load_from(dir, &err), -ERR_INVALID);
    assert_non_null(strstr(err.text, file));
    assert_int_equal(rmdir(file), 0);
    AUTO_FREE char *large = mem_alloc(PROFILE_SITE_MAX + 2);
    memset(large, '#', PROFILE_SITE_MAX + 1);
    assert_ok(file_write(file, large, PROFILE_SITE_MAX + 1, false, &err), &err);
    assert_int_equal(load_from(dir, &err), -ERR_LIMIT);
    assert_int_equal(unlink(file), 0);
    if (geteuid() != 0) { // root reads everything
        assert_int_equal(chmod(config, 0), 0);
        assert_true(load_from(dir, &err) < 0);
        assert_non_null(strstr(err.text, file));
        assert_int_equal(chmod(config, 0755), 0);
    }
    test_remove(dir);
}

static void test_box_profiles_that_nothing_reaches_are_errors(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part; // NULL: loads
    } ROWS[] = {
        {"# x\nnope program x\n", "site:2: there is no profile 'nope'"},
        {"gti network = none\n", "site:1: there is no profile 'gti', and nothing includes it or matches a program to "
                                 "it; the nearest one is 'git'"},
        {"caro program gfortran\n", "'cargo'"},
        {"git network = none\n", NULL},
        {"mine match frob\nmine include base\n", NULL},
        {"mine read /opt\ncargo include git mine\n", NULL},
        {"mine read /opt\nmine include base\n", "site:1: there is no profile 'mine'"},
        {"mine read /opt\ncargo include mine\ncargo include = cargo-read\n", "site:1: there is no profile 'mine'"}};
    for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
        struct profile_table *table = NULL;
        struct err err = {0};
        int r = profile_table_new(ROWS[i].text, "site", &table, &err);
        if (!ROWS[i].part)
            assert_ok(r, &err);
        else if (r != -ERR_PARSE || !strstr(err.text, ROWS[i].part))
            fail_msg("%s: %d %s", ROWS[i].text, r, err.text);
        profile_table_free(table);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_box_profiles_that_nothing_reaches_are_errors),
        cmocka_unit_test(test_box_profiles_words_of_what_is_included_count),
        cmocka_unit_test(test_box_profiles_least_that_is_required),
        cmocka_unit_test(test_box_profiles_site_text_says_the_same),
        cmocka_unit_test(test_box_profiles_refuse_with_the_line),
        cmocka_unit_test(test_box_profiles_refuse_what_cannot_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
