#include "change/branch.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "change/change.h"

#include <string.h>
#include <unistd.h>

#define GIT_ARGS_MAX 28

// git with our settings in front; `args` NULL-terminated. Output (trimmed) to *ret_out when not NULL.
static int git(struct exec_context *exec, const char *dir, const char *const *args, char **ret_out, struct err *err)
{
    const char *argv[GIT_ARGS_MAX] = {"git",
                                      "-c",
                                      "core.hooksPath=/dev/null",
                                      "-c",
                                      "core.fsmonitor=false",
                                      "-c",
                                      "commit.gpgsign=false",
                                      "-c",
                                      "gc.auto=0",
                                      "-c",
                                      "maintenance.auto=false",
                                      "-c",
                                      "user.name=Baton",
                                      "-c",
                                      "user.email=baton@localhost"};
    size_t n = 15;
    for (size_t i = 0; args[i]; i++) {
        must(n + 1 < GIT_ARGS_MAX);
        argv[n++] = args[i];
    }
    struct exec_result result;
    int r = exec_check(exec, &(struct exec_call){.argv = argv, .cwd = dir}, &result, err);
    if (r == 0 && ret_out) {
        char *text = str_dup(buf_str(&result.out));
        *ret_out = str_dup(str_trim(text));
        mem_free(text);
    }
    exec_result_free(&result);
    return r;
}

// A git that was killed in the middle (with its worker, or with everything) leaves lock files that stop every later
// one. The checkout and its branch are ours alone, so whatever lock is there belongs to nobody who lives.
static int remove_stale_locks(struct exec_context *exec, const char *work_dir, struct err *err)
{
    char *branch = NULL, *paths = NULL;
    int r = git(exec, work_dir, (const char *const[]){"rev-parse", "--symbolic-full-name", "HEAD", NULL}, &branch, err);
    if (r < 0)
        return r;
    AUTO_FREE char *ref = str_printf("%s.lock", branch);
    mem_free(branch);
    r = git(exec, work_dir,
            (const char *const[]){"rev-parse", "--git-path", "index.lock", "--git-path", "HEAD.lock", "--git-path", ref,
                                  NULL},
            &paths, err);
    char **list = r == 0 ? str_split(paths, "\n", true, NULL) : NULL;
    for (char **p = list; p && *p; p++) {
        AUTO_FREE char *path = **p == '/' ? str_dup(*p) : path_join(work_dir, *p);
        unlink(path);
    }
    str_list_free(list);
    mem_free(paths);
    return r;
}

int branch_reset(struct exec_context *exec, const char *work_dir, const char *commit, struct err *err)
{
    int r = remove_stale_locks(exec, work_dir, err);
    if (r == 0)
        r = git(exec, work_dir, (const char *const[]){"reset", "-q", "--hard", commit, NULL}, NULL, err);
    if (r == 0)
        r = git(exec, work_dir, (const char *const[]){"clean", "-q", "-f", "-d", "-e", "Cargo.lock", NULL}, NULL, err);
    return r;
}

int branch_resolve(struct exec_context *exec, const char *work_dir, const char *revision, char **ret_commit,
                   struct err *err)
{
    AUTO_FREE char *commit = str_printf("%s^{commit}", revision);
    const char *const argv[] = {"rev-parse", "--verify", "--quiet", "--end-of-options", commit, NULL};
    int r = git(exec, work_dir, argv, ret_commit, err);
    return r == -ERR_TOOL ? err_set(err, ERR_NOT_FOUND, "the project has no revision '%s'", revision) : r;
}

int branch_visit(struct exec_context *exec, const char *work_dir, const char *commit, struct err *err)
{
    int r = remove_stale_locks(exec, work_dir, err);
    if (r == 0)
        r = git(exec, work_dir, (const char *const[]){"checkout", "-q", "--force", "--detach", commit, NULL}, NULL,
                err);
    if (r == 0)
        r = git(exec, work_dir, (const char *const[]){"clean", "-q", "-f", "-d", "-e", "Cargo.lock", NULL}, NULL, err);
    return r;
}

int branch_export(struct exec_context *exec, const char *work_dir, const char *dir, struct err *err)
{
    AUTO_FREE char *prefix = str_printf("--prefix=%s/", dir);
    int r = file_remove_tree(dir, err);
    if (r == 0)
        r = file_make_dirs(dir, err);
    return r < 0 ? r
                 : git(exec, work_dir, (const char *const[]){"checkout-index", "-a", "-f", prefix, NULL}, NULL, err);
}

