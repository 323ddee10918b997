// policy/glob: the three pattern languages, and that hostile patterns stay cheap.
#include "support/support.h"

#include "base/attr.h"
#include "policy/glob.h"

#include <string.h>

static void test_policy_glob_text(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *text;
        bool match;
    } CASES[] = {
        {"", "", true},       {"", "a", false},           {"*", "", true},
        {"a*", "a", true},    {"a*b*c", "axxbyyc", true}, {"a*b*c", "acb", false},
        {"*ab", "aab", true}, {"*a*", "bbb", false},      {"a?c", "abc", false},
        {"[a]", "a", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++)
        assert_int_equal(glob_text(CASES[i].pattern, strlen(CASES[i].pattern), CASES[i].text, strlen(CASES[i].text)),
                         CASES[i].match);
}

static void test_policy_glob_segment_classes(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *text;
        bool match;
    } CASES[] = {
        {"[a-c]x", "bx", true}, {"[!a-c]x", "bx", false}, {"[!a-c]x", "dx", true}, {"[]]", "]", true},
        {"[a", "[a", true},     {"\\*", "*", true},       {"\\*", "x", false},     {"?", "", false},
        {"*.rs", "a.rs", true}, {"*[0-9]", "a7", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++)
        assert_int_equal(glob_segment(CASES[i].pattern, strlen(CASES[i].pattern), CASES[i].text, strlen(CASES[i].text)),
                         CASES[i].match);
}

static void test_policy_glob_path(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *path;
        bool below, match;
    } CASES[] = {
        {"src/**", "src/a/b.rs", false, true},
        {"src/**", "srcx/a", false, false},
        {"src/*", "src/a/b", false, false},
        {"src/*", "src/a", false, true},
        {"**/b", "b", false, true},
        {"**/b", "a/a/b", false, true},
        {"a/**/b", "a/b", false, true},
        {"a/**/b", "a/x/y/b", false, true},
        {"a/**/b", "a/x/y/c", false, false},
        {"src", "src/a", false, false},
        {"src", "src/a", true, true},
        {"/src/", "src/a", true, true},
        {"**", "", false, true},
        {"src/**/*.rs", "src/x/y.rs", false, true},
        {"*", "a/b", false, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++)
        if (glob_path(CASES[i].pattern, CASES[i].path, CASES[i].below) != CASES[i].match)
            fail_msg("%s against %s", CASES[i].pattern, CASES[i].path);
}

static void test_policy_glob_host(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *host;
        bool match;
    } CASES[] = {
        {"docs.rs", "docs.rs", true},
        {"docs.rs", "xdocs.rs", false},
        {"*.google.com", "a.google.com", true},
        {"*.google.com", "a.b.google.com", true},
        {"*.google.com", "google.com", false},
        {"*.google.com", "evilgoogle.com", false},
        {"example.*", "example.com", true},
        {"example.*", "example.evil.com", false},
        {"a*.x.y", "abc.x.y", true},
        {"a*.x.y", "a.b.x.y", false},
        {"*", "a.b", true},
        {"*.*", "a.b", true},
        {"*.com", "com", false},
        {"*.com", ".com", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++)
        if (glob_host(CASES[i].pattern, CASES[i].host) != CASES[i].match)
            fail_msg("%s against %s", CASES[i].pattern, CASES[i].host);
}

static void test_policy_glob_hostile_patterns_end(void **state)
{
    (void)state;
    char stars[1001], text[4001], deep[601], path[601];
    for (size_t i = 0; i < 1000; i += 2)
        memcpy(stars + i, "*a", 2);
    stars[1000] = '\0';
    memset(text, 'a', 4000);
    memcpy(text + 3999, "b", 2);
    assert_false(glob_text(stars, 1000, text, 4000));
    for (size_t i = 0; i < 600; i += 6) {
        memcpy(deep + i, "**/a/x", 6);
        memcpy(path + i, "a/a/a/", 6);
    }
    deep[600] = path[600] = '\0';
    assert_false(glob_path(deep, path, true)); // more segments than the maximum: no match, no crash
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_policy_glob_text),
        cmocka_unit_test(test_policy_glob_segment_classes),
        cmocka_unit_test(test_policy_glob_path),
        cmocka_unit_test(test_policy_glob_host),
        cmocka_unit_test(test_policy_glob_hostile_patterns_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
