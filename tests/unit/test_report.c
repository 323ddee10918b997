// orchestrator/report: what a run leaves for people, from its journal.
#include "support/support.h"

#include "report_store.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "report/report.h"

#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

// Everything that means something to a page, a table, a shell or a terminal.
static const char HOSTILE[] = "x<script>alert(1)</script>\"'`|``|\\|*_[a](javascript:b)&amp;\x1b[31m\r\n# <img src=x "
                              "onerror=y> \xe2\x80\xae ]]>--></style></pre>$(id)\\";

static void must_have(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("missing: %s", part);
}

static void must_lack(const char *text, const char *part)
{
    const char *at = strstr(text, part);
    if (at)
        fail_msg("unwanted: %.120s", at);
}

static void must_follow(const char *text, const char *first, const char *second)
{
    const char *a = strstr(text, first), *b = strstr(text, second);
    assert_non_null(a);
    assert_non_null(b);
    assert_true(a < b);
}

// The rules in report_check.py; left out where there is no python3.
static void check_form(const struct written *w)
{
    AUTO_FREE char *python = path_find_program("python3");
    AUTO_FREE char *script = test_source_path("tests/unit/report_check.py");
    AUTO_FREE char *folder = path_join(w->dir, "report");
    if (!python)
        return;
    char *argv[] = {python, script, folder, NULL};
    pid_t pid;
    int status = -1;
    assert_int_equal(posix_spawn(&pid, python, NULL, NULL, argv, environ), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static const char *first_line_behind_title(const char *md)
{
    const char *line = strchr(md, '\n');
    while (line && *line == '\n')
        line++;
    return line;
}

static void test_report_says_the_verdict_first(void **state)
{
    (void)state;
    AUTO_JSON json_t *run = report_fixture();
    struct written w;
    report_written(run, &w);
    assert_true(str_starts(w.md, "# Baton report: relay-7f3k2q\n"));
    assert_true(str_starts(first_line_behind_title(w.md), "**Improved: count takes 61.7 % less time"));
    assert_string_equal(json_str(w.model, "verdict", ""), "improved");
    assert_string_equal(json_str(json_obj(w.model, "best"), "subject", ""), "count");
    must_follow(w.html, "<h1>count takes", "Before and after");
    must_have(w.html, "−61.7");
    must_have(w.html, "−62.2 to −60.9 % with 99 % confidence");
    check_form(&w);
    written_free(&w);
}

static void test_report_shows_all_parts(void **state)
{
    (void)state;
    AUTO_JSON json_t *run = report_fixture();
    struct written w;
    report_written(run, &w);
    static const char *const BOTH[] = {"wordmill::count_words",
                                       "src/lib.rs:34",
                                       "clippy::needless_collect",
                                       "codegen-units = 1 in the release profile",
                                       "the program is the same, byte for byte",
                                       "the profile saw no time there: left alone",
                                       "regex-automata v0.4.9",
                                       "bitflags",
                                       "rustc 1.83.0",
                                       "AMD EPYC 7B13",
                                       "a virtual machine: neighbours",
                                       "it ended with status 101",
                                       "exit 1, 3 ms",
                                       "rust-performance-engineer",
                                       "8f0b1c77aa2e",
                                       "clean build",
                                       "mold as linker",
                                       "deeper in the tree",
                                       "24"};
    for (size_t i = 0; i < ARRAY_LEN(BOTH); i++) {
        must_have(w.html, BOTH[i]);
        must_have(w.md, BOTH[i]);
    }
    must_follow(w.md, "What was changed", "What was tried and dropped");
    must_follow(w.md, "Where the time goes", "## Findings");
    must_follow(w.md, "**71.9 %**", "<details><summary>11 findings outside of the hot paths");
    must_have(w.md, "[flamegraph.svg](flamegraph.svg)");
    must_have(w.html, "<svg class=\"plot\"");
    must_have(w.html, "<svg xmlns=\"http://www.w3.org/2000/svg\" id=\"baton-flame\""); // inline, nothing to load
    AUTO_FREE char *flame = path_join(w.dir, "report/flamegraph.svg");
    assert_true(file_exists(flame));
    written_free(&w);
}

static void test_report_json_has_numbers_behind_the_table(void **state)
{
    (void)state;
    AUTO_JSON json_t *run = report_fixture();
    struct written w;
    report_written(run, &w);
    const json_t *metrics = json_list(w.model, "metrics"), *row = json_array_get(metrics, 0);
    assert_int_equal(json_array_size(metrics), 3); // two subjects, and the build time of the kept build change
    assert_true(json_num(row, "low_pct", 0) == -62.2 && json_num(row, "high_pct", 0) == -60.9);
    assert_int_equal(json_int(row, "pairs", 0), 32);
    assert_string_equal(json_str(json_array_get(metrics, 2), "part", ""), "C5");
    const json_t *pairs = json_list(json_obj(json_obj(w.model, "measurements"), "overall"), "count");
    assert_int_equal(json_array_size(pairs), 32);
    assert_int_equal(json_array_size(json_list(w.model, "changes")), 3);
    assert_int_equal(json_array_size(json_list(w.model, "dropped")), 2);
    assert_int_equal(json_array_size(json_list(w.model, "commands")), 11);
    written_free(&w);
}

static void test_report_commands_can_be_pasted(void **state)
{
    (void)state;
    AUTO_JSON json_t *run = report_fixture();
    struct written w;
    report_written(run, &w);
    must_have(
        w.md,
        "RUSTFLAGS='-C force-frame-pointers=yes -g' cargo build --release --workspace --timings  # exit 0, 14.2 s\n");
    must_have(w.md, "CARGO_TARGET_DIR=/home/ada/.cache/baton/wordmill/target-review cargo clippy");
    must_have(w.md, "-o 'perf data/0.data' --");
    must_have(w.md, "git commit --quiet -m $'Iterate without collecting\\x0a\\x0aMeasured by baton.'");
    must_have(w.md,
              "The policy refused:\n\n- `curl 'https://example.org/x?a=1&b=2'` to rust-performance-engineer: no rule");
    must_have(w.html, "The policy refused <code>curl &#39;https://example.org/x?a=1&amp;b=2&#39;</code>");
    const char *again = json_string_value(json_array_get(json_list(w.model, "reproduce"), 2));
    assert_string_equal(
        again, "baton run relay --project /home/ada/src/wordmill --focus all --bench './target/release/wordmill count "
               "--words 10000' --budget 20 --max-rounds 2 --param 'note=it'\\''s fine'");
    must_have(w.md, again);
    written_free(&w);
}

// Replaces every text of a value by one that ends in HOSTILE. What the report reads as a word of ours stays.
static void spoil(json_t *value, bool names_too)
{
    static const char *const OURS[] = {"id",       "state",  "status",        "verdict", "scope",
                                       "decision", "metric", "applicability", "outputs", "agent",
                                       "kind",     "mode",   "subject",       "outcome"};
    const char *key;
    json_t *member;
    size_t i;
    if (json_is_array(value)) {
        json_array_foreach (value, i, member) {
            if (json_is_string(member)) {
                AUTO_FREE char *text = str_printf("%s %s", json_string_value(member), HOSTILE);
                json_array_set_new(value, i, json_string(text));
            } else {
                spoil(member, names_too);
            }
        }
        return;
    }
    json_object_foreach (value, key, member) {
        bool ours = false;
        for (i = 0; i < ARRAY_LEN(OURS); i++)
            ours = ours || (str_eq(key, OURS[i]) && !(names_too && (str_eq(key, "subject") || str_eq(key, "outputs"))));
        if (json_is_string(member) && !ours) {
            AUTO_FREE char *text = str_printf("%s %s", json_string_value(member), HOSTILE);
            json_object_set_new(value, key, json_string(text));
        } else if (!json_is_string(member)) {
            spoil(member, names_too);
        }
    }
}

static void test_report_escapes_every_text(void **state)
{
    (void)state;
    AUTO_JSON json_t *run = report_fixture();
    spoil(json_list(run, "stages"), true);
    json_object_del(run, "flamegraph"); // its own script is wanted; here none is
    json_t *record = json_obj(run, "run");
    spoil(json_obj(record, "params"), true);
    spoil(json_obj(record, "result"), true);
    AUTO_FREE char *project = str_printf("/home/%s", HOSTILE);
    AUTO_FREE char *workflow = str_printf("relay %s", HOSTILE);
    json_put_str(record, "project", project);
    json_put_str(record, "workflow", workflow);
    struct written w;
    report_written(run, &w);
    must_lack(w.html, "<script");
    must_lack(w.html, "<img");
    must_lack(w.html, "\x1b");
    must_lack(w.md, "\x1b");
    must_lack(w.html, "\xe2\x80\xae");
    must_have(w.html, "&lt;script&gt;alert(1)&lt;/script&gt;");
    must_have(json_str(json_array_get(json_list(w.model, "dropped"), 0), "reason", ""),
              HOSTILE); // as data it is untouched
    check_form(&w);
    written_free(&w);
}

static void test_report_closes_a_hostile_flame_graph_off(void **state)
{
    (void)state;
    AUTO_JSON json_t *run = report_fixture();
    json_put_str(json_obj(run, "flamegraph"), "text",
                 "<svg xmlns='http://www.w3.org/2000/svg'><text>&amp;'</text></svg>'></iframe><script>parent.x = "
                 "1</script><p class='");
    struct written w;
    report_written(run, &w);
    must_have(w.html, "sandbox=\"allow-scripts\"");
    must_lack(w.html, "'></iframe><script>");
    check_form(&w); // sees no element of it
    written_free(&w);
}

static json_t *only(size_t stages, const char *state, const char *reason)
{
    json_t *run = report_fixture(), *record = json_obj(run, "run"), *result = json_obj(record, "result");
    while (json_array_size(json_list(run, "stages")) > stages)
        json_array_remove(json_list(run, "stages"), stages);
    json_put_str(record, "state", state);
    json_put_str(result, "reason", reason);
    if (stages < 4)
        json_object_del(run, "measurements");
    if (stages < 2)
        json_object_del(run, "flamegraph");
    return run;
}

static void headline_of(json_t *run_consumed, const char *verdict, const char *headline)
{
    struct written w;
    report_written(run_consumed, &w);
    assert_string_equal(json_str(w.model, "verdict", ""), verdict);
    assert_string_equal(json_str(w.model, "headline", ""), headline);
    check_form(&w);
    written_free(&w);
    json_decref(run_consumed);
}

static void test_report_of_other_ends(void **state)
{
    (void)state;
    headline_of(only(0, "accepted", NULL), "done", "Done.");
    headline_of(only(1, "accepted", "14 findings"), "done", "Reviewed: 14 findings");
    headline_of(only(2, "accepted", "5 candidates"), "done", "Profiled: 5 candidates");
    headline_of(only(3, "accepted", "no candidate"), "optimal",
                "Already optimal: nothing was found that is worth a change.");
    headline_of(only(2, "nothing_measurable", "nothing measurable: no program"), "nothing_measurable",
                "Nothing measurable: no program");
    headline_of(only(1, "failed", "the review did not end well"), "failed", "Failed: the review did not end well");
    headline_of(only(2, "cancelled", NULL), "cancelled", "Cancelled: it was cancelled.");
    headline_of(only(0, "rejected", NULL), "rejected", "Rejected: by the workflow's own decision; it gave no reason.");
    headline_of(only(1, "rejected", NULL), "rejected", "Rejected: the evidence speaks against the change.");
    headline_of(only(0, "rejected", "nobody wanted it"), "rejected", "Rejected: nobody wanted it");
    headline_of(only(0, "failed", NULL), "failed", "Failed: the script or a stage failed.");
    headline_of(only(5, "needs_discussion", "Changes requested: 1"), "needs_discussion",
                "Needs discussion: Changes requested: 1");
    headline_of(only(0, "running", NULL), "interrupted",
                "Interrupted: no process works on it. Continue with: baton resume relay-7f3k2q");
}

static void test_report_shows_no_result_when_there_is_none(void **state)
{
    (void)state;
    AUTO_JSON json_t *run = only(0, "rejected", NULL);
    json_t *result = json_obj(json_obj(run, "run"), "result");
    struct written w;
    json_put(result, "value", json_null());
    report_written(run, &w);
    assert_null(json_object_get(json_obj(w.model, "result"), "value"));
    written_free(&w);
    json_put_int(result, "value", 7);
    report_written(run, &w);
    assert_int_equal(json_int(json_obj(w.model, "result"), "value", 0), 7);
    written_free(&w);
}

static void test_report_without_a_comparison_shows_the_baseline(void **state)
{
    (void)state;
    AUTO_JSON json_t *run = only(2, "accepted", "5 candidates");
    struct written w;
    report_written(run, &w);
    must_have(w.md, "## Baseline");
    must_have(w.md, "| count, CPU time | 41.3 ms | 40.9 ms |    1 |");
    must_have(w.html, "<h2>Baseline</h2>");
    must_lack(w.html, "Before and after");
    written_free(&w);
}

static void test_report_names_blockers_and_requests(void **state)
{
    (void)state;
    json_t *run = only(5, "needs_discussion", "Changes requested: 1");
    json_t *last = json_obj(json_array_get(json_list(run, "stages"), 4), "handoff");
    json_put(json_obj(last, "output"), "requests",
             json_pack("[{s:s,s:s,s:s,s:i,s:s,s:s,s:s}]", "id", "R1", "change", "C1", "file", "src/lib.rs", "line", 31,
                       "severity", "critical", "issue", "the test it_counts passed on the base and fails now", "fix",
                       "drop the change"));
    json_put_str(last, "blockers", "a person must decide");
    struct written w;
    report_written(run, &w);
    must_have(w.md, "- Stage 5, rust-code-reviewer: a person must decide\n");
    must_have(w.md,
              "- R1 (critical) `src/lib.rs:31` the test it_counts passed on the base and fails now: drop the change\n");
    must_have(w.html, "a person must decide");
    must_have(w.html, "the test it_counts passed");
    check_form(&w);
    written_free(&w);
    json_decref(run);
}

// What the first round dropped stays in the report when the second round measured less; what it kept and the second
// round dropped is dropped.
static void test_report_of_two_rounds(void **state)
{
    (void)state;
    AUTO_JSON json_t *run = report_fixture();
    json_t *stages = json_list(run, "stages"), *again = json_deep_copy(json_array_get(stages, 3));
    json_t *results = json_list(json_obj(json_obj(again, "handoff"), "output"), "results");
    json_array_clear(results);
    json_array_append(
        results,
        json_array_get(json_list(json_obj(json_obj(json_array_get(stages, 3), "handoff"), "output"), "results"), 0));
    json_put_str(json_obj(again, "handoff"), "id", "second");
    json_array_append_new(stages, again);
    struct written w;
    report_written(run, &w);
    assert_int_equal(json_array_size(json_list(w.model, "changes")), 1);
    assert_int_equal(json_array_size(json_list(w.model, "dropped")), 2); // C3 and C4 of the first round
    must_have(w.md, "the program is the same, byte for byte");
    written_free(&w);
}

static void test_report_survives_odd_shapes(void **state)
{
    (void)state;
    AUTO_JSON json_t *run = report_fixture();
    json_t *output = json_obj(json_obj(json_array_get(json_list(run, "stages"), 1), "handoff"), "output");
    json_t *proof = json_obj(json_obj(json_array_get(json_list(run, "stages"), 3), "handoff"), "output");
    json_put(output, "hot_paths", json_pack("[n,i,{s:n,s:s}]", 5, "function", "file", "a.rs"));
    json_put(output, "findings", json_pack("[n,[],{s:s}]", "share_pct", "many"));
    json_put(output, "host", json_pack("{s:[i,n]}", "warnings", 1));
    json_put(output, "limits", json_pack("[i,n,{}]", 1));
    json_put(json_obj(output, "build"), "timings",
             json_pack("{s:[n],s:f,s:s}", "slowest", "total_s", -3.0, "work_s", "x"));
    json_put(proof, "results", json_pack("[n,{s:b,s:[n,{s:[s]}]}]", "kept", 0, "comparisons", "interval", "x"));
    json_put(proof, "overall",
             json_pack("[n,{s:s,s:f,s:[f],s:{s:f}}]", "subject", "count", "change_pct", -100.0, "interval", -1.0, "a",
                       "median_ns", 1e300));
    json_put(json_obj(run, "measurements"), "body",
             json_pack("{s:{s:[[f,f],[i],n,[f,f],[f,f]]}}", "overall", "count", 1.0, 1.0, 3, 1e17, 1e-3, -1.0, 0.0));
    struct written w;
    report_written(run, &w);
    check_form(&w);
    written_free(&w);
}

static void test_report_of_an_unknown_run_is_an_error(void **state)
{
    (void)state;
    struct store *s = NULL;
    struct err err;
    char *dir = test_temp_dir();
    AUTO_FREE char *page = path_join(dir, "report.html");
    assert_ok(store_open(dir, &s, &err), &err);
    assert_int_equal(report_write(s, "nothing", dir, &err), -ERR_NOT_FOUND);
    must_have(err.text, "nothing");
    assert_false(file_exists(page));
    store_close(s);
    test_remove(dir);
}

// For looking at it: --keep FOLDER [STAGES STATE REASON] writes the report of the fixture, or of its first stages,
// there.
static int keep(int argc, char **argv)
{
    int64_t stages = 0;
    struct store *s = NULL;
    struct err err;
    AUTO_JSON json_t *run =
        argc == 6 && str_to_i64(argv[3], &stages) ? only((size_t)stages, argv[4], argv[5]) : report_fixture();
    if (store_open(argv[2], &s, &err) < 0)
        return 1;
    report_store_fill(s, run);
    int r = report_write(s, "relay-7f3k2q", argv[2], &err);
    store_close(s);
    return r < 0;
}

int main(int argc, char **argv)
{
    if (argc >= 3 && str_eq(argv[1], "--keep"))
        return keep(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_report_says_the_verdict_first),
        cmocka_unit_test(test_report_shows_all_parts),
        cmocka_unit_test(test_report_json_has_numbers_behind_the_table),
        cmocka_unit_test(test_report_commands_can_be_pasted),
        cmocka_unit_test(test_report_escapes_every_text),
        cmocka_unit_test(test_report_closes_a_hostile_flame_graph_off),
        cmocka_unit_test(test_report_of_other_ends),
        cmocka_unit_test(test_report_shows_no_result_when_there_is_none),
        cmocka_unit_test(test_report_without_a_comparison_shows_the_baseline),
        cmocka_unit_test(test_report_names_blockers_and_requests),
        cmocka_unit_test(test_report_of_two_rounds),
        cmocka_unit_test(test_report_survives_odd_shapes),
        cmocka_unit_test(test_report_of_an_unknown_run_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
