// proto/handoff: every published era, verdicts, broken files, the walk over ancestors, lint.
#include "support/support.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "handoff/handoff_read.h"
#include "json/json.h"

#include <stdio.h>
#include <string.h>

static json_t *fixture(const char *name)
{
    struct err err = {0};
    AUTO_FREE char *relative = str_printf("tests/fixtures/handoff/%s", name);
    AUTO_FREE char *path = test_source_path(relative);
    json_t *h = handoff_read_file_new(path, &err);
    if (!h)
        fail_msg("%s", err.text);
    return h;
}

static json_t *read_text(const char *text, const char *name)
{
    struct err err = {0};
    json_t *h = handoff_read_new(text, strlen(text), name, &err);
    if (!h)
        fail_msg("%s", err.text);
    return h;
}

static void check(const json_t *h, const char *key, const char *expected)
{
    const json_t *v = json_object_get(h, key);
    if (expected ? !json_is_string(v) || !str_eq(json_string_value(v), expected) : !json_is_null(v)) {
        AUTO_FREE char *got = v ? json_dumps(v, JSON_ENCODE_ANY) : NULL;
        fail_msg("%s: expected '%s', got %s", key, expected ? expected : "null", got ? got : "nothing");
    }
}

static void check_json(const json_t *v, const char *expected)
{
    AUTO_FREE char *got = v ? json_canonical(v) : str_dup("nothing");
    assert_string_equal(got, expected);
}

static bool has_diagnostic(const json_t *h, const char *part)
{
    const json_t *list = json_is_array(h) ? h : json_list(h, "diagnostics");
    for (size_t i = 0; i < json_array_size(list); i++)
        if (strstr(json_str(json_array_get(list, i), "text", ""), part))
            return true;
    return false;
}

static void test_read_era_a0(void **state)
{
    (void)state;
    AUTO_JSON json_t *h = fixture("performance-2026-01-10T09-15-00.yaml");
    check(h, "era", "A0");
    check(h, "id", "performance-2026-01-10T09-15-00");
    check(h, "agent", "performance");
    check(h, "status", "completed");
    check(h, "summary", "Tokenizer spends most of its time in allocation");
    check(h, "next_agent", "rust-developer");
    check(h, "next_role", "developer");
    check(h, "priority", "critical");
    check_json(json_list(h, "parent"), "[]");
    check(json_array_get(json_list(json_obj(h, "output"), "benchmarks"), 0), "before", "450 ms");
}

static void test_read_era_a(void **state)
{
    (void)state;
    AUTO_JSON json_t *h = fixture("2026-01-12T10-00-00-review.yaml");
    check(h, "era", "A");
    check(h, "agent", "review");
    check(h, "agent_name", "code-reviewer");
    check(h, "verdict", "changes_requested");
    check(h, "status", "completed");
    check(json_obj(h, "context"), "task", "Review the parser");
    assert_false(has_diagnostic(h, ""));
}

static void test_read_era_b(void **state)
{
    (void)state;
    AUTO_JSON json_t *h = fixture("2026-01-20T14-30-05-developer.yaml");
    check(h, "era", "B");
    check_json(json_list(h, "parent"), "[\"2026-01-12T10-00-00-review\",\"2026-01-20T14-00-00-performance\"]");
    check(h, "next_agent", "rust-agents:rust-code-reviewer");
    check(h, "next_role", "review");
    check_json(json_list(h, "acceptance"), "[\"No allocation in next_token\",\"Tests pass\"]");
    check_json(json_obj(h, "extra"), "{\"next\":{\"files_to_review\":[\"src/parser.rs\"]}}");
    check(h, "timestamp", "2026-01-20T14:30:05");
    AUTO_JSON json_t *p = fixture("2026-01-20T14-00-00-performance.yaml");
    check(p, "era", "B");
    const json_t *hot = json_list(json_obj(json_obj(p, "output"), "profiling"), "hot_paths");
    assert_true(json_num(json_array_get(hot, 0), "cpu_percent", 0) == 61.5);
}

static void test_read_era_c_with_nested_extras(void **state)
{
    (void)state;
    AUTO_JSON json_t *h = fixture("2026-04-10T08-00-00-testing.md");
    check(h, "era", "C");
    check(h, "priority", "medium");
    check(h, "summary", "42 tests, 0 failed: regression test for the buffer");
    check_json(json_obj(h, "extra"), "{\"redundancy\":{\"redundant\":3,\"total_tests\":42}}");
    check(h, "context", "Task: regression test. Parents: the developer reused the buffer.");
    const json_t *sections = json_list(h, "sections");
    assert_int_equal(json_array_size(sections), 3);
    check(json_array_get(sections, 0), "text", "one regression test.");
    check(json_array_get(sections, 1), "label", "Tests");
    assert_non_null(strstr(json_str(json_array_get(sections, 1), "text", ""), "## neither is this"));
    check(json_array_get(sections, 2), "label", "Prevention");
    check(h, "verdict", NULL);
}

