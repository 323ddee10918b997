// box_true N: starts `true` N times in its box and prints the duration of each call in nanoseconds.
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "policy/policy_cases.h"
#include "sandbox/exec.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    static const char *const TRUE[] = {"true", NULL};
    char dir[] = "/tmp/baton-box-XXXXXX";
    struct err err = {0};
    struct policy *policy = NULL;
    struct exec_context *ctx = NULL;
    if (!mkdtemp(dir) || policy_from_list_new("bench", "Bash(true)", "bench", &policy, &err) < 0)
        return 1;
    AUTO_FREE char *workspace = path_join(dir, "work");
    AUTO_FREE char *home = path_join(dir, "home");
    const struct exec_places places = {.workspace = workspace, .home = home};
    int r = file_make_dirs(workspace, &err);
    if (r == 0)
        r = exec_context_new(policy, &places, &ctx, &err);
    for (long i = argc > 1 ? strtol(argv[1], NULL, 10) : 30; i > 0 && r == 0; i--) {
        struct exec_result result;
        int64_t begun = clock_mono_ns();
        r = exec_check(ctx, &(struct exec_call){.argv = TRUE}, &result, &err);
        printf("%" PRId64 "\n", clock_mono_ns() - begun);
        exec_result_free(&result);
    }
    if (r < 0)
        fprintf(stderr, "box_true: %s\n", err.text);
    exec_context_free(ctx);
    policy_free(policy);
    file_remove_tree(dir, NULL);
    return r < 0;
}
