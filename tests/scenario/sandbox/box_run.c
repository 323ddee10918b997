// A command in its box, for tests that are not written in C:
//   box_run [--network none|lo|host] [--rules LIST] [--env NAME=VALUE]... [--built DIR]... [--wall SECONDS] --workspace
//   DIR --home DIR [--cwd DIR]
//           -- ARGV...
//   box_run … -- --command TEXT     a command text: decided as a whole, then each stage in the box of its own rule
// Output of the tools is passed on. Exit status: that of the (last) tool; 128 + signal; 125 refused or not started (the
// reason on stderr). With --receipts FILE: the receipts as JSON.
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "policy/command.h"
#include "policy/policy_cases.h"
#include "sandbox/exec.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { REFUSED = 125 };

struct run {
    const char *rules, *workspace, *home, *cwd, *receipts, *wall, *network;
    VEC(const char *) env, built;
    struct policy *policy;
    struct exec_context *exec;
    char *folder; // where the next stage of a text runs
};

static int call(struct run *r, const struct exec_call *what)
{
    struct err err = {0};
    struct exec_result result = {.exit_code = -1};
    int code = exec_run(r->exec, what, &result, &err);
    fwrite(buf_str(&result.out), 1, result.out.len, stdout);
    fwrite(buf_str(&result.err), 1, result.err.len, stderr);
    if (code < 0)
        fprintf(stderr, "box_run: %s\n", err.text);
    int status = code < 0 ? REFUSED : result.signal ? 128 + result.signal : result.exit_code;
    exec_result_free(&result);
    return status;
}

static struct exec_call call_of(const struct run *r, const char *const *argv)
{
    return (struct exec_call){.argv = argv,
                              .cwd = r->folder ? r->folder : r->cwd,
                              .env = r->env.items,
                              .wall_ns = (int64_t)strtol(r->wall, NULL, 10) * NS_PER_SEC};
}

// The file that a here-document is read from.
static char *text_file(const struct run *r, const char *text)
{
    char *path = path_join(r->home, "here-document");
    file_write(path, text, strlen(text), false, NULL); // not possible: the stage finds no file and is not started
    return path;
}

static int stage(struct run *r, const struct stage *s, const char *in, const char *out)
{
    struct exec_call c = call_of(r, (const char *const *)s->argv);
    AUTO_FREE char *here = NULL;
    if (str_eq(s->argv[0], "cd") && s->argc == 2) {
        char *to = path_join(r->folder ? r->folder : r->workspace, s->argv[1]);
        if (chdir(to) < 0) { // redirects mean it, too
            mem_free(to);
            return 1;
        }
        mem_free(r->folder);
        r->folder = to;
        return 0;
    }
    c.env = (const char *const *)s->env;
    c.stdin_path = in;
    c.stdout_path = out;
    for (size_t i = 0; i < s->redirect_count; i++) {
        const struct redirect *d = &s->redirects[i];
        if (d->kind == REDIRECT_READ)
            c.stdin_path = d->target;
        else if (d->kind == REDIRECT_TEXT)
            c.stdin_path = here = text_file(r, d->target);
        else if (d->kind != REDIRECT_DUP && d->fd == STDOUT_FILENO)
            c.stdout_path = d->target;
        else if (d->kind != REDIRECT_DUP)
            c.stderr_path = d->target;
    }
    return call(r, &c);
}

static int text(struct run *r, const char *line)
{
    const struct policy_context context = {
        .workspace = r->workspace, .cwd = r->cwd, .home = r->home, .built = r->built.items, .fs = policy_real_fs()};
    struct decision decision;
    struct command *command = NULL;
    struct err err = {0};
    decide_command(r->policy, &context, line, &decision);
    if (chdir(r->cwd ? r->cwd : r->workspace) < 0)
        return REFUSED;
    if (decision.verdict == POLICY_DENY || command_parse(line, strlen(line), &command, &err) < 0) {
        fprintf(stderr, "box_run: %s\n", decision.verdict == POLICY_DENY ? decision.reason : err.text);
        return REFUSED;
    }
    AUTO_FREE char *even = path_join(r->home, "pipe-0");
    AUTO_FREE char *odd = path_join(r->home, "pipe-1");
    const char *const pipes[] = {even, odd};
    int status = 0;
    enum stage_join before = JOIN_THEN;
    for (size_t i = 0; i < command->count; i++) {
        const struct stage *s = &command->stages[i];
        if ((before == JOIN_AND && status != 0) || (before == JOIN_OR && status == 0)) {
            before = s->join == JOIN_PIPE ? before : s->join; // a pipeline is left out as a whole
            continue;
        }
        status =
            stage(r, s, before == JOIN_PIPE ? pipes[(i + 1) % 2] : NULL, s->join == JOIN_PIPE ? pipes[i % 2] : NULL);
        before = s->join;
    }
    command_free(command);
    return status;
}

static int options(struct run *r, int argc, char **argv)
{
    int i = 1;
    for (; i + 1 < argc && strcmp(argv[i], "--") != 0; i += 2) {
        const struct {
            const char *name, **value;
        } NAMES[] = {{"--rules", &r->rules},    {"--workspace", &r->workspace}, {"--home", &r->home},
                     {"--cwd", &r->cwd},        {"--receipts", &r->receipts},   {"--wall", &r->wall},
                     {"--network", &r->network}};
        for (size_t k = 0; k < ARRAY_LEN(NAMES); k++)
            if (str_eq(argv[i], NAMES[k].name))
                *NAMES[k].value = argv[i + 1];
        if (str_eq(argv[i], "--env"))
            vec_push(&r->env, argv[i + 1]);
        if (str_eq(argv[i], "--built"))
            vec_push(&r->built, argv[i + 1]);
    }
    vec_push(&r->env, NULL);
    vec_push(&r->built, NULL);
    return i + 1;
}

static void limit_network(struct run *r)
{
    static const char *const GRADES[] = {"", "none", "lo", "host"};
    for (size_t i = 0; i < ARRAY_LEN(GRADES); i++)
        if (str_eq(r->network, GRADES[i]))
            exec_limit_network(r->exec, (enum exec_network)i);
}

int main(int argc, char **argv)
{
    struct run r = {.rules = "Bash(*)", .wall = "600", .network = ""};
    struct err err = {0};
    int first = options(&r, argc, argv), status = REFUSED;
    if (!r.workspace || !r.home || first >= argc) {
        fprintf(stderr, "box_run: see the head of box_run.c\n");
        return REFUSED;
    }
    const struct exec_places places = {.workspace = r.workspace, .home = r.home, .built = r.built.items};
    if (policy_from_list_new("box_run", r.rules, "command line", &r.policy, &err) < 0 ||
        exec_context_new(r.policy, &places, &r.exec, &err) < 0) {
        fprintf(stderr, "box_run: %s\n", err.text);
    } else if (first + 1 < argc && str_eq(argv[first], "--command")) {
        limit_network(&r);
        status = text(&r, argv[first + 1]);
    } else {
        const struct exec_call c = call_of(&r, (const char *const *)(argv + first));
        limit_network(&r);
        status = call(&r, &c);
    }
    if (r.receipts && r.exec)
        json_dump_file(exec_receipts(r.exec), r.receipts, JSON_INDENT(1));
    exec_context_free(r.exec);
    policy_free(r.policy);
    mem_free(r.folder);
    vec_free(&r.env);
    vec_free(&r.built);
    return status;
}
