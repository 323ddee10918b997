// The source checks: for each what it must find, and near misses that it must leave alone.
#include "support/support.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "reviewer/checks_source.h"

#include <string.h>

// The lints found in `text`, as "name:line name:line" without "baton::".
static void assert_found(const char *text, const char *expected)
{
    struct source s;
    struct findings f;
    struct err err;
    struct buf b = BUF_INIT;
    size_t i;
    json_t *v;
    findings_init(&f);
    assert_ok(source_open("src/lib.rs", text, strlen(text), &s, &err), &err);
    check_source(&s, &f);
    findings_finish(&f);
    json_array_foreach (f.list, i, v)
        buf_printf(&b, "%s%s:%lld", i ? " " : "", json_str(v, "lint", "") + strlen("baton::"),
                   (long long)json_int(v, "line", 0));
    if (strcmp(buf_str(&b), expected) != 0)
        fail_msg("found '%s', expected '%s' in:\n%s", buf_str(&b), expected, text);
    buf_free(&b);
    source_close(&s);
    findings_free(&f);
}

static void test_clone_only_borrowed(void **state)
{
    (void)state;
    assert_found("fn f(ws: &[String]) { for w in ws {\n let k = w.clone();\n look(&k); println!(\"{}\", k);\n } }",
                 "clone_in_loop:2");
    assert_found("fn f(ws: &[String]) { for w in ws {\n let k = w.clone();\n println!(\"{k}\");\n } }",
                 "clone_in_loop:2");
    assert_found("impl A { fn f(&self) { loop {\n let k = self.name.clone();\n if k.is_empty() { break; }\n } } }",
                 "clone_in_loop:2");
    // moved, changed, kept for later, taken into a thread, or needed against the borrow checker
    assert_found("fn f(ws: &[String]) { for w in ws { let k = w.clone(); out.push(k); } }", "");
    assert_found("fn f(ws: &[String]) { for w in ws { let mut k = w.clone(); k.push('a'); look(&k); } }", "");
    assert_found("fn f(mut w: String) { loop { let old = w.clone(); w.push('a'); look(&old); } }", "");
    assert_found("fn f(w: String) { loop { let k = w.clone(); thread::spawn(move || look(&k)); } }", "");
    assert_found("impl A { fn f(&mut self) { loop { let k = self.name.clone(); self.map.remove(&k); } } }", "");
    assert_found("fn f(w: &String) { let k = w.clone(); look(&k); }", ""); // not in a loop
    assert_found("fn f(w: &String) { loop { let k = w.clone(); look(&k); drop(k); } }", "");
}

static void test_clone_temporary(void **state)
{
    (void)state;
    assert_found("fn f(c: &C) { loop {\n look(&c.name.clone(), 1);\n } }", "clone_in_loop:2");
    assert_found("fn f(ws: &[String]) { ws.iter().filter(|w|\n w.clone().starts_with(\"a\")).count(); }",
                 "clone_in_loop:2");
    assert_found("fn f(it: I) { loop { it.clone().next(); } }", ""); // an iterator looks ahead
    assert_found("fn f(r: Range<usize>, s: &str) { loop { look(&s[r.clone()]); } }", "");
    assert_found("fn f(s: &mut S) { loop { s.set(&s.name.clone()); } }", ""); // s is borrowed by the call
    assert_found("impl A { fn f(&mut self) { loop { self.set(&self.name.clone()); } } }", "");
    assert_found("fn f(a: u8, c: C) { loop { look(a & c.clone()); } }", "");
    assert_found("#[test]\nfn f(c: &C) { loop { look(&c.name.clone()); } }", "");
    assert_found("macro_rules! m { ($c:expr) => { loop { look(&c.clone()); } } }", "");
}

static void test_clone_for_a_reading_function(void **state)
{
    (void)state;
    assert_found("fn len(a: u8, s: String) -> usize { s.len() }\nfn f(ws: &[String]) { for w in ws {\n n += len(1, "
                 "w.clone());\n } }",
                 "clone_in_loop:3");
    assert_found("fn keep(s: String) -> S { S { s } }\nfn f(ws: &[String]) { for w in ws { keep(w.clone()); } }", "");
    assert_found("fn len(s: Rc<str>) -> usize { s.len() }\nfn f(ws: &[Rc<str>]) { for w in ws { len(w.clone()); } }",
                 "");
    assert_found("fn f(ws: &[String]) { for w in ws { len(w.clone()); } }", ""); // nobody knows what it does
}

