// proto/handoff: the files we write, read back by us and by the published shell recipes.
#include "support/support.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "handoff/handoff.h"
#include "handoff/handoff_md.h"
#include "handoff/handoff_read.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

static json_t *sample(void)
{
    const char *text = "{\"id\":\"2026-11-22T21-30-00-review\",\"parent\":[\"2026-11-22T21-00-00-developer\",\"2026-11-"
                       "22T21-10-00-testing\"],"
                       "\"agent\":\"review\",\"agent_name\":\"rust-code-reviewer\",\"status\":\"blocked\",\"verdict\":"
                       "\"changes_requested\","
                       "\"summary\":\"1 \\\"issue\\\": C:\\\\x → "
                       "fix\",\"next_agent\":\"rust-developer\",\"next_task\":\"first\\nsecond\",\"output\":{\"n\":1},"
                       "\"sections\":[{\"label\":\"Issues\",\"text\":\"- a\\n## not a heading\\n**Not a "
                       "label**\\n---\\n  # deep\"},{\"label\":\"Empty\",\"text\":\"\"}],"
                       "\"blockers\":\"no cargo\",\"acceptance\":[\"tests "
                       "pass\"],\"artifacts\":[],\"run\":\"relay-7f3k2q\",\"stage\":4,\"attempt\":1,"
                       "\"created\":\"2026-11-22T20:30:00.000Z\"}";
    struct err err = {0};
    json_t *v = json_parse_new(text, strlen(text), "sample", &err);
    assert_non_null(v);
    return v;
}

static void test_markdown_has_the_published_form(void **state)
{
    (void)state;
    AUTO_JSON json_t *h = sample();
    AUTO_FREE char *text = handoff_md_new(h);
    assert_string_equal(text, "---\n"
                              "id: 2026-11-22T21-30-00-review\n"
                              "parent: [2026-11-22T21-00-00-developer, 2026-11-22T21-10-00-testing]\n"
                              "agent: review\n"
                              "status: blocked\n"
                              "summary: \"1 \\\"issue\\\": C:\\\\x → fix\"\n"
                              "next_agent: rust-developer\n"
                              "next_task: \"first\\nsecond\"\n"
                              "verdict: changes_requested\n"
                              "run: relay-7f3k2q\n"
                              "stage: 4\n"
                              "attempt: 1\n"
                              "---\n"
                              "\n## Context\n\n"
                              "Stage 4 of run `relay-7f3k2q`, attempt 1. The whole object with its evidence: "
                              "`2026-11-22T21-30-00-review.json`.\n"
                              "\n## Output\n"
                              "\n**Review Status**: `changes_requested`\n"
                              "\n**Review Summary**: 1 \"issue\": C:\\x → fix\n"
                              "\n**Issues**\n\n- a\n ## not a heading\n **Not a label**\n ---\n   # deep\n"
                              "\n**Empty**\n"
                              "\n## Blockers\n\nno cargo\n"
                              "\n## Acceptance Criteria\n\n- [ ] tests pass\n");
    json_put_str(h, "status", "needs_discussion");
    json_put(h, "parent", json_array());
    json_put(h, "verdict", json_null());
    AUTO_FREE char *other = handoff_md_new(h);
    assert_non_null(strstr(other, "\nparent: null\n"));
    assert_null(strstr(other, "## Blockers"));
    assert_null(strstr(other, "verdict:"));
}

static void test_long_bodies_are_cut_with_a_pointer(void **state)
{
    (void)state;
    AUTO_JSON json_t *h = sample();
    AUTO_BUF struct buf b = BUF_INIT;
    buf_str_add(&b, "```");
    for (int i = 0; i < 200; i++)
        buf_printf(&b, "\nline %d", i);
    json_put_str(json_array_get(json_list(h, "sections"), 0), "text", buf_str(&b));
    AUTO_FREE char *text = handoff_md_new(h);
    const char *body = strstr(text + 3, "\n---\n");
    assert_non_null(body);
    size_t lines = 0;
    for (const char *p = body + 5; *p; p++)
        lines += *p == '\n';
    assert_true(lines <= HANDOFF_BODY_LINES);
    assert_non_null(strstr(text, "more lines in `2026-11-22T21-30-00-review.json`)"));
    assert_non_null(strstr(text, "\n ```\n(")); // the cut fence is closed
}

static void check_same(const json_t *got, const json_t *h, const char *const *keys)
{
    for (; *keys; keys++)
        if (!json_equal(json_object_get(got, *keys), json_object_get(h, *keys))) {
            AUTO_FREE char *a = json_dumps(json_object_get(got, *keys), JSON_ENCODE_ANY);
            fail_msg("%s came back as %s", *keys, a ? a : "nothing");
        }
}

