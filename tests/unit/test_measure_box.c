// agents/performance/measure: sessions inside a box. What a measured program could do without one it cannot do there.
#include "support/support.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "measure/session.h"
#include "policy/policy.h"
#include "sandbox/exec.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
    char *dir, *work, *cache, *spool, *home, *report;
    char *key, *outside, *port; // of the attack
    int listener;
    struct policy *policy;
    struct exec_context *ctx;
};

static int listen_here(int *ret_port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&at, len) == 0 && listen(fd, 64) == 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    *ret_port = ntohs(at.sin_port);
    return fd;
}

static void begin(struct fixture *f, const char *rule)
{
    struct err err;
    int port = 0;
    char *made = test_temp_dir();
    f->dir = path_real(made, &err);
    mem_free(made);
    f->work = path_join(f->dir, "work");
    f->cache = path_join(f->dir, "cache");
    f->spool = path_join(f->dir, "spool");
    f->home = path_join(f->spool, "scratch");
    f->report = path_join(f->home, "report");
    f->key = path_join(f->dir, "key");
    f->outside = path_join(f->dir, "outside");
    f->listener = listen_here(&port);
    f->port = str_printf("%d", port);
    char *const folders[] = {f->work, f->cache, f->home};
    for (size_t i = 0; i < ARRAY_LEN(folders); i++)
        assert_ok(file_make_dirs(folders[i], &err), &err);
    assert_ok(file_write(f->key, "secret", 6, false, &err), &err);
    f->policy = policy_new("test-agent");
    assert_ok(policy_allow(f->policy, rule, "agent.md", 5, &err), &err);
    const char *built[] = {f->cache, NULL}, *own[] = {f->spool, NULL}, *readonly[] = {f->work, NULL};
    AUTO_FREE char *tools = path_join(f->spool, "tools");
    const struct exec_places places = {
        .workspace = f->work, .built = built, .own = own, .home = tools, .readonly = readonly};
    assert_ok(exec_context_new(f->policy, &places, &f->ctx, &err), &err);
}

static void finish(struct fixture *f)
{
    exec_context_free(f->ctx);
    policy_free(f->policy);
    close(f->listener);
    char *const texts[] = {f->work, f->cache, f->spool, f->home, f->report, f->key, f->outside, f->port};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        mem_free(texts[i]);
    test_remove(f->dir);
}

static char *built_program(const struct fixture *f, const char *from, const char *name)
{
    struct err err;
    char *path = path_join(f->cache, name);
    assert_ok(file_copy(from, path, &err), &err);
    return path;
}

static int ask(struct fixture *f, const struct session *s, json_t **ret_answer, struct err *err)
{
    AUTO_JSON json_t *json = session_json_new(s);
    AUTO_FREE char *text = json_compact(json);
    AUTO_FREE char *path = path_join(f->spool, "session.json");
    assert_ok(file_write(path, text, strlen(text), false, err), err);
    const struct exec_call call = {.argv = s->command[0],
                                   .by = "baton-measure",
                                   .also = (const char *const *const[]){s->command[1], s->command[2], NULL},
                                   .stdin_path = path};
    struct exec_result result;
    int r = exec_run(f->ctx, &call, &result, err);
    if (r == 0 && result.exit_code != 0)
        r = err_set(err, ERR_TOOL, "status %d, signal %d: %s", result.exit_code, result.signal, buf_str(&result.err));
    *ret_answer = r == 0 ? json_parse_new(buf_str(&result.out), result.out.len, "answer", err) : NULL;
    exec_result_free(&result);
    return r == 0 && !*ret_answer ? -(int)err->code : r;
}

static bool reported(const struct fixture *f, const char *word)
{
    AUTO_FREE char *text = test_read(f->report);
    AUTO_FREE char *line = str_printf("\n%s\n", word);
    AUTO_FREE char *lines = str_printf("\n%s", text);
    return strstr(lines, line) != NULL;
}

static size_t count_reported(const struct fixture *f, const char *word)
{
    AUTO_FREE char *text = test_read(f->report);
    size_t n = 0;
    for (const char *p = text; (p = strstr(p, word)) != NULL; p++)
        n++;
    return n;
}

