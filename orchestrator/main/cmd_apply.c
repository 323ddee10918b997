// baton apply: brings the branch of an accepted run into the project. Refuses on a dirty tree; when anything goes wrong, the tree is
// as it was.
#include "main/commands.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "run/outbox.h"
#include "loop/loop.h"

#include <string.h>

#define GIT_ARGS_MAX 24

struct git_call {
    struct loop *loop;
    struct buf out, errors;
    int status;
};

static void on_line(void *user, enum loop_source source, const char *line)
{
    struct git_call *g = user;
    buf_printf(source == LOOP_STDOUT ? &g->out : &g->errors, "%s\n", line);
}

static void on_exit_(void *user, int exit_code, int signal)
{
    struct git_call *g = user;
    g->status = signal ? 128 + signal : exit_code;
    loop_stop(g->loop);
}

// Runs git in dir; exit status, or negative. *ret_out (owned by the caller, may be NULL) is what it printed.
static int git(const char *dir, const char *const *args, char **ret_out, struct err *err)
{
    const char *argv[GIT_ARGS_MAX] = {"git", "-C", dir};
    size_t n = 3;
    for (; *args && n + 1 < GIT_ARGS_MAX; args++)
        argv[n++] = *args;
    struct git_call g = {.status = -1, .out = BUF_MAX((size_t)64 << 20), .errors = BUF_MAX(65536)};
    struct loop_child *child = NULL;
    int r = loop_new(&g.loop, err);
    struct loop_child_options options = {.argv = argv, .on_line = on_line, .on_exit = on_exit_, .user = &g};
    if (r == 0)
        r = loop_child_new(g.loop, &options, &child, err);
    if (r == 0)
        loop_run(g.loop);
    loop_child_close(child);
    loop_free(g.loop);
    if (r == 0 && g.status != 0)
        err_set(err, ERR_TOOL, "git: %s", buf_str(&g.errors));
    if (ret_out)
        *ret_out = buf_steal(&g.out);
    buf_free(&g.out);
    buf_free(&g.errors);
    return r < 0 ? r : g.status;
}

#define GIT(dir, out, err, ...) git((dir), (const char *const[]){__VA_ARGS__, NULL}, (out), (err))

static int apply_branch(const char *project, const json_t *facts, struct err *err)
{
    const char *branch = json_str(facts, "branch", ""), *base = json_str(facts, "base", "");
    AUTO_FREE char *status = NULL;
    if (GIT(project, &status, err, "status", "--porcelain", "--untracked-files=no") != 0)
        return err_wrap(err, "cannot read the state of '%s'", project);
    if (*status)
        return err_set(err, ERR_STATE, "'%s' has uncommitted changes: commit or stash them first", project);
    if (GIT(project, NULL, err, "merge", "--ff-only", "-q", branch) == 0)
        return 0;
    AUTO_FREE char *range = str_printf("%s..%s", base, branch);
    if (GIT(project, NULL, err, "cherry-pick", range) == 0)
        return 0;
    struct err ignored;
    GIT(project, NULL, &ignored, "cherry-pick", "--abort");
    return err_set(err, ERR_CONFLICT, "the project has moved on since the run and its changes do not fit any more; merge the branch '%s' by hand",
                   branch);
}

// A project without a repository: the difference as a patch, checked before it is applied.
static int apply_patch(const char *project, const json_t *facts, const char *run_dir, struct err *err)
{
    AUTO_FREE char *patch = NULL;
    AUTO_FREE char *path = path_join(run_dir, "changes.patch");
    if (GIT(json_str(facts, "repository", "."), &patch, err, "diff", json_str(facts, "base", ""), json_str(facts, "branch", "")) != 0)
        return err_wrap(err, "cannot read the changes");
    int r = file_make_dirs(run_dir, err);
    if (r == 0)
        r = file_write(path, patch, strlen(patch), false, err);
    if (r < 0)
        return r;
    if (GIT(project, NULL, err, "apply", "--check", path) != 0)
        return err_wrap(err, "the changes do not fit the project any more (they are in '%s')", path);
    return GIT(project, NULL, err, "apply", path) == 0 ? 0 : -(int)err->code;
}

