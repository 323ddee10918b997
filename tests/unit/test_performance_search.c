// agents/performance/search: which points of a search are worth something, and what a point means to cargo and to the
// manifest.
#include "support/support.h"

#include "base/mem.h"
#include "base/str.h"
#include "change/change.h"
#include "search/front.h"
#include "search/space.h"

#include <string.h>

static json_t *point(const char *id, double run, double build, double size)
{
    json_t *p = json_object();
    json_put_str(p, "id", id);
    json_put_num(p, "run", run);
    if (build > 0)
        json_put_num(p, "build_s", build);
    json_put_num(p, "size", size);
    return p;
}

static char *ids(const json_t *points)
{
    struct buf b = BUF_INIT;
    size_t i;
    json_t *p;
    json_array_foreach (points, i, p)
        buf_printf(&b, "%s%s", i ? " " : "", json_str(p, "id", "?"));
    return buf_steal(&b);
}

static json_t *four_points(void)
{
    json_t *list = json_array();
    json_array_append_new(list, point("P0", 1.0, 10, 1000));
    json_array_append_new(list, point("P1", 0.5, 20, 1000)); // fast, slow to build
    json_array_append_new(list, point("P2", 0.9, 10, 500));  // small
    json_array_append_new(list, point("P3", 1.0, 25, 1000)); // like the base, but slow to build
    return list;
}

static void test_front_keeps_what_nothing_dominates(void **state)
{
    (void)state;
    AUTO_JSON json_t *points = four_points(), *front = front_new(points);
    AUTO_FREE char *names = ids(front);
    assert_string_equal(names, "P1 P2"); // P2 is better than the base, and the base better than P3
    assert_true(front_dominates(json_array_get(points, 2), json_array_get(points, 0)));
    assert_false(front_dominates(json_array_get(points, 1), json_array_get(points, 2)));
}

// A build that took 10 % longer once says nothing, a program that has 1 % more bytes does.
static void test_front_knows_what_varies(void **state)
{
    (void)state;
    AUTO_JSON json_t *a = point("a", 1, 10, 1000), *b = point("b", 1, 11, 1000), *c = point("c", 1, 10, 1010),
                     *d = point("d", 1, 0, 1000);
    assert_false(front_dominates(a, b));
    assert_true(front_dominates(a, c));
    assert_false(front_dominates(c, a));
    assert_false(front_dominates(a, a));
    assert_true(front_dominates(d, c)); // what was not measured of one does not count
}

static void test_front_orders_by_the_goal(void **state)
{
    (void)state;
    AUTO_JSON json_t *points = four_points();
    const json_t *base = json_array_get(points, 0);
    static const char *const FIRST[][2] = {{"runtime", "P1 P2"}, {"size", "P2 P1"}, {"balanced", "P1 P2"}};
    for (size_t i = 0; i < ARRAY_LEN(FIRST); i++) {
        AUTO_JSON json_t *half = front_halved_new(goal_find(FIRST[i][0]), base, points, 2);
        AUTO_FREE char *names = ids(half);
        assert_string_equal(names, FIRST[i][1]);
    }
    AUTO_JSON json_t *one = front_halved_new(goal_find("size"), base, points, 1);
    assert_int_equal(json_array_size(one), 2); // half of four
    assert_float_equal((float)front_score(goal_find("runtime"), base, base), 1.0F, 0.0001F);
    assert_null(goal_find("speed"));
    assert_null(goal_find(NULL));
}

static void test_space_covers_every_value_early(void **state)
{
    (void)state;
    const struct space_facts facts = {0};
    AUTO_JSON json_t *points = space_first_new(goal_find("runtime"), &facts), *seen = json_object();
    assert_int_equal(json_array_size(points), 19);
    assert_int_equal(json_object_size(json_obj(json_array_get(points, 0), "set")), 0);
    for (size_t i = 1; i < json_array_size(points); i++) {
        const json_t *p = json_array_get(points, i);
        AUTO_FREE char *text = json_canonical(json_obj(p, "set"));
        AUTO_FREE char *id = str_printf("P%zu", i);
        assert_null(json_object_get(seen, text)); // each once
        json_put(seen, text, json_true());
        assert_string_equal(json_str(p, "id", ""), id);
    }
    for (size_t i = 1; i <= 9; i++) // half of the grid
        for (size_t k = 0; k < 3; k++) {
            static const char *const KEYS[] = {"opt-level", "lto", "codegen-units"};
            AUTO_FREE char *value =
                str_printf("%s %s", KEYS[k], json_str(json_obj(json_array_get(points, i), "set"), KEYS[k], "?"));
            json_put(seen, value, json_true());
        }
    assert_int_equal(json_object_size(seen), 18 + 3 + 3 + 2);
}