static void test_session_the_attack_works_without_a_box(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, "Bash(cargo *)");
    struct err err;
    struct runner_result result;
    AUTO_FREE char *home = str_printf("HOME=%s", f.home);
    const char *const argv[] = {MEASURE_ATTACK, f.key, f.outside, f.port, "bm-bare", NULL};
    const struct runner_call call = {.argv = argv, .env = (const char *const[]){home, NULL}};
    assert_ok(runner_run(&call, &result, &err), &err);
    assert_ok(runner_run(&call, &result, &err), &err);
    assert_true(reported(&f, "ran") && reported(&f, "read") && reported(&f, "wrote") && reported(&f, "connected"));
    assert_true(file_exists(f.outside));
    AUTO_FREE char *text = test_read(f.report);
    for (const char *p = text; (p = strstr(p, "daemon ")) != NULL; p++) // ours: their numbers are in the report
        kill((pid_t)strtol(p + 7, NULL, 10), SIGKILL);
    finish(&f);
}

static void check_receipt(const struct fixture *f, const char *program)
{
    const json_t *receipt = json_array_get(exec_receipts(f->ctx), 0);
    const json_t *layers = json_list(json_obj(receipt, "box"), "layers");
    assert_string_equal(json_string_value(json_array_get(json_list(receipt, "argv"), 0)), program);
    assert_string_equal(json_str(receipt, "by", ""), "baton-measure");
    bool landlock = false, calls = false;
    for (size_t i = 0; i < json_array_size(layers); i++) {
        landlock = landlock || str_eq(json_string_value(json_array_get(layers, i)), "landlock");
        calls = calls || str_eq(json_string_value(json_array_get(layers, i)), "calls");
    }
    assert_true(landlock && calls);
}

static void test_session_the_attack_fails_in_the_box(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, "Bash(cargo *)");
    struct err err;
    AUTO_FREE char *program = built_program(&f, MEASURE_ATTACK, "attack");
    AUTO_FREE char *home = str_printf("HOME=%s", f.home);
    const char *const argv[] = {program, f.key, f.outside, f.port, "bm-boxed", NULL};
    const struct session s = {
        .command = {argv}, .cwd = f.work, .env = (const char *const[]){home, NULL}, .samples = 4, .samples_min = 4};
    json_t *answer = NULL;
    assert_ok(ask(&f, &s, &answer, &err), &err);
    AUTO_FREE struct session_samples *samples = mem_alloc(sizeof(*samples));
    assert_ok(session_read_samples(answer, samples, &err), &err);
    json_decref(answer);
    assert_int_equal(samples->count, 4);
    assert_int_equal(count_reported(&f, "ran\n"), 4);
    assert_true(count_reported(&f, "daemon ") >= 1); // it did leave some; "left" would be one that was met later
    static const char *const HARM[] = {"read", "connected", "memory", "left"};
    for (size_t i = 0; i < ARRAY_LEN(HARM); i++)
        if (reported(&f, HARM[i]))
            fail_msg("a measured program did what it must not: %s", HARM[i]);
    assert_false(file_exists(f.outside)); // what it may have written was a file of a /tmp of its own
    check_receipt(&f, program);
    finish(&f);
}

static void test_session_ended_by_the_measured_program(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, "Bash(cargo *)");
    struct err err;
    AUTO_FREE char *program = built_program(&f, MEASURE_ATTACK, "attack");
    AUTO_FREE char *home = str_printf("HOME=%s", f.home);
    const char *const argv[] = {program, f.key, f.outside, f.port, "bm-kill", "kill", NULL};
    const struct session s = {
        .command = {argv}, .cwd = f.work, .env = (const char *const[]){home, NULL}, .samples = 2, .samples_min = 2};
    json_t *answer = NULL;
    assert_int_equal(ask(&f, &s, &answer, &err), -ERR_TOOL);
    assert_non_null(strstr(err.text, "signal 9"));
    finish(&f);
}

