// box_cost RUNS WORKSPACE HOME CLEAN [BWRAP OPTION...] -- ARGV...: starts ARGV in WORKSPACE bare, in its box and in
// bubblewrap, in turns, and prints "bare NANOSECONDS", "box …", "bubblewrap …" for each run; one round before is not
// counted. CLEAN: a folder that is removed before each run, "": none.
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "policy/policy_cases.h"
#include "sandbox/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum how { BARE, BOX, BUBBLEWRAP, HOWS };
static const char *const NAMES[HOWS] = {"bare", "box", "bubblewrap"};

struct bench {
    char **argv;
    const char *workspace, *home, *clean;
    VEC(char *) wrapped; // ARGV in bubblewrap; empty: without
    struct exec_context *ctx;
};

// The least that a program needs: no pipes, no shell.
static int start_plain(const struct bench *b, char **argv, struct err *err)
{
    posix_spawn_file_actions_t actions;
    pid_t pid = 0;
    int status = 0;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addchdir_np(&actions, b->workspace);
    int e = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (e)
        return err_sys(err, e, "cannot start '%s'", argv[0]);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return status == 0 ? 0 : err_set(err, ERR_TOOL, "'%s' ended with status %d", argv[0], status);
}

static int start_boxed(const struct bench *b, struct err *err)
{
    struct exec_result result;
    int r = exec_check(b->ctx, &(struct exec_call){.argv = (const char *const *)b->argv}, &result, err);
    exec_result_free(&result);
    return r;
}

static int run_once(const struct bench *b, enum how how, bool counts, struct err *err)
{
    if (*b->clean && access(b->clean, F_OK) == 0)
        file_remove_tree(b->clean, NULL);
    int64_t begun = clock_mono_ns();
    int r = how == BOX ? start_boxed(b, err) : start_plain(b, how == BARE ? b->argv : b->wrapped.items, err);
    if (counts && r == 0)
        printf("%s %" PRId64 "\n", NAMES[how], clock_mono_ns() - begun);
    return r;
}

int main(int argc, char **argv)
{
    struct bench b = {.ctx = NULL};
    struct err err = {0};
    struct policy *policy = NULL;
    int end = 5;
    while (end < argc && !str_eq(argv[end], "--"))
        end++;
    if (end + 1 >= argc) {
        fprintf(stderr, "box_cost: see the head of box_cost.c; tests/bench/sandbox is for hands\n");
        return 2;
    }
    b.argv = argv + end + 1;
    b.workspace = argv[2];
    b.home = argv[3];
    b.clean = argv[4];
    for (int i = 5; end > 5 && i <= argc; i++) // the vector ends with NULL
        if (i != end)
            vec_push(&b.wrapped, argv[i]);
    AUTO_FREE char *rule = str_printf("Bash(%s *)", b.argv[0]);
    const struct exec_places places = {.workspace = b.workspace, .home = b.home};
    int r = policy_from_list_new("bench", rule, "bench", &policy, &err);
    if (r == 0)
        r = exec_context_new(policy, &places, &b.ctx, &err);
    for (long round = 0; round <= strtol(argv[1], NULL, 10) && r == 0; round++)
        for (int turn = 0; turn < HOWS && r == 0; turn++) {
            enum how how = (enum how)((turn + round) % HOWS);
            if (how != BUBBLEWRAP || b.wrapped.len)
                r = run_once(&b, how, round > 0, &err);
        }
    if (r < 0)
        fprintf(stderr, "box_cost: %s\n", err.text);
    exec_context_free(b.ctx);
    policy_free(policy);
    vec_free(&b.wrapped);
    return r < 0;
}
