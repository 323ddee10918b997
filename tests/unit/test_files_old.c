// agents/sandbox/files where the kernel does not offer what they stand on.
#include "held.h"
#include "support/support.h"

#include "base/mem.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

// As on an old kernel, or in a container that does not allow the call: refused, with the reason.
static int refused_without_openat2(const struct held *h, const char *root)
{
    struct sock_filter ops[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 437, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {.len = ARRAY_LEN(ops), .filter = ops};
    struct files *files = NULL;
    struct err err;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) < 0)
        return 2; // no filters here
    return files_open(h->exec, root, &files, &err) == -ERR_UNSUPPORTED && !files && strstr(err.text, "5.6") ? 0 : 1;
}

static void test_files_without_openat2(void **state)
{
    (void)state;
    struct held h;
    char *root = test_temp_dir();
    held_open(&h, root);
    pid_t pid = fork();
    if (pid == 0)
        _exit(refused_without_openat2(&h, root));
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) != 2)
        assert_int_equal(WEXITSTATUS(status), 0);
    held_close(&h);
    test_remove(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_files_without_openat2)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
