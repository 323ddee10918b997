// folded, crate_kind and hot: merging, text form, owners, shares.
#include "support/support.h"

#include "profile/folded.h"
#include "profile/hot.h"
#include "profile/intern.h"

#include "base/buf.h"
#include "base/mem.h"

#include <string.h>

static const char *const roots_list[] = {"/home/me/app", NULL};
static const char *const crate_list[] = {"app", NULL};
static const struct crate_roots roots = {roots_list, crate_list};

static char *written(const struct folded *f)
{
    struct buf b = BUF_INIT;
    folded_write(f, &b);
    return buf_steal(&b);
}

static void assert_written(const struct folded *f, const char *text)
{
    char *got = written(f);
    assert_string_equal(got, text);
    mem_free(got);
}

static void test_folded_merges_sorts_and_round_trips(void **state)
{
    (void)state;
    static const char text[] =
        "main;b;c 2\nmain;a 1\nmain 5\nmain;b;c 3\r\n\n# note\nbad line\nmain;b 1\nmain;b::<X, Y>;d 9\n;;z 1";
    struct folded *f = folded_new(), *g = folded_new();
    struct folded_read_stats stats;
    folded_read(f, text, strlen(text), NULL, &stats);
    assert_int_equal(stats.bad_lines, 1);
    assert_int_equal(stats.first_bad_line, 7);
    assert_int_equal(folded_total(f), 22);
    assert_int_equal(folded_stack_count(f), 6);
    assert_written(f, "main 5\nmain;a 1\nmain;b 1\nmain;b;c 5\nmain;b::<X, Y>;d 9\nz 1\n");
    char *once = written(f);
    folded_read(g, once, strlen(once), NULL, NULL);
    assert_written(g, once);
    folded_merge(g, f);
    assert_int_equal(folded_total(g), 44);
    assert_written(g, "main 10\nmain;a 2\nmain;b 2\nmain;b;c 10\nmain;b::<X, Y>;d 18\nz 2\n");
    mem_free(once);
    folded_free(f);
    folded_free(g);
}

static void test_folded_kinds_and_names(void **state)
{
    (void)state;
    static const char text[] = "app::main;std::rt::x;sys_read_[k] 1\n";
    struct folded *f = folded_new();
    folded_read(f, text, strlen(text), &roots, NULL);
    size_t n;
    struct folded_stack *s = folded_sorted(f, &n);
    assert_int_equal(n, 1);
    assert_int_equal(s[0].count, 3);
    assert_int_equal(folded_frame_kind(f, s[0].frames[0]), CRATE_PROJECT);
    assert_int_equal(folded_frame_kind(f, s[0].frames[1]), CRATE_STD);
    assert_int_equal(folded_frame_kind(f, s[0].frames[2]), CRATE_KERNEL);
    assert_string_equal(folded_frame_name(f, s[0].frames[2]), "sys_read");
    mem_free(s);
    uint32_t odd = folded_frame(f, "a;b\nc", 5, CRATE_SYSTEM);
    folded_add(f, &odd, 1, 4);
    assert_written(f, "a:b c 4\napp::main;std::rt::x;sys_read 1\n");
    uint32_t none = INTERN_NONE; // a frame that found no room
    folded_add(f, &none, 1, 3);
    assert_int_equal(folded_dropped(f), 3);
    folded_free(f);
}

static void test_folded_cuts_deep_stacks(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    for (size_t i = 0; i < FOLDED_DEPTH_MAX + 50; i++)
        buf_str_add(&b, i ? ";f" : "f");
    buf_str_add(&b, " 3\nf;f 1\n");
    struct folded *f = folded_new();
    struct folded_read_stats stats;
    folded_read(f, b.data, b.len, NULL, &stats);
    assert_int_equal(stats.cut_stacks, 1);
    assert_int_equal(folded_total(f), 4);
    size_t n;
    struct folded_stack *s = folded_sorted(f, &n);
    assert_int_equal(n, 2);
    assert_int_equal(s[1].count, FOLDED_DEPTH_MAX);
    mem_free(s);
    folded_free(f);
    buf_free(&b);
}

