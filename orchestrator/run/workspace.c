// A chain of git calls, one child at a time. Each step says what to run; its result function decides what comes next.
// Rules that the code does not show:
// - Steps must be repeatable: a run may be killed between any two of them and start again.
// - git reads all checkouts of a repository when it adds or removes one, and stumbles over one that another process is
// just
//   making. Runs therefore take turns: a lock on the repository's own folder, which leaves no file there and ends with
//   us.
#include "run/workspace.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define LOCK_STEP_NS       (10 * INT64_C(1000000))
#define LOCK_WAIT_NS       (120 * INT64_C(1000000000)) // then on without it: better a git that complains than no run
#define GIT_ARGS_MAX       32
#define GIT_FILE_MAX       ((size_t)8192)
#define BUILD_FOLDER_DEPTH 8
#define OUTPUT_MAX         ((size_t)64 * 1024)
#define STEP_TIMEOUT_NS    (600 * INT64_C(1000000000))

struct workspace {
    struct loop *loop;
    char *run, *run_dir, *project, *wanted;
    struct workspace_facts facts;
    struct loop_child *child;
    struct loop_timer *timer, *lock_timer;
    char *common_dir; // the repository's own folder, ".git"
    int lock;         // descriptor, -1: not held
    int64_t lock_left_ns;
    void (*locked)(struct workspace *w);
    struct buf out, errors;
    void (*next)(struct workspace *w, int exit_code);
    workspace_done done;
    void *user;
    bool keep_branch, timed_out;
};

static void unlock(struct workspace *w)
{
    if (w->lock >= 0) {
        flock(w->lock, LOCK_UN); // also for a descriptor that a child between fork and exec still has
        close(w->lock);
    }
    w->lock = -1;
}

