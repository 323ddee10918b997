// agents/sandbox/group: the control group of a stage. Only root, or the owner of a delegated tree, can make one.
#include "support/support.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "sandbox/group.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void need_group(struct group *g, uint64_t pids_max)
{
    if (!test_can_limit_processes())
        skip();
    assert_true(group_ready(g, pids_max, 0));
}

static long limit_of(const struct group *g)
{
    struct err err;
    char *text = NULL;
    AUTO_FREE char *path = path_join(g->pids, "pids.max");
    assert_ok(file_read(path, 100, &text, NULL, &err), &err);
    long n = strtol(text, NULL, 10);
    mem_free(text);
    return n;
}

static void test_group_is_made_once_and_removed(void **state)
{
    (void)state;
    struct group g = {.pids_max = 0};
    need_group(&g, 5);
    AUTO_FREE char *first = str_dup(g.pids);
    assert_int_equal(limit_of(&g), 5);
    assert_true(group_ready(&g, 5, 0));
    assert_string_equal(g.pids, first);
    assert_true(group_ready(&g, 7, 0));
    assert_int_equal(limit_of(&g), 7);
    assert_int_equal(rmdir(g.pids), 0); // somebody has tidied up
    assert_true(group_ready(&g, 7, 0));
    assert_int_equal(limit_of(&g), 7);
    AUTO_FREE char *last = str_dup(g.pids);
    group_remove(&g);
    assert_string_equal(g.pids, "");
    assert_int_equal(access(last, F_OK), -1);
}

// Child: how many processes it can have besides itself.
static int fill(const char *dir)
{
    int begun = 0, ends[2];
    if (pipe(ends) < 0 || group_join(dir) != 0)
        return 100;
    for (int i = 0; i < 20; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            char c;
            close(ends[1]);
            _exit(read(ends[0], &c, 1) != 0);
        }
        begun += pid > 0;
    }
    close(ends[1]);
    while (wait(NULL) > 0)
        ;
    return begun;
}

static void test_group_holds_its_members(void **state)
{
    (void)state;
    struct group g = {.pids_max = 0};
    int status = 0;
    need_group(&g, 5);
    pid_t pid = fork();
    if (pid == 0)
        _exit(fill(g.pids));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), 4);
    group_remove(&g);
}

static void test_group_of_a_dead_worker_is_removed(void **state)
{
    (void)state;
    struct group g = {.pids_max = 0};
    int ends[2];
    char left[GROUP_DIR_MAX] = {0};
    need_group(&g, 5);
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) { // a worker that is killed before it can tidy up
        struct group own = {.pids_max = 0};
        bool made = group_ready(&own, 5, 0);
        _exit(!(made && write(ends[1], own.pids, sizeof(own.pids)) == (ssize_t)sizeof(own.pids)));
    }
    assert_int_equal(read(ends[0], left, sizeof(left)), sizeof(left));
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(access(left, F_OK), 0);
    assert_true(group_ready(&g, 6, 0)); // other limits: a new one
    assert_int_equal(access(left, F_OK), -1);
    assert_int_equal(access(g.pids, F_OK), 0);
    close(ends[0]);
    close(ends[1]);
    group_remove(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_group_is_made_once_and_removed),
        cmocka_unit_test(test_group_holds_its_members),
        cmocka_unit_test(test_group_of_a_dead_worker_is_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