static void test_session_without_a_rule_starts_nothing(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, "Bash(git *)");
    struct err err;
    AUTO_FREE char *program = built_program(&f, MEASURE_ATTACK, "attack");
    const char *const argv[] = {program, f.key, f.outside, f.port, "bm-none", NULL};
    const struct session s = {
        .command = {argv}, .cwd = f.work, .env = (const char *const[]){NULL}, .samples = 1, .samples_min = 1};
    json_t *answer = NULL;
    assert_int_equal(ask(&f, &s, &answer, &err), -ERR_DENIED);
    assert_false(file_exists(f.report));
    finish(&f);
    begin(&f, "Bash(cargo *)"); // and a second command that no rule covers
    const struct session two = {
        .command = {argv, (const char *const[]){"/bin/sh", NULL}}, .cwd = f.work, .env = (const char *const[]){NULL}};
    AUTO_FREE char *again = built_program(&f, MEASURE_ATTACK, "attack");
    const char *const allowed[] = {again, f.key, f.outside, f.port, "bm-none", NULL};
    struct session other = two;
    other.command[0] = allowed;
    assert_int_equal(ask(&f, &other, &answer, &err), -ERR_DENIED);
    const json_t *receipt = json_array_get(exec_receipts(f.ctx), 0);
    assert_string_equal(json_str(json_obj(receipt, "decision"), "decision", ""), "deny");
    finish(&f);
}

// Both sides, the calibration, standard input and output are as they are without a box.
static void test_session_compares_in_the_box(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, "Bash(cargo *)");
    struct err err;
    AUTO_FREE char *a = built_program(&f, MEASURE_BUSY, "busy-a"), *b = built_program(&f, MEASURE_BUSY, "busy-b");
    AUTO_FREE char *copy = built_program(&f, MEASURE_BUSY, "busy-c");
    // 20 times the work: no load of the machine turns this around.
    const char *const slow[] = {a, "6000", NULL}, *const fast[] = {b, "300", NULL};
    struct session s = {.command = {slow, fast},
                        .cwd = f.work,
                        .env = (const char *const[]){"LANG=C", "ASAN_OPTIONS=detect_leaks=0", NULL},
                        .max_wall_ns = 60 * (int64_t)1000000000,
                        .seed = 1};
    struct ab_result *r = NULL;
    json_t *answer = NULL;
    assert_ok(ask(&f, &s, &answer, &err), &err);
    assert_ok(session_read_comparison(answer, &r, &err), &err);
    json_decref(answer);
    assert_int_equal(r->verdict, VERDICT_FASTER);
    assert_int_equal(r->outputs, AB_OUTPUTS_DIFFER);
    assert_false(r->aa.done);
    assert_true(r->pairs >= AB_PAIRS_MIN && r->samples[0].a[AB_CPU] > r->samples[0].b[AB_CPU]);
    ab_result_free(r);
    const char *const short_a[] = {a, "300", NULL}, *const short_b[] = {b, "300", NULL};
    const char *const short_copy[] = {copy, "300", NULL};
    s = (struct session){.command = {short_a, short_b, short_copy},
                         .cwd = f.work,
                         .env = (const char *const[]){"LANG=C", "ASAN_OPTIONS=detect_leaks=0", NULL},
                         .max_wall_ns = 20 * (int64_t)1000000000};
    assert_ok(ask(&f, &s, &answer, &err), &err);
    assert_ok(session_read_comparison(answer, &r, &err), &err);
    json_decref(answer);
    assert_int_equal(r->outputs, AB_OUTPUTS_IDENTICAL);
    assert_true(r->aa.done);
    assert_false(ab_accepts(r, NULL) && ab_refuses(r));
    ab_result_free(r);
    finish(&f);
}

// --- the formats ---