static void test_collect_then_iterate(void **state)
{
    (void)state;
    assert_found("fn f(v: &[u32]) { let d: Vec<u32> =\n v.iter().map(|x| x * 2).collect();\n for x in d { look(x); } }",
                 "collect_then_iterate:1");
    assert_found("fn f(v: &[u32]) { let d = v.iter().map(|x| x * 2).collect::<Vec<_>>(); for x in &d { look(x); } }",
                 "collect_then_iterate:1");
    assert_found("fn f(v: &[u32]) { for x in\n v.iter().filter(|x| **x > 1).collect::<Vec<_>>() { look(x); } }",
                 "collect_then_iterate:2");
    assert_found("fn f(v: &[u32]) -> u32 { v.iter().map(|x| x + 1).collect::<Vec<_>>().into_iter().sum() }",
                 "collect_then_iterate:1");
    assert_found("fn f(v: &[u32]) -> usize { v.iter().filter(|x| **x > 1).collect::<Vec<_>>().len() }",
                 "collect_then_iterate:1");
    // used twice, needed because the loop changes what was walked over, threads that must start before the first join,
    // sets, unknown functions, locks, sorting
    assert_found(
        "fn f(v: &[u32]) { let d: Vec<u32> = v.iter().map(|x| x * 2).collect(); for x in &d { look(x); } keep(d); }",
        "");
    assert_found("fn f(m: &mut M) { let d: Vec<K> = m.keys().cloned().collect(); for k in d { m.remove(&k); } }", "");
    assert_found(
        "impl A { fn f(&mut self) { let d: Vec<K> = self.m.keys().cloned().collect(); for k in d { self.drop(k); } } }",
        "");
    assert_found(
        "fn f() { let h: Vec<_> = (0..4).map(|i| thread::spawn(move || i)).collect(); for x in h { x.join(); } }", "");
    assert_found("fn f(v: &[u32]) -> usize { v.iter().cloned().collect::<HashSet<_>>().len() }", "");
    assert_found(
        "fn f(v: &[u32]) { let d: Vec<u32> = v.iter().map(|x| compute(x)).collect(); for x in d { look(x); } }", "");
    assert_found("fn f(v: &M) { let d: Vec<u32> = v.lock().iter().map(|x| x + 1).collect(); for x in d { look(x); } }",
                 "");
    assert_found("fn f(v: &[u32]) { let mut d: Vec<u32> = v.iter().map(|x| x + 1).collect(); d.sort(); for x in d { "
                 "look(x); } }",
                 "");
    assert_found("fn f(s: &str) -> String { s.chars().take(3).collect::<Vec<_>>().into_iter().rev().collect() }", "");
}

static void test_growth(void **state)
{
    (void)state;
    assert_found("fn f(v: &[S]) { let mut s =\n String::new(); for x in v { s.push_str(x); } }", "string_growth:1");
    assert_found("fn f(v: &[S]) { let mut s: String = String::new(); for x in v.iter().enumerate() { s += x; } }",
                 "string_growth:1");
    assert_found("fn f(t: &str) { let mut s = String::new(); for c in t.chars() { write!(s, \"{c}\").unwrap(); } }",
                 "string_growth:1");
    assert_found("fn f(n: usize) { let mut v = Vec::new(); for i in 0..n { v.push(i); } }", "vec_growth:1");
    // has a capacity, grows only sometimes, an unknown number of rounds, is emptied, or is reserved in between
    assert_found("fn f(v: &[S]) { let mut s = String::with_capacity(9); for x in v { s.push_str(x); } }", "");
    assert_found("fn f(v: &[S]) { let mut s = String::new(); for x in v { if x.ok() { s.push_str(x); } } }", "");
    assert_found("fn f(v: &[S]) { let mut s = String::new(); for x in v { if x.no() { continue; } s.push_str(x); } }",
                 "");
    assert_found("fn f(v: impl Iterator<Item = S>) { let mut s = String::new(); for x in v { s.push_str(x); } }", "");
    assert_found("fn f(v: &[S]) { let mut s = String::new(); for x in v { s.clear(); s.push_str(x); } }", "");
    assert_found("fn f(v: &[S]) { let mut s = String::new(); s.reserve(9); for x in v { s.push_str(x); } }", "");
    assert_found("fn f(v: &R) { let mut s = String::new(); for x in v.lines() { s.push_str(x); } }", "");
    assert_found("fn f(v: &[S]) { let mut s = String::new(); while go() { s.push_str(x); } }", "");
}

