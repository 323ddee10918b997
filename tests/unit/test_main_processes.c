// orchestrator/main: processes as /proc shows them.
#include "support/support.h"

#include "base/str.h"
#include "main/processes.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOKS_MAX 1000

static pid_t start_sleeper(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        execlp("sleep", "sleep", "600", (char *)NULL);
        _exit(127);
    }
    assert_true(pid > 0);
    return pid;
}

// Until it has become what it is started as.
static void wait_for_exec(pid_t pid)
{
    for (int i = 0; i < LOOKS_MAX; i++) {
        struct processes *p = processes_new();
        const struct process *one = processes_find(p, pid);
        bool there = one && str_eq(one->command, "sleep 600");
        processes_free(p);
        if (there)
            return;
        usleep(10000);
    }
    fail_msg("the process %ld did not start", (long)pid);
}

static void test_processes_tree_and_tool(void **state)
{
    (void)state;
    pid_t child = start_sleeper();
    wait_for_exec(child);
    struct processes *p = processes_new();
    const struct process *self = processes_find(p, getpid()), *sleeper = processes_find(p, child);
    assert_non_null(self);
    assert_int_equal(self->parent, getppid());
    assert_true(self->rss_bytes > 4096);
    assert_true(strstr(self->command, "test_unit_main_processes") != NULL);
    assert_int_equal(sleeper->parent, getpid());
    int64_t cpu_ms = -1, rss = -1, own_cpu_ms = -1, own_rss = -1;
    processes_tree(p, getpid(), &cpu_ms, &rss);
    processes_tree(p, child, &own_cpu_ms, &own_rss);
    assert_int_equal(rss, self->rss_bytes + sleeper->rss_bytes);
    assert_int_equal(own_rss, sleeper->rss_bytes);
    assert_int_equal(cpu_ms, self->cpu_ms + sleeper->cpu_ms);
    assert_ptr_equal(processes_tool(p, getpid()), sleeper);
    assert_null(processes_tool(p, child));
    processes_free(p);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    p = processes_new();
    assert_null(processes_find(p, child));
    assert_null(processes_tool(p, getpid()));
    processes_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_processes_tree_and_tool)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
