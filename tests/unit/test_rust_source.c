// agents/rust: lexer and items, on the corners of Rust's syntax that a naive reader gets wrong.
#include "support/support.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "rust/items.h"

#include <string.h>

struct read {
    struct rust_tokens t;
    struct rust_items items;
};

static struct read read_source(const char *text)
{
    struct read r;
    struct err err;
    assert_ok(rust_lex(text, strlen(text), &r.t, &err), &err);
    rust_items_find(&r.t, &r.items);
    return r;
}

static void done(struct read *r)
{
    rust_items_free(&r->items);
    rust_tokens_free(&r->t);
}

// The tokens as "text|text|…".
static void assert_tokens(const char *text, const char *expected)
{
    struct rust_tokens t;
    struct err err;
    struct buf b = BUF_INIT;
    assert_ok(rust_lex(text, strlen(text), &t, &err), &err);
    for (uint32_t i = 0; i < t.count; i++) {
        char *s = rust_token_text(&t, i);
        buf_printf(&b, "%s%s", i ? "|" : "", s);
        mem_free(s);
    }
    assert_string_equal(buf_str(&b), expected);
    buf_free(&b);
    rust_tokens_free(&t);
}

static void test_lexer_literals(void **state)
{
    (void)state;
    assert_tokens("a 'x' '\\'' 'a b \"s\\\"t\"", "a|'x'|'\\''|'a|b|\"s\\\"t\"");
    assert_tokens("r\"a\\\" r#\"a\"b\"# br##\"\"#\"## b\"x\" b'y' c\"z\"",
                  "r\"a\\\"|r#\"a\"b\"#|br##\"\"#\"##|b\"x\"|b'y'|c\"z\"");
    assert_tokens("r#fn rust b", "fn|rust|b");
    assert_tokens("0..10 1.5e-3 1.max(2) 0x1e+1 1_000u64 2.", "0|.|.|10|1.5e-3|1|.|max|(|2|)|0x1e|+|1|1_000u64|2.");
    assert_tokens("'ü' fn_ü", "'ü'|fn_ü");
    assert_tokens("'static: loop", "'static|:|loop");
}

static void test_lexer_comments(void **state)
{
    (void)state;
    assert_tokens("a /* x /* y */ ' */ b // \" z\nc", "a|b|c");
    assert_tokens("#!/usr/bin/env x'y\nfn", "fn");
    assert_tokens("#![x]", "#|!|[|x|]");
    assert_tokens("/* open", "");
}

static void test_lexer_lines_and_columns(void **state)
{
    (void)state;
    struct read r = read_source("a\n  \"x\ny\" ü b\n");
    assert_int_equal(r.t.items[1].line, 2);
    assert_int_equal(r.t.items[2].line, 3);
    assert_int_equal(rust_column(&r.t, 1), 3);
    assert_int_equal(rust_column(&r.t, 3), 6); // columns count characters, not bytes
    assert_int_equal(r.t.lines, 3);
    done(&r);
}

static void test_lexer_pairs_brackets(void **state)
{
    (void)state;
    struct read r = read_source("( [ ) ] { ( }");
    assert_int_equal(r.t.items[0].partner, 2);
    assert_int_equal(r.t.items[1].partner, RUST_NONE);
    assert_int_equal(r.t.items[3].partner, RUST_NONE);
    assert_int_equal(r.t.items[4].partner, 6);
    done(&r);
}

static void test_lexer_refuses_large_text(void **state)
{
    (void)state;
    struct rust_tokens t;
    struct err err;
    assert_int_equal(rust_lex("", RUST_SOURCE_MAX + 1, &t, &err), -ERR_LIMIT);
    rust_tokens_free(&t);
}

static void assert_functions(const struct read *r, const char *expected)
{
    struct buf b = BUF_INIT;
    for (uint32_t i = 0; i < r->items.function_count; i++) {
        const struct rust_function *f = &r->items.functions[i];
        char *label = rust_function_label(&r->items, i);
        buf_printf(&b, "%s%s:%u-%u%s%s%s", i ? " " : "", label, f->line, f->line_end, f->is_async ? "a" : "",
                   f->is_public ? "p" : "", f->is_test ? "t" : "");
        mem_free(label);
    }
    assert_string_equal(buf_str(&b), expected);
    buf_free(&b);
}

static void test_items_functions(void **state)
{
    (void)state;
    struct read r = read_source(
        "pub async fn a<T: Fn() -> u8>(x: fn(u8)) -> impl Iterator<Item = u8> where T: X {\n  fn inner() {}\n}\n"
        "impl<'a, T> fmt::Display for Wide<'a, T> {\n  pub(crate) unsafe fn show(&self) {}\n}\n"
        "trait Shape { fn area(&self) -> f64; }\nimpl dyn Shape { pub const fn zero() -> [u8; 2] { [0; 2] } }\n"
        "extern \"C\" { fn c(); }\n");
    assert_functions(&r, "a:1-3ap inner:2-2 Wide::show:5-5 Shape::area:7-7 Shape::zero:8-8p c:9-9");
    assert_int_equal(r.items.functions[1].parent, 0);
    assert_int_equal(rust_function_at_line(&r.items, 2), 1);
    assert_int_equal(rust_function_at_line(&r.items, 20), RUST_NONE);
    done(&r);
}

