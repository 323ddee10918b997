// Mode verify without tools: diffs, claims against evidence, what a branch may not lose or gain.
#include "held.h"
#include "support/support.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "reviewer/verify.h"

#include <string.h>
#include <unistd.h>

struct fixture {
    char *base, *work;
    struct held held_base, held_work;
    struct verify_request request;
    struct verification v;
    struct diff diff;
    json_t *results, *changes;
};

static void begin(struct fixture *f, const char *diff, const char *results, const char *changes)
{
    struct err err;
    *f = (struct fixture){.base = test_temp_dir(), .work = test_temp_dir()};
    assert_ok(diff_parse(diff, strlen(diff), &f->diff, &err), &err);
    f->results = results ? json_parse_new(results, strlen(results), "results", &err) : NULL;
    f->changes = changes ? json_parse_new(changes, strlen(changes), "changes", &err) : NULL;
    held_open(&f->held_base, f->base);
    held_open(&f->held_work, f->work);
    f->request = (struct verify_request){.base = f->base,
                                         .work = f->work,
                                         .base_files = f->held_base.files,
                                         .work_files = f->held_work.files,
                                         .results = f->results,
                                         .changes = f->changes};
    f->v = (struct verification){.requests = json_array(), .limits = json_array(), .files = json_array()};
}

static void finish(struct fixture *f)
{
    verification_free(&f->v);
    diff_free(&f->diff);
    json_decref(f->results);
    json_decref(f->changes);
    held_close(&f->held_base);
    held_close(&f->held_work);
    test_remove(f->base);
    test_remove(f->work);
}

static void put(const char *root, const char *file, const char *text)
{
    struct err err;
    char *path = path_join(root, file), *dir = path_dir(path);
    assert_ok(file_make_dirs(dir, &err), &err);
    assert_ok(file_write(path, text, strlen(text), false, &err), &err);
    mem_free(dir);
    mem_free(path);
}

static void assert_issues(struct fixture *f, const char *expected)
{
    struct buf b = BUF_INIT;
    size_t i;
    json_t *r;
    json_array_foreach (f->v.requests, i, r)
        buf_printf(&b, "%s%s", i ? "; " : "", json_str(r, "issue", ""));
    assert_string_equal(buf_str(&b), expected);
    buf_free(&b);
}

static const char LIB[] = "diff --git a/src/lib.rs b/src/lib.rs\nindex 1..2 100644\n--- a/src/lib.rs\n+++ "
                          "b/src/lib.rs\n@@ -1 +1 @@\n-a\n+b\n";

static void test_diff_shapes(void **state)
{
    (void)state;
    static const char TEXT[] = "diff --git a/a b.rs b/a b.rs\nnew file mode 100644\n--- /dev/null\n+++ b/a b.rs\t\n@@ "
                               "-0,0 +1,2 @@\n+one\n+unsafe two\n"
                               "diff --git \"a/\\303\\274.rs\" \"b/\\303\\274.rs\"\ndeleted file mode 100644\n--- "
                               "\"a/\\303\\274.rs\"\n+++ /dev/null\n"
                               "@@ -3,2 +2,0 @@ fn x\n-gone\n--- a/fake\n"
                               "diff --git a/x.png b/x.png\nindex 1..2\nBinary files a/x.png and b/x.png differ\n";
    struct diff d;
    struct err err;
    assert_ok(diff_parse(TEXT, strlen(TEXT), &d, &err), &err);
    assert_int_equal(d.files.len, 3);
    assert_string_equal(d.files.items[0].path, "a b.rs");
    assert_true(d.files.items[0].created);
    assert_int_equal(diff_line_with(&d.files.items[0], "unsafe"), 2);
    assert_int_equal(diff_line_with(&d.files.items[0], "safe"), 1); // whole words
    assert_string_equal(d.files.items[1].path, "ü.rs");
    assert_true(d.files.items[1].deleted);
    assert_int_equal(d.files.items[1].removed, 2);
    assert_string_equal(d.files.items[1].lines.items[1].text, "-- a/fake");
    assert_int_equal(d.files.items[1].lines.items[1].line, 4);
    assert_true(d.files.items[2].binary);
    assert_string_equal(d.files.items[2].path, "x.png");
    diff_free(&d);
    assert_int_equal(diff_parse("hello\n", 6, &d, &err), -ERR_PARSE);
    assert_ok(diff_parse("", 0, &d, &err), &err);
    assert_int_equal(d.files.len, 0);
}