static void test_crate_kinds(void **state)
{
    (void)state;
    static const struct {
        const char *file, *function;
        enum crate_kind kind;
        const char *brief;
    } table[] = {
        {"/home/me/app/src/main.rs", "app::main", CRATE_PROJECT, "src/main.rs"},
        {"/home/me/app/vendor/serde/src/lib.rs", "serde::x", CRATE_DEPENDENCY, "vendor/serde/src/lib.rs"},
        {"/home/me/apple/src/main.rs", "apple::main", CRATE_DEPENDENCY, "/home/me/apple/src/main.rs"},
        {"/home/me/app/target/release/build/serde-1f/out/gen.rs", "serde::x", CRATE_DEPENDENCY,
         "target/release/build/serde-1f/out/gen.rs"},
        {"/home/me/app/target/release/build/app-1f/out/gen.rs", "app::x", CRATE_PROJECT,
         "target/release/build/app-1f/out/gen.rs"},
        {"/home/me/.cargo/registry/src/index-1/serde-1.0.2/src/lib.rs", "serde::x", CRATE_DEPENDENCY,
         "serde-1.0.2/src/lib.rs"},
        {"/home/me/.cargo/git/checkouts/x-12/34/src/lib.rs", "x::y", CRATE_DEPENDENCY, "x-12/34/src/lib.rs"},
        {"/rustc/0123abcd/library/core/src/ptr/mod.rs", "core::ptr::read", CRATE_STD, "library/core/src/ptr/mod.rs"},
        {"/rust/deps/hashbrown-0.15.2/src/map.rs", "hashbrown::x", CRATE_STD, "hashbrown-0.15.2/src/map.rs"},
        {"/r/lib/rustlib/src/rust/library/std/src/io.rs", "std::io", CRATE_STD, "library/std/src/io.rs"},
        {"/build/glibc/malloc.c", "malloc", CRATE_SYSTEM, "/build/glibc/malloc.c"},
        {NULL, "app::main", CRATE_PROJECT, NULL},
        {NULL, "<core::option::Option<T>>::map", CRATE_STD, NULL},
        {NULL, "rayon::join", CRATE_DEPENDENCY, NULL},
        {NULL, "malloc", CRATE_SYSTEM, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if (crate_kind_of(&roots, table[i].file, table[i].function) != table[i].kind)
            fail_msg("%s %s is not %s", table[i].file ? table[i].file : "(no file)", table[i].function,
                     crate_kind_name(table[i].kind));
        if (table[i].file)
            assert_string_equal(crate_path_short(&roots, table[i].file), table[i].brief);
    }
    assert_int_equal(crate_kind_of(NULL, "/home/me/app/src/main.rs", "app::main"), CRATE_DEPENDENCY);
}

static uint32_t add(struct hot_table *t, const char *function, const char *file, int line, int first, int last,
                    enum crate_kind kind)
{
    return hot_frame_add(t, &(struct hot_frame){function, file, line, first, last, kind});
}

// Two stacks of weight 60 and 40: parse -> map (std) -> hash (dependency); main -> walk -> walk -> walk (recursion).
static struct hot_table *table_new(void)
{
    struct hot_table *t = hot_table_new(&roots);
    uint32_t main_ = add(t, "app::main", "/home/me/app/src/main.rs", 5, 3, 9, CRATE_PROJECT);
    uint32_t parse = add(t, "app::parse", "/home/me/app/src/lib.rs", 12, 10, 20, CRATE_PROJECT);
    uint32_t map = add(t, "std::map", "/rustc/1a/library/std/src/map.rs", 100, 90, 120, CRATE_STD);
    uint32_t hash = add(t, "ahash::hash", NULL, 0, 0, 0, CRATE_DEPENDENCY);
    uint32_t walk = add(t, "app::walk", "/home/me/app/src/lib.rs", 31, 30, 40, CRATE_PROJECT);
    uint32_t walk_deep = add(t, "app::walk", "/home/me/app/src/lib.rs", 33, 30, 40, CRATE_PROJECT);
    uint32_t lost = add(t, "malloc", NULL, 0, 0, 0, CRATE_SYSTEM);
    hot_stack_add(t, (uint32_t[]){hash, map, parse, main_}, 4, 6, 60);
    hot_stack_add(t, (uint32_t[]){walk_deep, walk, walk, main_}, 4, 3, 30);
    hot_stack_add(t, (uint32_t[]){lost}, 1, 1, 10);
    return t;
}

static void assert_row(const struct hot_function *row, const char *function, double self, double total, double owned)
{
    assert_string_equal(row->function, function);
    assert_float_equal(row->self_pct, self, 1e-9);
    assert_float_equal(row->total_pct, total, 1e-9);
    assert_float_equal(row->owned_pct, owned, 1e-9);
}

static void test_hot_ranks_by_owner(void **state)
{
    (void)state;
    struct hot_table *t = table_new();
    size_t n;
    struct hot_function *rows = hot_rank(t, &n);
    assert_int_equal(n, 6);
    assert_row(&rows[0], "app::parse", 0, 60, 60);
    assert_row(&rows[1], "app::walk", 30, 30, 30); // recursion counts once
    assert_row(&rows[2], "ahash::hash", 60, 60, 0);
    assert_row(&rows[3], "malloc", 10, 10, 0);
    assert_row(&rows[4], "app::main", 0, 90, 0);
    assert_row(&rows[5], "std::map", 0, 60, 0);
    assert_string_equal(rows[0].file, "src/lib.rs");
    assert_int_equal(rows[0].line, 10);
    assert_int_equal(rows[0].line_end, 20);
    assert_int_equal(rows[0].hot_line, 12);
    assert_int_equal(rows[1].hot_line, 33);
    assert_int_equal(rows[1].samples, 3);
    assert_null(rows[2].file);
    assert_float_equal(hot_unowned_pct(t), 10, 1e-9);
    assert_int_equal(hot_total_weight(t), 100);
    mem_free(rows);
    hot_table_free(t);
}

static void test_hot_shares(void **state)
{
    (void)state;
    struct hot_table *t = table_new();
    assert_float_equal(hot_share_of_lines(t, "src/lib.rs", 12, 12), 60, 1e-9);
    assert_float_equal(hot_share_of_lines(t, "/home/me/app/src/lib.rs", 1, 99), 90, 1e-9);
    assert_float_equal(hot_share_of_lines(t, "lib.rs", 13, 30), 0, 1e-9);
    assert_float_equal(hot_share_of_lines(t, "ib.rs", 1, 99), 0, 1e-9);
    assert_float_equal(hot_share_of_lines(t, "src/main.rs", 5, 5), 90, 1e-9);
    // the file of the same name in a dependency is another one
    uint32_t other = add(t, "dep::f", "/x/registry/src/i/dep-1.0/src/lib.rs", 12, 1, 20, CRATE_DEPENDENCY);
    hot_stack_add(t, &other, 1, 1, 0);
    hot_stack_add(t, &other, 1, 1, 100);
    assert_float_equal(hot_share_of_lines(t, "src/lib.rs", 12, 12), 30, 1e-9);
    assert_float_equal(hot_share_of_lines(t, "dep-1.0/src/lib.rs", 12, 12), 50, 1e-9);
    hot_table_free(t);
    t = table_new();
    const char *name;
    assert_float_equal(hot_share_of_function(t, "src/lib.rs", 19, &name), 60, 1e-9);
    assert_string_equal(name, "app::parse");
    assert_float_equal(hot_share_of_function(t, "src/lib.rs", 39, &name), 30, 1e-9);
    assert_string_equal(name, "app::walk");
    assert_float_equal(hot_share_of_function(t, "src/lib.rs", 25, &name), 0, 1e-9);
    assert_null(name);
    hot_table_free(t);
}

// A line inside a closure belongs to the closure; instances of a generic count together.
static void test_hot_share_of_inner_function_and_instances(void **state)
{
    (void)state;
    struct hot_table *t = hot_table_new(&roots);
    uint32_t outer = add(t, "app::run", "/home/me/app/src/a.rs", 15, 10, 30, CRATE_PROJECT);
    uint32_t inner = add(t, "app::run::{closure#0}", "/home/me/app/src/a.rs", 16, 15, 18, CRATE_PROJECT);
    uint32_t first = add(t, "app::sum::<u8>", "/home/me/app/src/a.rs", 41, 40, 44, CRATE_PROJECT);
    uint32_t second = add(t, "app::sum::<u64>", "/home/me/app/src/a.rs", 42, 40, 44, CRATE_PROJECT);
    hot_stack_add(t, (uint32_t[]){inner, outer}, 2, 1, 20);
    hot_stack_add(t, &outer, 1, 1, 30);
    hot_stack_add(t, &first, 1, 1, 10);
    hot_stack_add(t, &second, 1, 1, 40);
    const char *name;
    assert_float_equal(hot_share_of_function(t, "src/a.rs", 16, &name), 20, 1e-9);
    assert_string_equal(name, "app::run::{closure#0}");
    assert_float_equal(hot_share_of_function(t, "src/a.rs", 25, &name), 50, 1e-9);
    assert_float_equal(hot_share_of_function(t, "src/a.rs", 43, NULL), 50, 1e-9);
    hot_table_free(t);
}

// A function that only calls the hot one has nothing of its own; its closures are part of it.
static void test_hot_owned_of_function(void **state)
{
    (void)state;
    struct hot_table *t = hot_table_new(&roots);
    uint32_t outer = add(t, "app::run", "/home/me/app/src/a.rs", 15, 10, 30, CRATE_PROJECT);
    uint32_t inner = add(t, "app::run::{closure#0}", "/home/me/app/src/a.rs", 16, 15, 18, CRATE_PROJECT);
    uint32_t work = add(t, "app::work", "/home/me/app/src/a.rs", 41, 40, 44, CRATE_PROJECT);
    uint32_t library = add(t, "alloc::grow", "/rustc/library/alloc.rs", 5, 1, 9, CRATE_STD);
    hot_stack_add(t, (uint32_t[]){work, outer}, 2, 1, 70);
    hot_stack_add(t, (uint32_t[]){library, inner, outer}, 3, 1, 20);
    hot_stack_add(t, (uint32_t[]){library, outer}, 2, 1, 10);
    const char *name;
    assert_float_equal(hot_owned_of_function(t, "src/a.rs", 12, &name), 30, 1e-9);
    assert_string_equal(name, "app::run");
    assert_float_equal(hot_owned_of_function(t, "src/a.rs", 17, NULL), 20, 1e-9);
    assert_float_equal(hot_owned_of_function(t, "src/a.rs", 44, NULL), 70, 1e-9);
    assert_float_equal(hot_owned_of_function(t, "src/a.rs", 99, &name), 0, 1e-9);
    assert_null(name);
    hot_table_free(t);
}

static void test_hot_json(void **state)
{
    (void)state;
    struct hot_table *t = table_new();
    json_t *list = hot_json_new(t, 3);
    assert_int_equal(json_array_size(list), 3);
    json_t *row = json_array_get(list, 0);
    assert_string_equal(json_str(row, "function", ""), "app::parse");
    assert_string_equal(json_str(row, "crate_kind", ""), "project");
    assert_string_equal(json_str(row, "file", ""), "src/lib.rs");
    assert_float_equal(json_num(row, "owned_pct", 0), 60, 1e-9);
    assert_true(json_is_null(json_object_get(json_array_get(list, 2), "file")));
    json_decref(list);
    hot_table_free(t);
}

static void test_hot_paths_by_tail_without_roots(void **state)
{
    (void)state;
    struct hot_table *t = hot_table_new(NULL);
    uint32_t f = add(t, "a::f", "/x/src/lib.rs", 12, 1, 20, CRATE_DEPENDENCY);
    hot_stack_add(t, &f, 1, 1, 1);
    assert_float_equal(hot_share_of_lines(t, "src/lib.rs", 12, 12), 100, 1e-9);
    assert_float_equal(hot_share_of_lines(t, "rc/lib.rs", 12, 12), 0, 1e-9);
    hot_table_free(t);
}

static void test_hot_empty_table(void **state)
{
    (void)state;
    struct hot_table *t = hot_table_new(NULL);
    size_t n;
    mem_free(hot_rank(t, &n));
    assert_int_equal(n, 0);
    assert_float_equal(hot_share_of_lines(t, "a.rs", 1, 2), 0, 1e-9);
    assert_float_equal(hot_share_of_function(t, "a.rs", 1, NULL), 0, 1e-9);
    assert_float_equal(hot_unowned_pct(t), 0, 1e-9);
    hot_table_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_folded_merges_sorts_and_round_trips),
        cmocka_unit_test(test_folded_kinds_and_names),
        cmocka_unit_test(test_folded_cuts_deep_stacks),
        cmocka_unit_test(test_crate_kinds),
        cmocka_unit_test(test_hot_ranks_by_owner),
        cmocka_unit_test(test_hot_shares),
        cmocka_unit_test(test_hot_share_of_inner_function_and_instances),
        cmocka_unit_test(test_hot_owned_of_function),
        cmocka_unit_test(test_hot_json),
        cmocka_unit_test(test_hot_paths_by_tail_without_roots),
        cmocka_unit_test(test_hot_empty_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