// branch: what people may look at, NULL when there is none.
static int not_accepted(const char *run, const char *state, const char *branch, struct err *err)
{
    err_set(err, ERR_STATE, "run '%s' is '%s': only accepted runs have changes to apply", run, state);
    if (branch)
        err_set(err, ERR_STATE,
                "run '%s' is '%s': what it kept is on the branch '%s'; look at it, and merge it by hand if you want it",
                run, state, branch);
    return -(int)err->code;
}

// Whether the project has the changes: the facts say so, whatever was written down about it.
static bool is_applied(const char *project, const json_t *facts, const char *run_dir)
{
    struct err ignored;
    AUTO_FREE char *missing = NULL, *path = path_join(run_dir, "changes.patch");
    const char *branch = json_str(facts, "branch", ""), *base = json_str(facts, "base", "");
    if (json_flag(facts, "own_copy", false))
        return file_exists(path) && GIT(project, NULL, &ignored, "apply", "--check", "--reverse", path) == 0;
    // A commit that is there with the same change under another name has a '-' before it.
    return GIT(project, &missing, &ignored, "cherry", "HEAD", branch, base) == 0 && *missing != '+' &&
           !strstr(missing, "\n+");
}

// The outbox has it before and after: when this dies in between, the next call sees what was done.
static int apply_once(struct store *store, const char *run, const char *project, const json_t *facts,
                      const char *run_dir, struct err *err)
{
    AUTO_FREE char *key = str_printf("%s-apply", run);
    if (is_applied(project, facts, run_dir)) {
        printf("run '%s' is applied to %s already\n", run, project);
        return outbox_note_done(store, run, key, err);
    }
    int r = store_outbox_put(store, run, key, OUTBOX_APPLY, project, "", err);
    if (r >= 0)
        r = json_flag(facts, "own_copy", false) ? apply_patch(project, facts, run_dir, err)
                                                : apply_branch(project, facts, err);
    return r < 0 ? r : outbox_note_done(store, run, key, err) < 0 ? -(int)err->code : 1;
}

static int apply(struct store *store, const char *run, struct err *err)
{
    AUTO_JSON json_t *record = store_run_get_new(store, run, err);
    if (!record)
        return -(int)err->code;
    const json_t *facts = json_obj(json_obj(record, "result"), "git");
    const char *state = json_str(record, "state", "?"), *project = json_str(record, "project", ".");
    if (!str_eq(state, "accepted"))
        return not_accepted(run, state, str_eq(state, "needs_discussion") ? json_str(facts, "branch", NULL) : NULL,
                            err);
    if (!facts)
        return err_set(err, ERR_NOT_FOUND, "run '%s' has no branch", run);
    AUTO_FREE char *dir = store_run_dir(store, run);
    struct err ignored;
    AUTO_FREE char *log = NULL;
    AUTO_FREE char *range = str_printf("%s..%s", json_str(facts, "base", ""), json_str(facts, "branch", ""));
    if (GIT(json_str(facts, "repository", "."), &log, &ignored, "log", "--oneline", range) != 0 || !*log)
        return err_set(err, ERR_STATE, "run '%s' kept no change: there is nothing to apply", run);
    int r = apply_once(store, run, project, facts, dir, err);
    if (r == 1)
        printf("applied to %s\n%s", project, log);
    return r < 0 ? r : 0;
}

int cmd_apply(const struct cli *cli)
{
    struct places places;
    struct store *store = NULL;
    struct err err;
    char *run = NULL;
    if (commands_open(&places, &store, &err) < 0)
        return cli_fail(&err);
    int r = commands_find_run(store, cli_arg(cli, 0), &run, &err);
    if (r == 0)
        r = apply(store, run, &err);
    mem_free(run);
    commands_close(&places, store);
    return r < 0 ? cli_fail(&err) : 0;
}