static void test_claims_hold(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, LIB,
          "[{\"id\":\"C1\",\"title\":\"x\",\"kept\":true,\"comparisons\":[{\"verdict\":\"faster\"},{\"verdict\":\"no "
          "difference\"}]},"
          "{\"id\":\"C2\",\"title\":\"y\",\"kept\":false,\"comparisons\":[{\"verdict\":\"slower\"}]}]",
          "[{\"id\":\"C1\",\"files\":[\"src/lib.rs\"]},{\"id\":\"C2\",\"files\":[\"src/x.rs\"]}]");
    verify_claims(&f.request, &f.diff, &f.v);
    assert_issues(&f, "");
    finish(&f);
}

static void test_claims_without_evidence(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, LIB, "[{\"id\":\"C1\",\"title\":\"x\",\"kept\":true,\"comparison\":{\"verdict\":\"undecided\"}}]",
          "[{\"id\":\"C1\",\"files\":[\"src/lib.rs\"]}]");
    verify_claims(&f.request, &f.diff, &f.v);
    assert_issues(&f, "'x' was kept without a comparison that says faster");
    assert_string_equal(json_str(json_array_get(f.v.requests, 0), "change", ""), "C1");
    finish(&f);
    begin(&f, LIB,
          "[{\"id\":\"C1\",\"title\":\"x\",\"kept\":true,\"comparisons\":[{\"verdict\":\"faster\"},{\"verdict\":"
          "\"slower\"}]}]",
          "[{\"id\":\"C1\",\"files\":[\"src/lib.rs\"]}]");
    verify_claims(&f.request, &f.diff, &f.v);
    assert_issues(&f, "'x' was kept although a comparison says slower");
    finish(&f);
    begin(&f, LIB, NULL, "[{\"id\":\"C1\",\"title\":\"x\",\"files\":[\"src/lib.rs\"]}]");
    verify_claims(&f.request, &f.diff, &f.v);
    assert_issues(&f, "nobody measured 'x'");
    finish(&f);
}

static void test_claims_do_not_name_the_file(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, LIB,
          "[{\"id\":\"C1\",\"kept\":false},{\"id\":\"C2\",\"title\":\"y\",\"kept\":true,\"comparisons\":[{\"verdict\":"
          "\"faster\"}]}]",
          "[{\"id\":\"C1\",\"files\":[\"src/lib.rs\"]},{\"id\":\"C2\",\"files\":[\"Cargo.toml\"]}]");
    verify_claims(&f.request, &f.diff, &f.v);
    assert_issues(&f, "the branch touches 'src/lib.rs', which no kept change names");
    finish(&f);
    begin(&f, LIB, NULL, NULL);
    verify_claims(&f.request, &f.diff, &f.v);
    assert_int_equal(json_array_size(f.v.requests), 1);
    finish(&f);
}

static void assert_content(const char *before, const char *after, const char *expected)
{
    struct fixture f;
    begin(&f, LIB, NULL, NULL);
    put(f.base, "src/lib.rs", before);
    put(f.work, "src/lib.rs", after);
    verify_content(&f.request, &f.diff, NULL, &f.v);
    assert_issues(&f, expected);
    finish(&f);
}