static void test_read_era_d(void **state)
{
    (void)state;
    AUTO_JSON json_t *h = fixture("2026-09-01T12-00-00-review.md");
    check(h, "era", "D");
    check_json(json_list(h, "parent"), "[\"2026-01-20T14-30-05-developer\",\"2026-04-10T08-00-00-testing\"]");
    check(h, "status", "completed");
    check(h, "status_raw", "changes_requested");
    check(h, "verdict", "changes_requested");
    check(h, "next_task", "Handle the empty \"input\"");
    check_json(json_list(h, "acceptance"), "[\"Empty input gives an empty list\",\"No new clone\"]");
    AUTO_JSON json_t *d = fixture("2026-09-03T12-00-00-debug.md");
    check(d, "status", "blocked");
    check(d, "blockers", "The log is missing:\n\n- partial log: `/tmp/x.log`");
    check_json(json_obj(d, "extra"), "{\"extra_note\":\"kept\"}");
}

static void test_read_broken_yaml_line_by_line(void **state)
{
    (void)state;
    AUTO_JSON json_t *h = fixture("2026-09-02T12-00-00-critic.md");
    assert_true(has_diagnostic(h, "not valid YAML"));
    check(h, "summary", "Significant: the design has no: bound");
    check(h, "verdict", "significant");
    check(h, "next_agent", NULL);
    check(h, "next_task", "");
    check_json(json_list(h, "parent"), "[\"2026-09-01T12-00-00-review\"]");

    AUTO_JSON json_t *y =
        read_text("id: 2026-01-01T00-00-00-developer\nparent:\n- 2025-12-31T00-00-00-review # r\nagent: developer\n"
                  "status: completed\ncontext:\n  task: a: b: c\noutput:\n  summary: it's: broken\n  files_changed:\n"
                  "    - path: src/a.rs\n      action: \"mod\\\"ified\"\n    - path: b\nnext:\n  agent: null\n"
                  "  task: go on\n\t and on\n",
                  "2026-01-01T00-00-00-developer.yaml");
    assert_true(has_diagnostic(y, "not valid YAML"));
    check(y, "summary", "it's: broken");
    check(y, "next_task", "go on and on");
    check_json(json_list(y, "parent"), "[\"2025-12-31T00-00-00-review\"]");
    check_json(json_list(json_obj(y, "output"), "files_changed"),
               "[{\"action\":\"mod\\\"ified\",\"path\":\"src/a.rs\"},{\"path\":\"b\"}]");
}

static json_t *review(const char *front, const char *body)
{
    AUTO_FREE char *text = str_printf(
        "---\r\nid: 2026-01-01T00-00-00-review\r\nparent: \"null\"\r\nagent: review\r\n%s---\r\n%s", front, body);
    return read_text(text, "2026-01-01T00-00-00-review.md");
}

static void check_verdict(const char *front, const char *body, const char *expected)
{
    AUTO_JSON json_t *h = review(front, body);
    check(h, "verdict", expected);
    check_json(json_list(h, "parent"), "[]");
}

static void test_verdict_resolution_order(void **state)
{
    (void)state;
    const char *approved = "## Output\n**Review Status**: approved\n";
    check_verdict("status: completed\nverdict: changes_requested\n", approved, "changes_requested");
    check_verdict("status: completed\nreview_status: Changes Requested\n", approved, "changes_requested");
    check_verdict("status: completed\noutput:\n  review_status: changes-requested\n", approved, "changes_requested");
    check_verdict("status: changes_requested\n", approved, "changes_requested");
    check_verdict("status: completed\nsummary: \"Changes requested: 2\"\n", approved, "approved");
    check_verdict("status: completed\nsummary: \"Changes requested: 2\"\n", "", "changes_requested");
    check_verdict("status: completed\nsummary: \"**Approved** - no findings\"\n", "", "approved");
    check_verdict("status: completed\nsummary: \"Not approved\"\n", "", NULL);
    check_verdict("status: completed\nsummary: \"Approved with one open question\"\n", "", NULL);
    check_verdict("status: completed\n", "## Output\n**Review Status:** `changes_requested`\n", "changes_requested");
    check_verdict("status: completed\n", "## Output\n### Review Status\n\n✅ Approved\n", "approved");
    check_verdict("status: completed\n", "## Verdict: approved\n", "approved");
    check_verdict("status: completed\n", "- **Verdict** — `approved`\n", "approved");
    check_verdict("status: completed\n", "**Review Status**: approved | changes_requested\n", NULL);
    check_verdict("status: completed\n", "```\n**Review Status**: approved\n```\n", NULL);
    check_verdict("status: completed\n", "The verdict: approved by everyone\n", NULL);
    check_verdict("status: completed\nverdict: rejected\n", approved, NULL);
    check_verdict("status: completed\nverdict: needs_changes\n", approved, "changes_requested");
    AUTO_JSON json_t *none = review("status: completed\n", "");
    assert_true(has_diagnostic(none, "a gate is not passed"));
    AUTO_JSON json_t *developer =
        read_text("---\nid: 2026-01-01T00-00-00-developer\nagent: developer\nstatus: completed\n"
                  "summary: \"Approved design implemented\"\n---\n",
                  NULL);
    check(developer, "verdict", NULL);
}

