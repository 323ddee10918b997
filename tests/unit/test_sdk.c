// agents/sdk: jobs without a bus. Rules from agent files, context from parents, drafts, cancel from another thread.
#include "support/support.h"

#include "base/file.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/str.h"
#include "sdk/job.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

typedef int (*run_fn)(struct job *job, json_t *draft, struct err *err);

static const char *const MODES[] = {"test", NULL};

static json_t *run_agent(run_fn run, json_t *assignment_take)
{
    const struct agent agent = {.role = "test", .version = "9", .modes = MODES, .run = run};
    struct rules rules = {0};
    struct job *job = job_new(&agent, assignment_take);
    json_t *draft = job_run_new(job, &rules);
    job_free(job);
    rules_free(&rules);
    return draft;
}

static json_t *parse(const char *text)
{
    struct err err;
    json_t *v = json_parse_new(text, strlen(text), "test", &err);
    if (!v)
        fail_msg("%s", err.text);
    return v;
}

static json_t *assignment_with_file(const char *text, const char *const *operator_rules)
{
    json_t *a = json_object();
    json_t *agent = json_object();
    json_put_str(agent, "name", "tester");
    json_put_str(agent, "path", "tester.md");
    json_put_str(agent, "text", text);
    json_put(a, "agent", agent);
    json_t *rules = json_array();
    for (; operator_rules && *operator_rules; operator_rules++)
        json_add_str(rules, *operator_rules);
    json_put(a, "operator_rules", rules);
    return a;
}

static int run_two_tools(struct job *job, json_t *draft, struct err *err)
{
    static const char *const CALLS[][3] = {{"true", NULL}, {"sleep", "0", NULL}};
    for (size_t i = 0; i < ARRAY_LEN(CALLS); i++) {
        struct exec_result r;
        int code = exec_run(job_exec(job), &(struct exec_call){.argv = CALLS[i]}, &r, err);
        json_put_flag(json_obj(draft, "output"), CALLS[i][0], code == 0);
        exec_result_free(&r);
    }
    return 0;
}

static void check_tools(const char *file, const char *const *operator_rules, bool may_true, bool may_sleep)
{
    AUTO_JSON json_t *draft = run_agent(run_two_tools, assignment_with_file(file, operator_rules));
    const json_t *output = json_obj(draft, "output");
    assert_string_equal(json_str(draft, "status", ""), "completed");
    assert_int_equal(json_flag(output, "true", false), may_true);
    assert_int_equal(json_flag(output, "sleep", false), may_sleep);
    assert_int_equal(json_array_size(json_list(draft, "receipts")), 2);
    assert_string_equal(json_str(json_obj(draft, "worker"), "version", ""), "9");
}

static void test_sdk_rules_come_from_the_agent_file(void **state)
{
    (void)state;
    static const char *const SLEEP[] = {"Bash(sleep *)", NULL};
    static const char FILE_TRUE[] = "---\nname: tester\nallowed-tools:\n  - Read\n  - Bash(true *)\n---\nbody\n";
    static const char FILE_BOTH[] = "---\nname: tester\ntools: Bash(true *), Bash(sleep *)\ndisallowedTools: Bash(sleep *)\n---\nbody\n";
    static const char FILE_NONE[] = "---\nname: tester\ntools: []\n---\nbody\n";
    static const char FILE_ABSENT[] = "---\nname: tester\n---\nbody\n";
    check_tools(FILE_TRUE, NULL, true, false);
    check_tools(FILE_TRUE, SLEEP, true, true);
    check_tools(FILE_BOTH, NULL, true, false);
    check_tools(FILE_BOTH, SLEEP, true, false); // what the file forbids stays forbidden
    check_tools(FILE_NONE, NULL, false, false);
    check_tools(FILE_ABSENT, NULL, false, false);
    check_tools(FILE_ABSENT, SLEEP, false, true);
}

static void test_sdk_bad_rule_blocks_with_file_and_line(void **state)
{
    (void)state;
    AUTO_JSON json_t *draft =
        run_agent(run_two_tools, assignment_with_file("---\nname: tester\ntools:\n  - Read\n  - Bash(cargo\n---\nbody\n", NULL));
    assert_string_equal(json_str(draft, "status", ""), "blocked");
    assert_non_null(strstr(json_str(draft, "blockers", ""), "tester.md:5"));
    assert_int_equal(json_object_size(json_obj(draft, "output")), 0); // run() was not called
}

static int run_context(struct job *job, json_t *draft, struct err *err)
{
    static const char *const KEYS[] = {"findings", "baseline", "big", "missing", "broken"};
    for (size_t i = 0; i < ARRAY_LEN(KEYS); i++) {
        json_t *v = job_context_new(job, KEYS[i], err);
        if (v)
            json_put(json_obj(draft, "output"), KEYS[i], v);
        else if (err->code != ERR_OK)
            json_put_str(json_obj(draft, "output"), KEYS[i], err->text);
    }
    return 0;
}