static void try_lock(void *user)
{
    struct workspace *w = user;
    if (w->lock >= 0 && flock(w->lock, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK && w->lock_left_ns > 0) {
        w->lock_left_ns -= LOCK_STEP_NS;
        loop_timer_start(w->lock_timer, LOCK_STEP_NS, 0);
        return;
    }
    w->locked(w);
}

// `then` is called when no other run adds or removes checkouts of the repository.
static void lock_repository(struct workspace *w, void (*then)(struct workspace *w))
{
    unlock(w);
    w->lock = w->common_dir ? open(w->common_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    w->lock_left_ns = LOCK_WAIT_NS;
    w->locked = then;
    try_lock(w);
}

static void finish(struct workspace *w, const struct err *err)
{
    unlock(w);
    w->next = NULL;
    w->done(w->user, &w->facts, err);
}

static void fail(struct workspace *w, const char *what)
{
    struct err err;
    char *why = str_dup(w->errors.len ? buf_str(&w->errors) : buf_str(&w->out));
    err_set(&err, w->timed_out ? ERR_TIMEOUT : ERR_TOOL, "%s: %s", what,
            w->timed_out ? "git took longer than 10 minutes" : str_trim(why));
    mem_free(why);
    finish(w, &err);
}

static void on_line(void *user, enum loop_source source, const char *line)
{
    struct workspace *w = user;
    struct buf *b = source == LOOP_STDOUT ? &w->out : &w->errors;
    buf_str_add(b, line);
    buf_char(b, '\n');
}

static void on_exit_(void *user, int exit_code, int signal)
{
    struct workspace *w = user;
    (void)signal;
    loop_child_close(w->child);
    w->child = NULL;
    loop_timer_stop(w->timer);
    w->next(w, exit_code);
}

static void on_timeout(void *user)
{
    struct workspace *w = user;
    w->timed_out = true;
    if (w->child)
        loop_child_kill(w->child, 9);
}

static void step(struct workspace *w, const char *dir, const char *const *args, void (*next)(struct workspace *, int))
{
    // No optional locks: a mere look at the user's repository must not write its index. No maintenance: it would go on
    // behind us.
    const char *argv[GIT_ARGS_MAX] = {"git", "--no-optional-locks",
                                      "-c",  "core.hooksPath=/dev/null",
                                      "-c",  "core.fsmonitor=false",
                                      "-c",  "commit.gpgsign=false",
                                      "-c",  "gc.auto=0",
                                      "-c",  "maintenance.auto=false",
                                      "-c",  "user.name=Baton",
                                      "-c",  "user.email=baton@localhost",
                                      "-C",  dir};
    size_t n = 18;
    for (size_t i = 0; args[i]; i++) {
        must(n + 1 < GIT_ARGS_MAX);
        argv[n++] = args[i];
    }
    buf_clear(&w->out);
    buf_clear(&w->errors);
    w->next = next;
    struct err err;
    struct loop_child_options options = {.argv = argv, .on_line = on_line, .on_exit = on_exit_, .user = w};
    if (loop_child_new(w->loop, &options, &w->child, &err) < 0) {
        err_wrap(&err, "cannot start git");
        finish(w, &err);
        return;
    }
    loop_timer_start(w->timer, STEP_TIMEOUT_NS, 0);
}

#define STEP(w, dir, next, ...) step((w), (dir), (const char *const[]){__VA_ARGS__, NULL}, (next))

char *workspace_base_dir(const struct workspace *w)
{
    return path_join(w->run_dir, "base");
}

char *workspace_work_dir(const struct workspace *w)
{
    return path_join(w->run_dir, "work");
}

// --- prepare: lock file, from the last step to the first ---

// A project that does not track Cargo.lock has one beside it all the same: builds of a run must agree on it.
static int copy_lock_file(struct workspace *w, const char *checkout, struct err *err)
{
    AUTO_FREE char *from = path_join(w->project, "Cargo.lock");
    AUTO_FREE char *below = path_join(checkout, w->facts.prefix);
    AUTO_FREE char *to = path_join(below, "Cargo.lock");
    return file_exists(from) && !file_exists(to) && file_is_dir(below) ? file_copy(from, to, err) : 0;
}

static void prepared(struct workspace *w, int exit_code)
{
    if (exit_code != 0) {
        fail(w, "cannot check out the run's branch");
        return;
    }
    struct err err;
    AUTO_FREE char *base = workspace_base_dir(w);
    AUTO_FREE char *work = workspace_work_dir(w);
    int r = copy_lock_file(w, base, &err);
    if (r == 0)
        r = copy_lock_file(w, work, &err);
    finish(w, r < 0 ? &err : NULL);
}

// A checkout that is there may be half of one: the process was killed while git wrote it. `reset` completes it; what
// cannot be completed (a lock of a killed git, a damaged index) is made again. Never `worktree prune`: it takes away
// what another run on the same repository is just making.
static void make_branch(struct workspace *w, int exit_code)
{
    AUTO_FREE char *work = workspace_work_dir(w);
    if (exit_code == 0)
        prepared(w, 0);
    else
        STEP(w, w->facts.repository, prepared, "worktree", "add", "-q", "-f", "-B", w->facts.branch, work,
             w->facts.base);
}

// A resumed run may have commits on its branch: they stay.
static void make_work(struct workspace *w, int exit_code)
{
    (void)exit_code; // of `worktree remove`: git may not know it
    AUTO_FREE char *work = workspace_work_dir(w);
    file_remove_tree(work, NULL);
    if (w->wanted)
        STEP(w, w->facts.repository, make_branch, "worktree", "add", "-q", "-f", work, w->facts.branch);
    else
        make_branch(w, 1);
}

static void remake_work(struct workspace *w)
{
    AUTO_FREE char *work = workspace_work_dir(w);
    STEP(w, w->facts.repository, make_work, "worktree", "remove", "-f", "-f", work);
}

static void mended_work(struct workspace *w, int exit_code)
{
    if (exit_code == 0)
        prepared(w, 0);
    else
        remake_work(w);
}

// A checkout's .git is a file that names its folder in the repository. Tools that worked there cannot change it
// (agents/sandbox/places.c); should it lead elsewhere all the same, git here must not follow it to settings that start
// programs.
static bool is_ours(const struct workspace *w, const char *checkout)
{
    AUTO_FREE char *mark = path_join(checkout, ".git");
    AUTO_FREE char *expected = str_printf("gitdir: %s/worktrees/", w->common_dir);
    AUTO_FREE char *text = NULL;
    if (file_read(mark, GIT_FILE_MAX, &text, NULL, NULL) < 0 || !str_starts(text, expected))
        return false;
    const char *name = text + strlen(expected);
    return name[0] != '.' && !name[strcspn(name, "/")] && strcspn(name, "\n") + 1 == strlen(name);
}

static void add_work(struct workspace *w, int exit_code)
{
    if (exit_code != 0) {
        fail(w, "cannot check out the base commit");
        return;
    }
    AUTO_FREE char *work = workspace_work_dir(w);
    if (is_ours(w, work))
        STEP(w, work, mended_work, "reset", "-q", "--hard");
    else
        remake_work(w);
}

static void make_base(struct workspace *w, int exit_code)
{
    (void)exit_code; // of `worktree remove`: git may not know it
    AUTO_FREE char *base = workspace_base_dir(w);
    file_remove_tree(base, NULL);
    STEP(w, w->facts.repository, add_work, "worktree", "add", "-q", "-f", "--detach", base, w->facts.base);
}

static void remake_base(struct workspace *w)
{
    AUTO_FREE char *base = workspace_base_dir(w);
    STEP(w, w->facts.repository, make_base, "worktree", "remove", "-f", "-f", base);
}

static void mended_base(struct workspace *w, int exit_code)
{
    if (exit_code == 0)
        add_work(w, 0);
    else
        remake_base(w);
}

static void add_base(struct workspace *w)
{
    AUTO_FREE char *base = workspace_base_dir(w);
    if (is_ours(w, base))
        STEP(w, base, mended_base, "reset", "-q", "--hard", w->facts.base);
    else
        remake_base(w);
}

static void noted_status(struct workspace *w, int exit_code)
{
    w->facts.dirty = exit_code == 0 && w->out.len > 0;
    lock_repository(w, add_base);
}

// Output of rev-parse: top level, prefix (may be empty), HEAD, the repository's own folder.
static void noted_repository(struct workspace *w, int exit_code)
{
    size_t n = 0;
    char **lines = str_split(buf_str(&w->out), "\n", false, &n);
    if (exit_code == 0 && n >= 4) {
        str_set(&w->common_dir, lines[3]);
        str_set(&w->facts.repository, lines[0]);
        str_set(&w->facts.prefix, str_trim(lines[1]));
        size_t len = strlen(w->facts.prefix);
        if (len && w->facts.prefix[len - 1] == '/')
            w->facts.prefix[len - 1] = '\0';
        str_set(&w->facts.base, w->wanted ? w->wanted : lines[2]);
    }
    str_list_free(lines);
    if (!w->facts.base) {
        fail(w, "cannot read the repository of the project");
        return;
    }
    STEP(w, w->project, noted_status, "status", "--porcelain", "--", ".");
}

static void read_repository(struct workspace *w, const char *dir)
{
    STEP(w, dir, noted_repository, "rev-parse", "--show-toplevel", "--show-prefix", "HEAD", "--path-format=absolute",
         "--git-common-dir");
}

// --- a project without a repository ---

static void committed_copy(struct workspace *w, int exit_code)
{
    if (exit_code != 0) {
        fail(w, "cannot commit the copy of the project");
        return;
    }
    AUTO_FREE char *copy = path_join(w->run_dir, "origin");
    read_repository(w, copy);
}

static void added_copy(struct workspace *w, int exit_code)
{
    if (exit_code != 0) {
        fail(w, "cannot add the copy of the project");
        return;
    }
    AUTO_FREE char *copy = path_join(w->run_dir, "origin");
    STEP(w, copy, committed_copy, "commit", "-q", "--no-verify", "--allow-empty", "-m", "The project as it was");
}

// Build output below dir, as lines of an exclude file: folders that cargo has marked as its own. `below` is dir seen
// from the project.
static void list_build_folders(const char *dir, const char *below, unsigned depth, struct buf *out)
{
    DIR *d = depth < BUILD_FOLDER_DEPTH ? opendir(dir) : NULL;
    struct dirent *e;
    while (d && (e = readdir(d)) != NULL) {
        if (e->d_type != DT_DIR || e->d_name[0] == '.')
            continue;
        AUTO_FREE char *path = path_join(dir, e->d_name);
        AUTO_FREE char *mark = path_join(path, "CACHEDIR.TAG");
        AUTO_FREE char *seen = str_printf("%s/%s", below, e->d_name);
        if (!file_exists(mark))
            list_build_folders(path, seen, depth + 1, out);
        else if (!strpbrk(seen, "\n*?[\\")) // what has another meaning there is rather copied
            buf_printf(out, "%s/\n", seen);
    }
    if (d)
        closedir(d);
}

// The whole project but build output is added; git itself does the copying, with the project as its work tree.
static void made_copy(struct workspace *w, int exit_code)
{
    struct err err;
    struct buf excluded = BUF_INIT;
    if (exit_code != 0) {
        fail(w, "cannot make a repository for the project");
        return;
    }
    AUTO_FREE char *git_dir = str_printf("--git-dir=%s/origin/.git", w->run_dir);
    AUTO_FREE char *tree = str_printf("--work-tree=%s", w->project);
    AUTO_FREE char *info = str_printf("%s/origin/.git/info", w->run_dir);
    AUTO_FREE char *exclude = path_join(info, "exclude");
    buf_str_add(&excluded, "/target/\n");
    list_build_folders(w->project, "", 0, &excluded);
    int r = file_make_dirs(info, &err);
    if (r == 0)
        r = file_write(exclude, excluded.data, excluded.len, false, &err);
    buf_free(&excluded);
    if (r < 0)
        finish(w, &err);
    else
        STEP(w, w->project, added_copy, git_dir, tree, "add", "-A", "--", ".");
}

static void copy_project(struct workspace *w)
{
    AUTO_FREE char *copy = path_join(w->run_dir, "origin");
    AUTO_FREE char *mark = path_join(copy, ".git");
    w->facts.own_copy = true;
    if (w->wanted && file_exists(mark)) {
        read_repository(w, copy);
        return;
    }
    struct err err;
    file_remove_tree(copy, NULL);
    if (file_make_dirs(copy, &err) < 0) {
        finish(w, &err);
        return;
    }
    STEP(w, copy, made_copy, "init", "-q");
}

static void found_repository(struct workspace *w, int exit_code)
{
    if (exit_code == 0)
        noted_repository(w, 0);
    else if (strstr(buf_str(&w->errors), "dubious ownership"))
        fail(w, "the repository belongs to another user");
    else
        copy_project(w); // no repository, or one without a commit
}

struct workspace *workspace_prepare(struct loop *loop, const char *run, const char *run_dir, const char *project,
                                    const char *base_commit, workspace_done done, void *user)
{
    struct workspace *w = mem_alloc(sizeof(*w));
    w->loop = loop;
    w->run = str_dup(run);
    w->run_dir = str_dup(run_dir);
    w->project = str_dup(project);
    w->wanted = str_dup(base_commit);
    w->facts.branch = str_printf("baton/%s", run);
    w->timer = loop_timer_new(loop, on_timeout, w);
    w->lock_timer = loop_timer_new(loop, try_lock, w);
    w->lock = -1;
    w->out = BUF_MAX(OUTPUT_MAX);
    w->errors = BUF_MAX(OUTPUT_MAX);
    w->done = done;
    w->user = user;
    STEP(w, project, found_repository, "rev-parse", "--show-toplevel", "--show-prefix", "HEAD",
         "--path-format=absolute", "--git-common-dir");
    return w;
}

// --- remove ---

static void removed_branch(struct workspace *w, int exit_code)
{
    (void)exit_code; // it may never have been made
    finish(w, NULL);
}

static void counted_commits(struct workspace *w, int exit_code)
{
    bool empty = exit_code != 0 || str_starts(buf_str(&w->out), "0");
    if (w->keep_branch && !empty)
        finish(w, NULL);
    else
        STEP(w, w->facts.repository, removed_branch, "branch", "-q", "-D", w->facts.branch);
}

static void removed_work(struct workspace *w, int exit_code)
{
    (void)exit_code; // git may not know it
    AUTO_FREE char *base = workspace_base_dir(w);
    AUTO_FREE char *work = workspace_work_dir(w);
    struct err err;
    int r = file_remove_tree(base, &err);
    if (r == 0)
        r = file_remove_tree(work, &err);
    if (r < 0) {
        finish(w, &err);
        return;
    }
    AUTO_FREE char *range = str_printf("%s..%s", w->facts.base, w->facts.branch);
    STEP(w, w->facts.repository, counted_commits, "rev-list", "--count", range);
}

static void removed_base(struct workspace *w, int exit_code)
{
    (void)exit_code;
    AUTO_FREE char *work = workspace_work_dir(w);
    STEP(w, w->facts.repository, removed_work, "worktree", "remove", "-f", "-f", work);
}

static void remove_base(struct workspace *w)
{
    AUTO_FREE char *base = workspace_base_dir(w);
    STEP(w, w->facts.repository, removed_base, "worktree", "remove", "-f", "-f", base);
}

void workspace_remove(struct workspace *w, bool keep_branch, workspace_done done, void *user)
{
    w->done = done;
    w->user = user;
    w->keep_branch = keep_branch;
    if (w->facts.repository)
        lock_repository(w, remove_base);
    else
        finish(w, NULL);
}

struct workspace *workspace_free(struct workspace *w)
{
    if (!w)
        return NULL;
    loop_child_close(w->child);
    loop_timer_close(w->timer);
    loop_timer_close(w->lock_timer);
    unlock(w);
    mem_free(w->common_dir);
    buf_free(&w->out);
    buf_free(&w->errors);
    mem_free(w->run);
    mem_free(w->run_dir);
    mem_free(w->project);
    mem_free(w->wanted);
    mem_free(w->facts.repository);
    mem_free(w->facts.prefix);
    mem_free(w->facts.base);
    mem_free(w->facts.branch);
    mem_free(w);
    return NULL;
}