static void test_space_crosses_the_best(void **state)
{
    (void)state;
    const struct space_facts facts = {.nightly = true, .mold = true, .target = "t"};
    AUTO_JSON json_t *first = space_first_new(goal_find("balanced"), &facts), *best = json_array();
    json_array_append(best, json_array_get(first, 3));
    AUTO_JSON json_t *more = space_crossed_new(goal_find("balanced"), &facts, best, 19);
    assert_int_equal(json_array_size(more), 3); // strip, abort, native
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(json_str(json_obj(json_array_get(more, i), "set"), "lto", "?"),
                            json_str(json_obj(json_array_get(first, 3), "set"), "lto", "!"));
    assert_string_equal(json_str(json_array_get(more, 0), "id", ""), "P19");
    assert_null(space_consent(json_array_get(more, 0)));
    assert_string_equal(space_consent(json_array_get(more, 1)), "abort");
    assert_string_equal(space_consent(json_array_get(more, 2)), "native");
    AUTO_JSON json_t *dev = space_first_new(goal_find("build"), &facts);
    assert_int_equal(json_array_size(dev), 6); // as it is, two kinds of debug information, and all three with mold
    AUTO_JSON json_t *dev_more = space_crossed_new(goal_find("build"), &facts, dev, 6);
    bool nightly = false;
    for (size_t i = 0; i < json_array_size(dev_more); i++) {
        const json_t *p = json_array_get(dev_more, i);
        nightly = nightly || (str_eq(json_str(p, "toolchain", ""), "nightly") && str_eq(space_consent(p), "toolchain"));
    }
    assert_true(nightly);
}

static bool has(char *const *env, const char *entry)
{
    for (; *env; env++)
        if (str_eq(*env, entry))
            return true;
    return false;
}

static void test_space_speaks_to_cargo_and_to_the_manifest(void **state)
{
    (void)state;
    const struct space_facts facts = {.target = "x86_64-unknown-linux-gnu"};
    AUTO_JSON json_t *p = json_object(), *set = json_object();
    json_put_str(p, "id", "P9");
    json_put_str(p, "profile", "release");
    json_put_str(set, "opt-level", "3");
    json_put_str(set, "lto", "\"fat\"");
    json_put_str(set, "codegen-units", "1");
    json_put(p, "set", json_incref(set));
    json_put_str(p, "cpu", "native");
    char **env = space_env_new(p);
    assert_true(has(env, "CARGO_PROFILE_RELEASE_OPT_LEVEL=3"));
    assert_true(has(env, "CARGO_PROFILE_RELEASE_LTO=fat"));
    assert_true(has(env, "CARGO_PROFILE_RELEASE_CODEGEN_UNITS=1"));
    assert_true(has(env, "CARGO_BUILD_RUSTFLAGS=-Ctarget-cpu=native"));
    str_list_free(env);
    AUTO_JSON json_t *c = space_candidate_new(goal_find("runtime"), p, &facts, "Cargo.toml", ".cargo/config.toml");
    struct err err;
    assert_ok(change_check(c, &err), &err);
    AUTO_FREE char *text = json_compact(json_list(c, "set"));
    assert_non_null(
        strstr(text, "{\"file\":\"Cargo.toml\",\"path\":[\"profile\",\"release\",\"lto\"],\"value\":\"\\\"fat\\\"\"}"));
    assert_non_null(strstr(text, "target-cpu=native"));
    AUTO_FREE char *title = space_title_new(p);
    assert_string_equal(title, "opt-level = 3, lto = \"fat\", codegen-units = 1, target-cpu = native");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_front_keeps_what_nothing_dominates),
        cmocka_unit_test(test_front_knows_what_varies),
        cmocka_unit_test(test_front_orders_by_the_goal),
        cmocka_unit_test(test_space_covers_every_value_early),
        cmocka_unit_test(test_space_crosses_the_best),
        cmocka_unit_test(test_space_speaks_to_cargo_and_to_the_manifest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