static void test_sdk_context_is_the_newest_and_read_back(void **state)
{
    (void)state;
    struct err err;
    char *dir = test_temp_dir();
    static const char CONTENT[] = "[10,20,30]";
    char hash[65];
    hash_bytes(CONTENT, strlen(CONTENT), hash);
    AUTO_FREE char *sub = str_printf("%s/%.2s", dir, hash);
    AUTO_FREE char *path = str_printf("%s/%s", sub, hash + 2);
    assert_ok(file_make_dirs(sub, &err), &err);
    assert_ok(file_write(path, CONTENT, strlen(CONTENT), false, &err), &err);
    AUTO_FREE char *text = str_printf(
        "{\"dirs\":{\"artifacts\":\"%s\"},"
        "\"parents\":[{\"stage\":4,\"output\":{\"findings\":\"new\"}},{\"stage\":2,\"output\":{\"findings\":\"old\",\"baseline\":null}}],"
        "\"ancestors\":[{\"output\":{\"baseline\":\"first\"}},{\"output\":{\"baseline\":\"second\",\"findings\":\"older\","
        "\"big\":{\"$artifact\":\"%s\",\"bytes\":10,\"count\":3,\"head\":[10]},"
        "\"broken\":{\"$artifact\":\"%064d\",\"bytes\":10,\"count\":3,\"head\":[]}}}]}",
        dir, hash, 0);
    AUTO_JSON json_t *draft = run_agent(run_context, parse(text));
    const json_t *output = json_obj(draft, "output");
    assert_string_equal(json_str(output, "findings", ""), "new");
    assert_string_equal(json_str(output, "baseline", ""), "second");
    assert_int_equal(json_array_size(json_list(output, "big")), 3);
    assert_null(json_object_get(output, "missing"));
    assert_non_null(strstr(json_str(output, "broken", ""), "'broken' of an earlier stage"));
    test_remove(dir);
}

static int run_fails(struct job *job, json_t *draft, struct err *err)
{
    (void)job;
    draft_section(draft, "What was tried", "nothing");
    return err_set(err, ERR_TOOL, "it did not work");
}

static void test_sdk_error_becomes_a_blocked_draft(void **state)
{
    (void)state;
    AUTO_JSON json_t *draft = run_agent(run_fails, parse("{}"));
    assert_string_equal(json_str(draft, "status", ""), "blocked");
    assert_string_equal(json_str(draft, "blockers", ""), "it did not work");
    assert_int_equal(json_array_size(json_list(draft, "sections")), 1); // what it had is kept
}

static int run_paths(struct job *job, json_t *draft, struct err *err)
{
    AUTO_FREE char *project = job_project_in(job, "work");
    assert_string_equal(project, "/w/crates/x");
    assert_null(job_project_in(job, "base"));
    assert_string_equal(job_mode(job), "build");
    assert_int_equal(json_integer_value(job_input(job, "n")), 5);
    draft_next(draft, "rust-developer", "do it");
    draft_summary(draft, "%d done", 3);
    assert_int_equal(draft_artifact_bytes(job, draft, "../evil", "x", 1, "text/plain", err), -ERR_INVALID);
    return draft_artifact_bytes(job, draft, "a.txt", "abc", 3, "text/plain", err);
}

static void test_sdk_paths_input_and_draft(void **state)
{
    (void)state;
    char *dir = test_temp_dir();
    AUTO_FREE char *text = str_printf("{\"mode\":\"build\",\"dirs\":{\"work\":\"/w\",\"spool\":\"%s/new\"},"
                                      "\"git\":{\"prefix\":\"crates/x\"},\"input\":{\"n\":5}}",
                                      dir);
    AUTO_JSON json_t *draft = run_agent(run_paths, parse(text));
    assert_string_equal(json_str(draft, "summary", ""), "3 done");
    assert_string_equal(json_str(draft, "next_agent", ""), "rust-developer");
    const json_t *artifact = json_array_get(json_list(draft, "artifacts"), 0);
    AUTO_FREE char *content = test_read(json_str(artifact, "path", ""));
    assert_string_equal(content, "abc");
    test_remove(dir);
}

// --- cancel ---

static atomic_int reached;

static int run_until_cancelled(struct job *job, json_t *draft, struct err *err)
{
    (void)draft;
    job_progress(job, 0.5, "line\none %d", 1);
    atomic_store(&reached, 1);
    struct exec_result r;
    const char *argv[] = {"sleep", "7501", NULL};
    int code = exec_run(job_exec(job), &(struct exec_call){.argv = argv}, &r, err);
    exec_result_free(&r);
    return code;
}

static void *cancel_it(void *user)
{
    struct job *job = user;
    char text[JOB_PROGRESS_MAX];
    double fraction;
    while (!atomic_load(&reached))
        ;
    assert_true(job_take_progress(job, text, &fraction));
    assert_string_equal(text, "line one 1");
    assert_false(job_take_progress(job, text, &fraction));
    job_cancel(job, "enough");
    job_cancel(job, "again");
    return NULL;
}

static void test_sdk_cancel_from_another_thread(void **state)
{
    (void)state;
    const struct agent agent = {.role = "test", .version = "9", .modes = MODES, .run = run_until_cancelled};
    struct rules rules = {0};
    struct job *job = job_new(&agent, parse("{\"operator_rules\":[\"Bash(sleep *)\"]}"));
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, cancel_it, job), 0);
    AUTO_JSON json_t *draft = job_run_new(job, &rules);
    pthread_join(thread, NULL);
    assert_true(job_cancelled(job));
    assert_string_equal(json_str(draft, "status", ""), "blocked");
    assert_string_equal(json_str(draft, "blockers", ""), "cancelled: enough");
    job_free(job);
    rules_free(&rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sdk_rules_come_from_the_agent_file),
        cmocka_unit_test(test_sdk_bad_rule_blocks_with_file_and_line),
        cmocka_unit_test(test_sdk_context_is_the_newest_and_read_back),
        cmocka_unit_test(test_sdk_error_becomes_a_blocked_draft),
        cmocka_unit_test(test_sdk_paths_input_and_draft),
        cmocka_unit_test(test_sdk_cancel_from_another_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