static void test_read_tolerates_odd_files(void **state)
{
    (void)state;
    struct err err = {0};
    AUTO_JSON json_t *h = read_text("\xEF\xBB\xBF\n---\nid: 2026-01-01T00-00-00-review\nagent: "
                                    "dev-agents:developer\nstatus: partial\n## Context\nx\n",
                                    "other.md");
    assert_true(has_diagnostic(h, "byte order mark"));
    assert_true(has_diagnostic(h, "not closed"));
    assert_true(has_diagnostic(h, "differs from the file's name"));
    assert_true(has_diagnostic(h, "does not fit the id's suffix"));
    check(h, "agent", "developer");
    check(h, "status", "blocked");
    check(h, "status_raw", "partial");
    check(h, "context", "x");
    AUTO_JSON json_t *y = read_text("---\nid: 2026-01-01T00-00-00-sdd\nagent: sdd\nstatus: 7\nsummary: 42\n", NULL);
    check(y, "summary", "42");
    check(y, "status", "needs_discussion");
    assert_null(handoff_read_new("\xFF", 1, "x.md", &err));
    assert_int_equal(err.code, ERR_PARSE);
    assert_null(handoff_read_new("hello", 5, "x.md", &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_null(handoff_read_new("", 0, "x.yaml", &err));
    assert_int_equal(err.code, ERR_PARSE);
    assert_null(handoff_read_new("", HANDOFF_FILE_MAX + 1, "x.yaml", &err));
    assert_int_equal(err.code, ERR_LIMIT);
}

static void test_read_reply_blocks(void **state)
{
    (void)state;
    struct err err = {0};
    AUTO_FREE char *path = test_source_path("tests/fixtures/handoff/reply.txt");
    AUTO_FREE char *text = test_read(path);
    AUTO_JSON json_t *h = handoff_read_reply_new(text, strlen(text), &err);
    check(h, "era", "reply");
    check(h, "file", ".local/handoff/2026-09-01T12-00-00-review.md");
    check(h, "verdict", "approved");
    const char *table =
        "Done.\n\n## Handoff Complete\n\n| Field | Value |\n|---|---|\n| Status | blocked |\n"
        "| Handoff file | `.local/handoff/2026-01-01T00-00-00-debug.yaml` |\n| Recommended next | none |\n"
        "| Task for next agent | look: again |\n";
    AUTO_JSON json_t *t = handoff_read_reply_new(table, strlen(table), &err);
    check(t, "status", "blocked");
    check(t, "id", "2026-01-01T00-00-00-debug");
    check(t, "next_agent", NULL);
    check(t, "next_task", "look: again");
    const char *incoming =
        "Incoming handoff:\n---\nid: 2026-01-01T00-00-00-debug\nparent: null\nagent: debug\nstatus: completed\n---\n"
        "File: .local/handoff/2026-01-01T00-00-00-debug.md\n\nDo it.";
    AUTO_JSON json_t *i = handoff_read_reply_new(incoming, strlen(incoming), &err);
    check(i, "id", "2026-01-01T00-00-00-debug");
    check(i, "file", ".local/handoff/2026-01-01T00-00-00-debug.md");
    assert_null(handoff_read_reply_new("nothing", 7, &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
}

static json_t *walk(const char *dir, const char *id)
{
    struct err err = {0};
    AUTO_JSON json_t *parents = json_array();
    json_add_str(parents, id);
    json_t *w = handoff_walk_new(dir, parents, &err);
    if (!w)
        fail_msg("%s", err.text);
    return w;
}

static void test_walk_loads_parents_and_ancestors(void **state)
{
    (void)state;
    AUTO_FREE char *dir = test_source_path("tests/fixtures/handoff");
    AUTO_JSON json_t *w = walk(dir, "2026-09-01T12-00-00-review");
    assert_int_equal(json_array_size(json_list(w, "parents")), 1);
    assert_non_null(json_list(json_array_get(json_list(w, "parents"), 0), "sections"));
    const json_t *old = json_list(w, "ancestors");
    assert_int_equal(json_array_size(old), 4); // the review of January is reached twice and listed once
    check(json_array_get(old, 0), "id", "2026-01-20T14-30-05-developer");
    check(json_array_get(old, 1), "id", "2026-04-10T08-00-00-testing");
    check(json_array_get(old, 2), "id", "2026-01-12T10-00-00-review");
    assert_null(json_object_get(json_array_get(old, 0), "sections"));
    assert_int_equal(json_array_size(json_list(w, "diagnostics")), 0);

    AUTO_JSON json_t *cycle = walk(dir, "2026-09-03T12-00-00-debug");
    assert_true(has_diagnostic(cycle, "cycle"));
    AUTO_JSON json_t *dangling = walk(dir, "2026-09-09T12-00-00-debug");
    assert_true(has_diagnostic(dangling, "not in the folder"));
    AUTO_JSON json_t *evil = walk(dir, "../../etc/passwd");
    assert_true(has_diagnostic(evil, "is not an id"));
    AUTO_JSON json_t *reversed = walk(dir, "2026-01-10T09-15-00-performance");
    assert_int_equal(json_array_size(json_list(reversed, "parents")), 1);
    struct err err = {0};
    AUTO_FREE char *none = path_join(dir, "no-such-folder");
    assert_null(handoff_walk_new(none, NULL, &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
}

static void test_walk_survives_cycles_and_renamed_files(void **state)
{
    (void)state;
    struct err err = {0};
    char *dir = test_temp_dir();
    const char *const ids[] = {"2026-01-01T00-00-00-review", "2026-01-01T00-00-01-developer",
                               "2026-01-01T00-00-02-review"};
    for (size_t i = 0; i < 3; i++) {
        AUTO_FREE char *text = str_printf("---\nid: %s\nparent: %s\nagent: %s\nstatus: completed\n---\n", ids[i],
                                          ids[(i + 1) % 3], ids[i] + 20);
        AUTO_FREE char *name = str_printf("%s.md", i == 1 ? "renamed" : ids[i]);
        AUTO_FREE char *path = path_join(dir, name);
        assert_ok(file_write(path, text, strlen(text), false, &err), &err);
    }
    AUTO_JSON json_t *w = walk(dir, ids[0]);
    assert_int_equal(json_array_size(json_list(w, "ancestors")), 2);
    assert_true(has_diagnostic(w, "cycle: '2026-01-01T00-00-02-review' has '2026-01-01T00-00-00-review'"));
    test_remove(dir);
}

static void test_lint_names_what_strict_readers_mind(void **state)
{
    (void)state;
    AUTO_FREE char *path = test_source_path("tests/fixtures/handoff/2026-04-10T08-00-00-testing.md");
    AUTO_FREE char *text = test_read(path);
    AUTO_JSON json_t *d = handoff_lint_new(text, strlen(text), path);
    assert_true(has_diagnostic(d, "'redundancy' is not a flat value"));
    const char *t = "---\nid: 2026-01-01T00-00-00-debug\nparent:\n  - 2025-01-01T00-00-00-debug\nagent: debug\nstatus: "
                    "completed\n---\n"
                    "## Blockers\nx\n";
    AUTO_JSON json_t *e = handoff_lint_new(t, strlen(t), "2026-01-01T00-00-00-debug.md");
    assert_true(has_diagnostic(e, "lacks 'summary'"));
    assert_true(has_diagnostic(e, "lines of their own"));
    assert_true(has_diagnostic(e, "lacks '## Context'"));
    assert_true(has_diagnostic(e, "not blocked"));
    AUTO_JSON json_t *bad = handoff_lint_new("\xFF", 1, "x.md");
    assert_true(has_diagnostic(bad, "UTF-8"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_era_a0),
        cmocka_unit_test(test_read_era_a),
        cmocka_unit_test(test_read_era_b),
        cmocka_unit_test(test_read_era_c_with_nested_extras),
        cmocka_unit_test(test_read_era_d),
        cmocka_unit_test(test_read_broken_yaml_line_by_line),
        cmocka_unit_test(test_verdict_resolution_order),
        cmocka_unit_test(test_read_tolerates_odd_files),
        cmocka_unit_test(test_read_reply_blocks),
        cmocka_unit_test(test_walk_loads_parents_and_ancestors),
        cmocka_unit_test(test_walk_survives_cycles_and_renamed_files),
        cmocka_unit_test(test_lint_names_what_strict_readers_mind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