static void test_string_rebuild(void **state)
{
    (void)state;
    assert_found("fn f(v: &[S]) { let mut s = a();\n for x in v {\n s = format!(\"{}{}\", s, x); } }",
                 "string_rebuild:3");
    assert_found("fn f(v: &[S]) { let mut s = a();\n for x in v {\n s = format!(\"{s}, {x}\"); } }",
                 "string_rebuild:3");
    assert_found("fn f(v: &[S]) { let mut s = a(); for x in v { s = s.clone() + x; } }", "string_rebuild:1");
    assert_found("fn f(v: &[S]) { for x in v { let mut s = a(); s = format!(\"{}!\", s); keep(s); } }", "");
    assert_found("fn f(v: &[S]) { let mut s = a(); for x in v { s = format!(\"{}{}\", t, x); } }", "");
    assert_found("fn f(v: &[S]) { let mut s = a(); for x in v { s = s + x; } }", ""); // reuses the buffer
    assert_found("fn f(v: &[S]) { let mut s = a(); s = format!(\"{}{}\", s, x); }", "");
}

static void test_blocking_in_async(void **state)
{
    (void)state;
    assert_found("use std::thread;\nasync fn f() {\n thread::sleep(d); }", "blocking_in_async:3");
    assert_found("use std::fs;\nimpl A { async fn f(&self) {\n let t = fs::read_to_string(p)?; } }",
                 "blocking_in_async:3");
    assert_found("fn f() { spawn(async move {\n std::thread::sleep(d); }); }", "blocking_in_async:2");
    assert_found("use std::process::Command;\nasync fn f() { let o =\n Command::new(\"x\").arg(\"y\").output()?; }",
                 "blocking_in_async:3");
    // tokio's own, in a closure that runs elsewhere, in ordinary functions, configuration in main
    assert_found("use tokio::fs;\nasync fn f() { fs::read_to_string(p).await; }", "");
    assert_found("use tokio::process::Command;\nasync fn f() { Command::new(\"x\").output().await; }", "");
    assert_found("use std::fs;\nasync fn f() { spawn_blocking(move || fs::read_to_string(p)).await; }", "");
    assert_found("use std::fs;\nasync fn f() { spawn_blocking(|| { let x = 1; fs::read_to_string(p) }).await; }", "");
    assert_found("use std::thread;\nfn f() { thread::sleep(d); }\nasync fn g() { f(); }", "");
    assert_found("use std::fs;\nasync fn main() { fs::read_to_string(p); }", "");
    assert_found("use std::thread;\nasync fn f() { fn g() { thread::sleep(d); } }", "");
    assert_found("use std::thread;\n#[tokio::test]\nasync fn f() { thread::sleep(d); }", "");
}

static void test_boxes(void **state)
{
    (void)state;
    assert_found(
        "fn f(v: &[u32]) { for x in v {\n let g: Box<dyn Fn(u32) -> u32> = Box::new(|y| y + 1);\n n += g(*x); } }",
        "box_dyn_in_loop:2");
    assert_found("fn f(v: &[u32]) { for x in v { let g: Box<dyn Fn(u32)> = Box::new(|y| y + 1); list.push(g); } }", "");
    assert_found("fn f(v: &[u32]) { let g: Box<dyn Fn(u32)> = Box::new(|y| y + 1); for x in v { g(*x); } }", "");
    assert_found("fn f(v: &[u32]) { for x in v { let g: Box<dyn T> = match x { 1 => Box::new(A), _ => Box::new(B) }; "
                 "g.go(); } }",
                 "");
    assert_found("fn f(s: &[Box<dyn Shape>]) { for i in 0..9 { for x in s {\n n += x.area(); } } }",
                 "box_dyn_in_loop:2");
    assert_found("fn f(s: &[Box<dyn Shape>]) { for x in s { n += x.area(); } }", ""); // what such slices are for
    assert_found("fn f(s: &[Shape]) { for i in 0..9 { for x in s { n += x.area(); } } }", "");
}