// What leads out of the checkout is not read, and what is not read is not approved.
static void test_content_that_cannot_be_read(void **state)
{
    (void)state;
    struct fixture f;
    struct err err;
    begin(&f, LIB, NULL, NULL);
    put(f.base, "src/lib.rs", "fn f() {}\n");
    AUTO_FREE char *dir = path_join(f.work, "src"), *file = path_join(f.work, "src/lib.rs"),
                   *elsewhere = path_join(f.base, "src/lib.rs");
    assert_ok(file_make_dirs(dir, &err), &err);
    assert_int_equal(symlink(elsewhere, file), 0);
    verify_content(&f.request, &f.diff, NULL, &f.v);
    assert_int_equal(json_array_size(f.v.requests), 1);
    const char *issue = json_str(json_array_get(f.v.requests, 0), "issue", "");
    assert_non_null(strstr(issue, "leads out of its folder"));
    finish(&f);
}

static void test_content_may_not_lose(void **state)
{
    (void)state;
    assert_content("fn a() {}", "fn a() { unsafe { x() } }", "`unsafe` is added (1 more)");
    assert_content("unsafe fn a() {}", "// unsafe \"unsafe\"\nunsafe fn b() {}", "");
    assert_content("fn a() { assert!(x); }", "fn a() {}", "assertions are gone (1 fewer)");
    assert_content("fn a() { assert!(x); }", "fn b() { assert_eq!(x, y); }", "");
    assert_content("#[test] fn a() {}", "#[test]\n#[ignore]\nfn a() {}", "tests are newly ignored (1 more)");
    assert_content("#[test] fn a() {}\n#[tokio::test] async fn b() {}", "#[test] fn a() {}", "the test `b` is gone");
    assert_content("pub fn a() {} pub struct B; impl B { pub fn c() {} }",
                   "pub(crate) fn a() {} pub struct B; impl B { pub fn c() {} }", "the public item `fn a` is gone");
    assert_content("pub fn a() {} fn b() {}", "pub fn a(x: u8) {} pub fn c() {}", "");
}

static void test_content_moved_between_files(void **state)
{
    (void)state;
    struct fixture f;
    static const char TWO[] = "diff --git a/src/a.rs b/src/a.rs\n--- a/src/a.rs\n+++ b/src/a.rs\n@@ -1 +0,0 @@\n-x\n"
                              "diff --git a/src/b.rs b/src/b.rs\n--- a/src/b.rs\n+++ b/src/b.rs\n@@ -0,0 +1 @@\n+x\n";
    begin(&f, TWO, NULL, NULL);
    put(f.base, "src/a.rs", "pub fn x() { unsafe { assert!(y) } }\n#[test] fn t() {}");
    put(f.work, "src/a.rs", "");
    put(f.base, "src/b.rs", "");
    put(f.work, "src/b.rs", "pub fn x() { unsafe { assert!(y) } }\n#[test] fn t() {}");
    verify_content(&f.request, &f.diff, NULL, &f.v);
    assert_issues(&f, "");
    finish(&f);
}

static void test_content_of_manifests(void **state)
{
    (void)state;
    struct fixture f;
    static const char MANIFEST[] = "diff --git a/Cargo.toml b/Cargo.toml\n--- a/Cargo.toml\n+++ b/Cargo.toml\n@@ -1,0 "
                                   "+2,2 @@\n+[profile.test]\n+overflow-checks = false\n";
    begin(&f, MANIFEST, NULL, NULL);
    put(f.base, "Cargo.toml", "[package]\n[profile.release]\noverflow-checks = true\n");
    put(f.work, "Cargo.toml",
        "[package]\n[profile.test]\noverflow-checks = false\n[profile.release]\noverflow-checks = true\nlto = true\n");
    verify_content(&f.request, &f.diff, NULL, &f.v);
    assert_issues(&f, "overflow checks are switched off in profile test");
    assert_int_equal(json_int(json_array_get(f.v.requests, 0), "line", 0), 3);
    finish(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_content_that_cannot_be_read),
        cmocka_unit_test(test_diff_shapes),
        cmocka_unit_test(test_claims_hold),
        cmocka_unit_test(test_claims_without_evidence),
        cmocka_unit_test(test_claims_do_not_name_the_file),
        cmocka_unit_test(test_content_may_not_lose),
        cmocka_unit_test(test_content_moved_between_files),
        cmocka_unit_test(test_content_of_manifests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