static void test_session_format(void **state)
{
    (void)state;
    struct err err;
    const struct session s = {.kind = SESSION_CRITERION,
                              .id = "group/one",
                              .metric = AB_WALL,
                              .command = {(const char *const[]){"/a", "x", NULL}, (const char *const[]){"/b", NULL}},
                              .home = {"/h0", "/h1"},
                              .cwd = "/w",
                              .stdin_path = "/in",
                              .env = (const char *const[]){"A=1", NULL},
                              .ignore_output = true,
                              .warm_up_s = 0.25,
                              .measurement_s = 0.5,
                              .samples = 7,
                              .samples_min = 3,
                              .max_wall_ns = 12345,
                              .theta = 0.03,
                              .seed = UINT64_MAX};
    AUTO_JSON json_t *v = session_json_new(&s);
    struct session *back = NULL;
    assert_ok(session_parse(v, &back, &err), &err);
    AUTO_JSON json_t *again = session_json_new(back);
    assert_true(json_equal(v, again));
    assert_true(back->seed == UINT64_MAX && !back->command[2]);
    session_free(back);
    static const char *const BROKEN[] = {
        "{}",
        "[]",
        "{\"kind\":\"command\",\"cwd\":\"/\",\"commands\":[],\"env\":[]}",
        "{\"kind\":\"command\",\"cwd\":\"/\",\"commands\":[[]],\"env\":[]}",
        "{\"kind\":\"command\",\"cwd\":\"/\",\"commands\":[[1]],\"env\":[]}",
        "{\"kind\":\"command\",\"cwd\":\"/\",\"commands\":[[\"x\"]]}",
        "{\"kind\":\"command\",\"commands\":[[\"x\"]],\"env\":[]}",
        "{\"kind\":\"printed\",\"cwd\":\"/\",\"commands\":[[\"x\"]],\"env\":[]}",
        "{\"kind\":\"command\",\"cwd\":\"/\",\"metric\":\"luck\",\"commands\":[[\"x\"]],\"env\":[]}",
        "{\"kind\":\"other\",\"cwd\":\"/\",\"commands\":[[\"x\"]],\"env\":[]}",
        "{\"kind\":\"command\",\"cwd\":\"/\",\"commands\":[[\"x\"]],\"env\":[],\"samples\":100000}"};
    for (size_t i = 0; i < ARRAY_LEN(BROKEN); i++) {
        AUTO_JSON json_t *broken = json_parse_new(BROKEN[i], strlen(BROKEN[i]), "session", &err);
        assert_true(session_parse(broken, &back, &err) < 0);
    }
}

static void test_session_answers_are_held_to_bounds(void **state)
{
    (void)state;
    struct err err;
    static const char *const BROKEN[] = {"{}",
                                         "{\"samples\":[]}",
                                         "{\"samples\":[-1]}",
                                         "{\"samples\":[\"1\"]}",
                                         "{\"samples\":[1e300]}",
                                         "{\"error\":\"it broke\",\"code\":99}"};
    AUTO_FREE struct session_samples *samples = mem_alloc(sizeof(*samples));
    struct ab_result *r = NULL;
    for (size_t i = 0; i < ARRAY_LEN(BROKEN); i++) {
        AUTO_JSON json_t *v = json_parse_new(BROKEN[i], strlen(BROKEN[i]), "answer", &err);
        assert_true(session_read_samples(v, samples, &err) < 0);
        assert_true(session_read_comparison(v, &r, &err) < 0);
    }
    assert_string_equal(err.text, "it broke");
    struct ab_progress p;
    const struct ab_progress said = {
        .phase = "compare", .pairs = 3, .max_pairs = 9, .ratio = 0.5, .low = 0.4, .high = 2};
    AUTO_FREE char *line = session_progress_line(&said);
    assert_true(session_progress_read(line, &p));
    assert_true(p.pairs == 3 && p.max_pairs == 9 && p.ratio > 0.49 && p.ratio < 0.51);
    assert_false(session_progress_read("warning: something", &p));
    assert_false(session_progress_read("{\"phase\":\"other\"}", &p));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_session_the_attack_works_without_a_box),
        cmocka_unit_test(test_session_the_attack_fails_in_the_box),
        cmocka_unit_test(test_session_ended_by_the_measured_program),
        cmocka_unit_test(test_session_without_a_rule_starts_nothing),
        cmocka_unit_test(test_session_compares_in_the_box),
        cmocka_unit_test(test_session_format),
        cmocka_unit_test(test_session_answers_are_held_to_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