static void test_lookups(void **state)
{
    (void)state;
    assert_found("fn f(v: &[S]) { for k in v {\n if m.contains_key(&k) { *m.get_mut(&k).unwrap() += 1; } } }",
                 "double_lookup:2");
    assert_found("fn f(v: &[S]) { for k in v {\n if m.contains_key(k) { use_it(m[k]); } } }", "double_lookup:2");
    assert_found("fn f(v: &[S]) { for k in v { if m.contains_key(&k) { *m.get_mut(&other).unwrap() += 1; } } }", "");
    assert_found("fn f(v: &[S]) { for k in v { if m.contains_key(&k) { n.get(&k); } } }", "");
    assert_found("fn f(k: S) { if m.contains_key(&k) { m.get(&k); } }", ""); // once
    assert_found("fn f(v: &[S]) { let mut u: Vec<S> = Vec::new(); for k in v {\n if !u.contains(k) { u.push(k); } } }",
                 "contains_then_push:2");
    assert_found("fn f(v: &[S]) { let mut u = HashSet::new(); for k in v { if !u.contains(k) { u.push(k); } } }", "");
    assert_found("fn f(v: &[S]) { let u: Vec<S> = vec![]; for k in v { if !u.contains(k) { w.push(k); } } }", "");
    assert_found("fn f(mut q: Vec<S>) { while !q.is_empty() {\n let x = q.remove(0); } }", "vec_front_in_loop:2");
    assert_found("fn f(mut q: VecDeque<S>) { while !q.is_empty() { q.remove(0); } }", "");
    assert_found("fn f(mut q: Vec<S>) { while !q.is_empty() { q.remove(i); } }", "");
    assert_found("fn f(s: &str) { for i in 0..n {\n s.chars().nth(i); } }", "chars_nth_in_loop:2");
    assert_found("fn f(s: &str) { for i in 0..n { s.chars().nth(0); } }", "");
    assert_found("fn f(v: &[S]) { for s in v { s.chars().nth(i); } }", ""); // another string each time
}

static void test_unbuffered_writes(void **state)
{
    (void)state;
    assert_found("use std::fs::File;\nfn f() { let mut o = File::create(p)?; for x in v {\n writeln!(o, \"{x}\")?; } }",
                 "unbuffered_write_in_loop:3");
    assert_found("use std::fs::File;\nfn f() { let mut o = BufWriter::new(File::create(p)?); for x in v { writeln!(o, "
                 "\"{x}\")?; } }",
                 "");
    assert_found("use std::fs::File;\nfn f() { let mut o = File::create(p)?; let mut w = BufWriter::new(o); for x in v "
                 "{ writeln!(w, \"{x}\")?; } }",
                 "");
    assert_found("use std::fs::File;\nfn f() { let mut o = File::create(p)?; for x in v { o.write_all(x)?; } }", "");
    assert_found("use std::fs::File;\nfn f() { let mut o = File::create(p)?; writeln!(o, \"x\")?; }", "");
}

static void test_finding_shape(void **state)
{
    (void)state;
    static const char TEXT[] = "impl Index { fn go(&self) {\n  loop { let k = self.ü.name.clone(); look(&k); }\n} }";
    struct source s;
    struct findings f;
    struct err err;
    findings_init(&f);
    assert_ok(source_open("src/lib.rs", TEXT, strlen(TEXT), &s, &err), &err);
    check_source(&s, &f);
    check_source(&s, &f); // doubles go
    findings_finish(&f);
    assert_int_equal(json_array_size(f.list), 1);
    const json_t *v = json_array_get(f.list, 0);
    assert_string_equal(json_str(v, "id", ""), "F1");
    assert_string_equal(json_str(v, "kind", ""), "source");
    assert_string_equal(json_str(v, "function", ""), "Index::go");
    assert_string_equal(json_str(v, "severity", ""), "important");
    assert_string_equal(json_str(v, "scope", ""), "runtime");
    assert_string_equal(json_str(json_obj(v, "fix"), "applicability", ""), "none");
    assert_int_equal(json_int(v, "column", 0), 18);
    assert_int_equal(json_int(v, "line_end", 0), 2);
    source_close(&s);
    findings_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clone_only_borrowed),
        cmocka_unit_test(test_clone_temporary),
        cmocka_unit_test(test_clone_for_a_reading_function),
        cmocka_unit_test(test_collect_then_iterate),
        cmocka_unit_test(test_growth),
        cmocka_unit_test(test_string_rebuild),
        cmocka_unit_test(test_blocking_in_async),
        cmocka_unit_test(test_boxes),
        cmocka_unit_test(test_lookups),
        cmocka_unit_test(test_unbuffered_writes),
        cmocka_unit_test(test_finding_shape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