int branch_between(struct exec_context *exec, const char *work_dir, const char *from, const char *to, size_t most,
                   char ***ret, struct err *err)
{
    AUTO_FREE char *range = str_printf("%s..%s", from, to);
    AUTO_FREE char *limit = str_printf("--max-count=%zu", most + 1);
    AUTO_FREE char *out = NULL;
    int r = git(exec, work_dir, (const char *const[]){"merge-base", "--is-ancestor", from, to, NULL}, NULL, err);
    if (r == -ERR_TOOL)
        return err_set(err, ERR_INVALID, "%.12s is no ancestor of %.12s: there are no commits in between", from, to);
    const char *const argv[] = {"log", "--first-parent", limit, "--format=%H%x09%s", "--end-of-options", range, NULL};
    if (r == 0)
        r = git(exec, work_dir, argv, &out, err);
    if (r < 0)
        return r;
    size_t n = 0;
    char **lines = str_split(out, "\n", true, &n);
    if (n > most) {
        str_list_free(lines);
        return err_set(err, ERR_LIMIT, "there are more than %zu commits between %.12s and %.12s", most, from, to);
    }
    for (size_t i = 0; i < n / 2; i++) { // git tells the newest first
        char *line = lines[i];
        lines[i] = lines[n - 1 - i];
        lines[n - 1 - i] = line;
    }
    *ret = lines;
    return 0;
}

int branch_head(struct exec_context *exec, const char *work_dir, char **ret_commit, struct err *err)
{
    return git(exec, work_dir, (const char *const[]){"rev-parse", "HEAD", NULL}, ret_commit, err);
}

int branch_commit(struct exec_context *exec, const char *work_dir, const json_t *files, const char *message,
                  char **ret_commit, struct err *err)
{
    int r = git(exec, work_dir, (const char *const[]){"add", "-u", NULL}, NULL, err);
    size_t i;
    json_t *file;
    json_array_foreach (files, i, file)
        if (r == 0)
            r = git(exec, work_dir, (const char *const[]){"add", "--", json_string_value(file), NULL}, NULL, err);
    if (r < 0)
        return r;
    char *staged = NULL;
    r = git(exec, work_dir, (const char *const[]){"diff", "--cached", "--name-only", NULL}, &staged, err);
    bool nothing = staged && !*staged;
    mem_free(staged);
    if (r == 0 && !nothing)
        r = git(exec, work_dir, (const char *const[]){"commit", "-q", "--no-verify", "-m", message, NULL}, NULL, err);
    if (r == 0 && nothing)
        *ret_commit = NULL;
    return r < 0 || nothing ? r : branch_head(exec, work_dir, ret_commit, err);
}

char *branch_message(const json_t *candidate, const char *run)
{
    struct buf b = BUF_INIT;
    buf_printf(&b, "%s\n\n", json_str(candidate, "title", "Change"));
    const char *why = json_str(candidate, "why", NULL);
    if (why)
        buf_printf(&b, "%s\n\n", why);
    buf_printf(&b, "Baton-Run: %s\nBaton-Candidate: %s\n", run, json_str(candidate, "id", "?"));
    return buf_steal(&b);
}

int branch_rebuild(struct exec_context *exec, struct files *base, struct files *work, const char *base_commit,
                   const json_t *candidates, const char *run, char **ret_head, json_t **ret_commits, struct err *err)
{
    const char *work_dir = files_root(work);
    int r = branch_reset(exec, work_dir, base_commit, err);
    AUTO_JSON json_t *commits = json_object();
    AUTO_JSON json_t *laid = json_array();
    AUTO_JSON json_t *touched = json_object();
    size_t i;
    json_t *c;
    json_array_foreach (candidates, i, c) {
        if (r < 0)
            break;
        json_array_append(laid, c);
        r = change_lay(base, work, laid, touched, err);
        if (r < 0)
            break;
        AUTO_FREE char *message = branch_message(c, run);
        AUTO_JSON json_t *files = change_files(c);
        char *commit = NULL;
        r = branch_commit(exec, work_dir, files, message, &commit, err);
        if (r == 0)
            json_put_str(commits, json_str(c, "id", "?"), commit);
        mem_free(commit);
    }
    if (r == 0)
        r = branch_head(exec, work_dir, ret_head, err);
    if (r == 0)
        *ret_commits = json_incref(commits);
    return r;
}