static void test_files_come_back(void **state)
{
    (void)state;
    static const char *const md[] = {"id",         "parent",     "agent",     "status",   "verdict",
                                     "summary",    "next_agent", "next_task", "sections", "blockers",
                                     "acceptance", "run",        "stage",     "attempt",  NULL};
    AUTO_JSON json_t *h = sample();
    AUTO_FREE char *text = handoff_md_new(h), *yaml = handoff_yaml_new(h), *json = json_pretty(h);
    struct err err = {0};
    AUTO_JSON json_t *a = handoff_read_new(text, strlen(text), "2026-11-22T21-30-00-review.md", &err);
    check_same(a, h, md);
    assert_int_equal(json_array_size(json_list(a, "diagnostics")), 0);
    AUTO_JSON json_t *b = handoff_read_new(yaml, strlen(yaml), "2026-11-22T21-30-00-review.yaml", &err);
    assert_string_equal(json_str(b, "era", ""), "B");
    check_same(b, h, md);
    AUTO_JSON json_t *c = handoff_read_new(json, strlen(json), "2026-11-22T21-30-00-review.json", &err);
    check_same(c, h, md);
    assert_true(json_equal(json_obj(c, "output"), json_obj(h, "output")));
    AUTO_JSON json_t *lint = handoff_lint_new(text, strlen(text), "2026-11-22T21-30-00-review.md");
    assert_int_equal(json_array_size(lint), 0);
    // What was read can be written again, with the keys that nobody knows.
    json_object_set_new(json_obj(a, "extra"), "redundancy", json_pack("{s:i}", "total", 3));
    AUTO_FREE char *again = handoff_md_new(a);
    assert_non_null(strstr(again, "\nredundancy: {\"total\": 3}\n---\n"));
}

static char *run_command(const char *command)
{
    AUTO_BUF struct buf b = BUF_INIT;
    FILE *f = popen(command, "re");
    assert_non_null(f);
    char part[512];
    for (size_t n; (n = fread(part, 1, sizeof(part), f)) > 0;)
        buf_add(&b, part, n);
    assert_int_equal(pclose(f), 0);
    return buf_steal(&b);
}

static void test_shell_recipes_read_our_files(void **state)
{
    (void)state;
    struct err err = {0};
    char *dir = test_temp_dir();
    AUTO_JSON json_t *h = sample();
    AUTO_FREE char *path = NULL;
    assert_ok(handoff_write(dir, h, HANDOFF_MARKDOWN, NULL, &path, &err), &err);
    AUTO_FREE char *awk = str_printf("awk '/^---/{n++; next} n==1' '%s'", path);
    AUTO_FREE char *front = run_command(awk);
    assert_true(str_starts(front, "id: 2026-11-22T21-30-00-review\nparent: ["));
    assert_true(str_ends(front, "\nattempt: 1\n"));
    AUTO_FREE char *grep = str_printf("grep '^parent:' '%s'", path);
    AUTO_FREE char *parent = run_command(grep);
    assert_string_equal(parent, "parent: [2026-11-22T21-00-00-developer, 2026-11-22T21-10-00-testing]\n");
    AUTO_FREE char *count = str_printf("awk '/^---/{n++} END{print n}' '%s'", path);
    AUTO_FREE char *fences = run_command(count);
    assert_string_equal(fences, "2\n");
    test_remove(dir);
}

static size_t count_files(const char *dir)
{
    size_t n = 0;
    DIR *d = opendir(dir);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        n += !str_eq(e->d_name, ".") && !str_eq(e->d_name, "..");
    closedir(d);
    return n;
}

static void test_write_moves_on_when_the_name_is_taken(void **state)
{
    (void)state;
    struct err err = {0};
    char *top = test_temp_dir();
    AUTO_FREE char *dir = path_join(top, "a/.local/handoff");
    AUTO_JSON json_t *h = sample(), *first = NULL, *again = NULL, *second = NULL, *third = NULL;
    assert_ok(handoff_write(dir, h, HANDOFF_MARKDOWN, &first, NULL, &err), &err);
    assert_string_equal(json_str(first, "id", ""), "2026-11-22T21-30-00-review");
    assert_int_equal(count_files(dir), 2);
    // The same handoff once more, as after a crash: nothing new.
    assert_ok(handoff_write(dir, h, HANDOFF_MARKDOWN, &again, NULL, &err), &err);
    assert_true(json_equal(again, first));
    assert_int_equal(count_files(dir), 2);
    // Another one of the same second.
    json_put_int(h, "attempt", 2);
    AUTO_FREE char *path = NULL;
    assert_ok(handoff_write(dir, h, HANDOFF_MARKDOWN, &second, &path, &err), &err);
    assert_string_equal(json_str(second, "id", ""), "2026-11-22T21-30-01-review");
    assert_true(str_ends(path, "/2026-11-22T21-30-01-review.md"));
    assert_string_equal(json_str(h, "id", ""), "2026-11-22T21-30-00-review"); // ours is as it was
    AUTO_JSON json_t *back = handoff_read_file_new(path, &err);
    assert_string_equal(json_str(back, "id", ""), "2026-11-22T21-30-01-review");
    assert_int_equal(json_array_size(json_list(back, "diagnostics")), 0);
    // The other format shares the names.
    assert_ok(handoff_write(dir, h, HANDOFF_YAML, &third, NULL, &err), &err);
    assert_string_equal(json_str(third, "id", ""), "2026-11-22T21-30-02-review");
    // Same text, other output.
    json_put(h, "output", json_object());
    AUTO_JSON json_t *fourth = NULL;
    assert_ok(handoff_write(dir, h, HANDOFF_MARKDOWN, &fourth, NULL, &err), &err);
    assert_string_equal(json_str(fourth, "id", ""), "2026-11-22T21-30-03-review");
    assert_int_equal(count_files(dir), 8); // and no temporary file is left
    json_put_str(h, "id", "../x");
    assert_int_equal(handoff_write(dir, h, HANDOFF_MARKDOWN, NULL, NULL, &err), -ERR_INVALID);
    test_remove(top);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_markdown_has_the_published_form),
        cmocka_unit_test(test_long_bodies_are_cut_with_a_pointer),
        cmocka_unit_test(test_files_come_back),
        cmocka_unit_test(test_shell_recipes_read_our_files),
        cmocka_unit_test(test_write_moves_on_when_the_name_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
