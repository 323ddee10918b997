// agents/sandbox: what calls of one stage have in common, and that it ends with the stage.
#include "support/support.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "policy/policy.h"
#include "sandbox/exec.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct stage {
    char *dir, *script;
    struct policy *policy;
    struct exec_context *ctx;
};

static void begin(struct stage *s, const char *script)
{
    struct err err;
    s->dir = test_temp_dir();
    AUTO_FREE char *workspace = path_join(s->dir, "work");
    AUTO_FREE char *home = path_join(s->dir, "home");
    assert_ok(file_make_dirs(workspace, &err), &err);
    s->script = path_join(workspace, "script.sh");
    assert_ok(file_write(s->script, script, strlen(script), false, &err), &err);
    s->policy = policy_new("test-agent");
    assert_ok(policy_allow(s->policy, "Bash(sh *)", "agent.md", 5, &err), &err);
    const struct exec_places places = {.workspace = workspace, .home = home};
    assert_ok(exec_context_new(s->policy, &places, &s->ctx, &err), &err);
}

static void finish(struct stage *s)
{
    exec_context_free(s->ctx);
    policy_free(s->policy);
    mem_free(s->script);
    test_remove(s->dir);
}

// Standard output; the caller frees it.
static char *call(struct stage *s)
{
    const char *argv[] = {"sh", s->script, NULL};
    struct exec_result r;
    struct err err;
    assert_ok(exec_check(s->ctx, &(struct exec_call){.argv = argv}, &r, &err), &err);
    char *out = str_dup(buf_str(&r.out));
    exec_result_free(&r);
    return out;
}

static bool has_network(const struct stage *s)
{
    const json_t *layers = json_object_get(json_obj(json_array_get(exec_receipts(s->ctx), 0), "box"), "layers");
    size_t i;
    const json_t *layer;
    json_array_foreach (layers, i, layer)
        if (str_eq(json_string_value(layer), "network"))
            return true;
    return false;
}

static void test_stage_has_one_network(void **state)
{
    (void)state;
    struct stage s;
    char host[100] = {0};
    begin(&s, "readlink /proc/self/ns/net\ncat /proc/net/fib_trie\n");
    AUTO_FREE char *first = call(&s);
    AUTO_FREE char *second = call(&s);
    exec_limit_processes(s.ctx, 20); // has an own one; that of the stage is alive, so its number is another
    AUTO_FREE char *limited = call(&s);
    exec_limit_processes(s.ctx, 0);
    AUTO_FREE char *last = call(&s);
    bool own = has_network(&s);
    assert_true(readlink("/proc/self/ns/net", host, sizeof(host) - 1) > 0);
    if (own) {
        assert_string_equal(first, second);
        assert_string_equal(first, last);
        assert_non_null(strstr(second, "127.0.0.1")); // its loopback is up
        assert_non_null(strstr(limited, "127.0.0.1"));
        first[strcspn(first, "\n")] = limited[strcspn(limited, "\n")] = '\0';
        assert_string_not_equal(first, limited);
        assert_string_not_equal(first, host);
    }
    finish(&s);
}

static void test_stage_leaves_no_process(void **state)
{
    (void)state;
    struct stage s;
    begin(&s, "true\n");
    for (int i = 0; i < 3; i++)
        mem_free(call(&s));
    finish(&s);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stage_has_one_network),
        cmocka_unit_test(test_stage_leaves_no_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