static void test_items_tests_and_macros_are_excluded(void **state)
{
    (void)state;
    struct read r = read_source(
        "#[cfg(test)]\n#[allow(x)]\nmod tests { fn a() {} }\n#[tokio::test]\nasync fn b() {}\n"
        "#[cfg(not(test))]\nfn c() {}\nmacro_rules! m { () => { fn d() {} } }\n#[cfg(test)] mod far;\n"
        "#[cfg(all(test, unix))] use x::{y, z};\nfn e() {}\nstruct S { #[cfg(test)] t: u8, u: u8 }\nfn f() {}");
    assert_functions(&r, "a:3-3t b:5-5at c:7-7 d:8-8t e:11-11 f:13-13");
    assert_int_equal(r.items.test_module_count, 1);
    assert_string_equal(r.items.test_modules[0], "far");
    assert_null(rust_import_path(&r.items, "y"));
    done(&r);
    r = read_source("#![cfg(test)]\nfn a() {}");
    assert_true(r.items.is_test_file);
    done(&r);
}

static void test_items_loops(void **state)
{
    (void)state;
    struct read r = read_source("fn f(v: &[u8], o: Option<u8>) {\n"
                                "  for (i, x) in v.iter().map(|y| y).enumerate() {\n"
                                "    while let Some(z) = next() { loop { fn g() { h(); } } }\n"
                                "  }\n"
                                "  o.map(|x| x);\n"
                                "  (0..9).map(|x| x);\n"
                                "  v.iter().for_each(|x| { one(); });\n"
                                "  let s: Box<dyn for<'a> Fn(&'a u8)> = b;\n"
                                "}\nimpl X for Y {}\n");
    struct buf b = BUF_INIT;
    for (size_t i = 0; i < r.items.loop_count; i++)
        buf_printf(&b, "%u:%d:%u ", r.t.items[r.items.loops[i].keyword].line, (int)r.items.loops[i].kind,
                   r.items.loops[i].depth);
    assert_string_equal(buf_str(&b), "2:3:1 2:0:1 3:1:2 3:2:3 6:3:1 7:3:1 ");
    buf_free(&b);
    for (uint32_t i = 0; i < r.t.count; i++) {
        if (rust_is_ident(&r.t, i, "h")) // runs when g is called, not in the loop
            assert_int_equal(r.items.loop_of[i], RUST_NONE);
        if (rust_is_ident(&r.t, i, "one"))
            assert_int_not_equal(r.items.loop_of[i], RUST_NONE);
        if (rust_is_ident(&r.t, i, "next"))
            assert_int_not_equal(r.items.loop_of[i], RUST_NONE);
    }
    done(&r);
}

static void test_items_imports(void **state)
{
    (void)state;
    struct read r = read_source(
        "use std::{fs, fs::File as F, io::{self, Read}};\nuse tokio::time::sleep;\nuse a::*;\nfn f() { use ::b::c; }");
    assert_string_equal(rust_import_path(&r.items, "fs"), "std::fs");
    assert_string_equal(rust_import_path(&r.items, "F"), "std::fs::File");
    assert_string_equal(rust_import_path(&r.items, "io"), "std::io");
    assert_string_equal(rust_import_path(&r.items, "Read"), "std::io::Read");
    assert_string_equal(rust_import_path(&r.items, "sleep"), "tokio::time::sleep");
    assert_string_equal(rust_import_path(&r.items, "c"), "b::c");
    assert_null(rust_import_path(&r.items, "File"));
    done(&r);
}

static void test_items_publics(void **state)
{
    (void)state;
    struct read r = read_source(
        "pub struct A { pub x: u8 }\npub(crate) enum B {}\npub fn c() {}\nimpl A { pub fn d(&self) {} fn e() {} }\n"
        "pub const fn f() {}\npub unsafe trait T {}\n#[cfg(test)] pub fn t() {}\n");
    struct buf b = BUF_INIT;
    for (size_t i = 0; i < r.items.public_count; i++)
        buf_printf(&b, "%s:%u, ", r.items.publics[i].name, r.items.publics[i].line);
    assert_string_equal(buf_str(&b), "fn c:3, fn A::d:4, fn f:5, struct A:1, trait T:6, ");
    buf_free(&b);
    done(&r);
}

// Deep nesting and half headers must stay linear: this is a second of work at most, or hours when it is quadratic.
static void test_items_hostile_nesting(void **state)
{
    (void)state;
    static const char *const PIECES[] = {"loop {",    "fn f() {", "for x in (", "impl<A<", "#[a",
                                         "x.map(|y|", "use a::{", "((((",       "'",       "r#\""};
    for (size_t p = 0; p < ARRAY_LEN(PIECES); p++) {
        struct buf b = BUF_INIT;
        while (b.len < 100000)
            buf_str_add(&b, PIECES[p]);
        struct read r = read_source(buf_str(&b));
        done(&r);
        for (size_t n = 0; n < 10000; n++)
            buf_str_add(&b, ")}]");
        r = read_source(buf_str(&b));
        done(&r);
        buf_free(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lexer_literals),
        cmocka_unit_test(test_lexer_comments),
        cmocka_unit_test(test_lexer_lines_and_columns),
        cmocka_unit_test(test_lexer_pairs_brackets),
        cmocka_unit_test(test_lexer_refuses_large_text),
        cmocka_unit_test(test_items_functions),
        cmocka_unit_test(test_items_tests_and_macros_are_excluded),
        cmocka_unit_test(test_items_loops),
        cmocka_unit_test(test_items_imports),
        cmocka_unit_test(test_items_publics),
        cmocka_unit_test(test_items_hostile_nesting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
