// One call in its box, for tests that are not written in C:
//   box_run [--rules LIST] [--env NAME=VALUE]... [--built DIR]... [--wall SECONDS] --workspace DIR --home DIR [--cwd
//   DIR] -- ARGV...
// Output of the tool is passed on. Exit status: that of the tool; 128 + signal; 125 refused or not started (the reason
// on stderr). With --receipts FILE: the receipts as JSON.
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "policy/policy_cases.h"
#include "sandbox/exec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
    const char *rules = "Bash(*)", *workspace = NULL, *home = NULL, *cwd = NULL, *receipts = NULL, *wall = "600";
    VEC(const char *) env = {0}, built = {0};
    int i = 1;
    for (; i + 1 < argc && strcmp(argv[i], "--") != 0; i += 2) {
        const struct {
            const char *name, **value;
        } NAMES[] = {{"--rules", &rules}, {"--workspace", &workspace}, {"--home", &home},
                     {"--cwd", &cwd},     {"--receipts", &receipts},   {"--wall", &wall}};
        for (size_t k = 0; k < ARRAY_LEN(NAMES); k++)
            if (str_eq(argv[i], NAMES[k].name))
                *NAMES[k].value = argv[i + 1];
        if (str_eq(argv[i], "--env"))
            vec_push(&env, argv[i + 1]);
        if (str_eq(argv[i], "--built"))
            vec_push(&built, argv[i + 1]);
    }
    if (!workspace || !home || i + 1 >= argc) {
        fprintf(stderr, "box_run: see the head of box_run.c\n");
        return 125;
    }
    vec_push(&env, NULL);
    vec_push(&built, NULL);
    struct err err = {0};
    struct policy *policy = NULL;
    struct exec_context *ctx = NULL;
    struct exec_result result = {.exit_code = -1};
    const struct exec_places places = {.workspace = workspace, .home = home, .built = built.items};
    int r = policy_from_list_new("box_run", rules, "command line", &policy, &err);
    if (r == 0)
        r = exec_context_new(policy, &places, &ctx, &err);
    const struct exec_call call = {.argv = (const char *const *)(argv + i + 1),
                                   .cwd = cwd,
                                   .env = env.items,
                                   .wall_ns = (int64_t)strtol(wall, NULL, 10) * NS_PER_SEC};
    if (r == 0)
        r = exec_run(ctx, &call, &result, &err);
    fwrite(buf_str(&result.out), 1, result.out.len, stdout);
    fwrite(buf_str(&result.err), 1, result.err.len, stderr);
    if (r < 0)
        fprintf(stderr, "box_run: %s\n", err.text);
    if (receipts && ctx)
        json_dump_file(exec_receipts(ctx), receipts, JSON_INDENT(1));
    int status = r < 0 ? 125 : result.signal ? 128 + result.signal : result.exit_code;
    exec_result_free(&result);
    exec_context_free(ctx);
    policy_free(policy);
    vec_free(&env);
    vec_free(&built);
    return status;
}
