#include "reviewer/workplace.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct copier {
    size_t files;
    int64_t bytes;
    struct err *err;
};

static int copy_link(const char *from, const char *to, struct err *err)
{
    char target[4096];
    ssize_t n = readlink(from, target, sizeof(target) - 1);
    if (n < 0)
        return err_sys(err, errno, "cannot read the link '%s'", from);
    target[n] = '\0';
    if (symlink(target, to) < 0)
        return err_sys(err, errno, "cannot make the link '%s'", to);
    return 0;
}

static int copy_folder(struct copier *c, const char *from, const char *to);

static int copy_entry(struct copier *c, const char *from, const char *to)
{
    struct stat st;
    if (lstat(from, &st) < 0)
        return err_sys(c->err, errno, "cannot look at '%s'", from);
    if (S_ISDIR(st.st_mode))
        return copy_folder(c, from, to);
    if (++c->files > COPY_FILES_MAX || (c->bytes += st.st_size) > COPY_BYTES_MAX)
        return err_set(c->err, ERR_LIMIT, "the checkout is too large to copy (at most %zu files and %lld bytes)",
                       COPY_FILES_MAX, (long long)COPY_BYTES_MAX);
    if (S_ISLNK(st.st_mode))
        return copy_link(from, to, c->err);
    if (!S_ISREG(st.st_mode))
        return 0;
    int r = file_copy(from, to, c->err);
    const struct timespec times[2] = {st.st_atim, st.st_mtim};
    if (r == 0 && utimensat(AT_FDCWD, to, times, 0) < 0) // cargo rebuilds what looks newer
        return err_sys(c->err, errno, "cannot set the time of '%s'", to);
    return r;
}

static int copy_folder(struct copier *c, const char *from, const char *to)
{
    int r = file_make_dirs(to, c->err);
    DIR *d = r == 0 ? opendir(from) : NULL;
    if (r == 0 && !d)
        return err_sys(c->err, errno, "cannot read the folder '%s'", from);
    struct dirent *e;
    while (r == 0 && (e = readdir(d)) != NULL) {
        const char *n = e->d_name;
        if (str_eq(n, ".") || str_eq(n, "..") || str_eq(n, ".git") || str_eq(n, "target"))
            continue;
        AUTO_FREE char *source = path_join(from, n);
        AUTO_FREE char *target = path_join(to, n);
        r = copy_entry(c, source, target);
    }
    if (d)
        closedir(d);
    return r;
}

int tree_copy(const char *from, const char *to, struct err *err)
{
    struct copier c = {.err = err};
    int r = file_remove_tree(to, err);
    return r < 0 ? r : copy_folder(&c, from, to);
}

char *last_line(const struct buf *text)
{
    char **lines = str_split(buf_str(text), "\n", true, NULL);
    char *found = NULL;
    for (char **l = lines; *l; l++) {
        char *line = str_trim(*l);
        bool error = str_starts(line, "error");
        if (*line && (!found || error || !str_starts(found, "error"))) {
            mem_free(found);
            found = str_dup(line);
        }
        if (error)
            break; // the first error says more than what follows from it
    }
    str_list_free(lines);
    if (found && strlen(found) > 300)
        found[str_utf8_cut(found, 300)] = '\0';
    return found ? found : str_dup("no message");
}

static void add_limit(json_t *limits, const char *what, const char *why)
{
    AUTO_FREE char *text = str_printf("%s: %s", what, why);
    json_add_str(limits, text);
}

// "host: x86_64-unknown-linux-gnu" of `cargo -vV`; NULL when it does not say.
static char *host_triple(struct exec_context *exec, const char *dir)
{
    static const char *const ARGV[] = {"cargo", "-vV", NULL};
    struct exec_result result;
    char *host = NULL;
    if (exec_check(exec, &(struct exec_call){.argv = ARGV, .cwd = dir}, &result, NULL) == 0) {
        char **lines = str_split(buf_str(&result.out), "\n", true, NULL);
        for (char **l = lines; *l && !host; l++)
            if (str_starts(*l, "host: "))
                host = str_dup(str_trim(*l + strlen("host: ")));
        str_list_free(lines);
    }
    exec_result_free(&result);
    return host;
}

enum metadata_answer { METADATA_READ, METADATA_NEEDS_LOCK, METADATA_FAILED };

static int ask_metadata(struct exec_context *exec, struct workplace *w, const char *host, bool locked, json_t *limits,
                        enum metadata_answer *ret, struct err *err)
{
    const char **argv = cargo_metadata_argv(&(struct cargo_metadata_options){.locked = locked, .platform = host});
    struct exec_result result;
    struct exec_call call = {.argv = argv, .cwd = w->dir, .output_max = JSON_TEXT_MAX};
    struct err refused;
    int r = exec_run(exec, &call, &result, &refused);
    *ret = METADATA_FAILED;
    if (r == -ERR_CANCELLED) {
        err_set(err, refused.code, "%s", refused.text);
    } else if (r < 0) { // denied or no cargo: what needs no tools can still be done
        add_limit(limits, "cargo metadata could not run, so dependencies are not reviewed", refused.text);
        r = 0;
    } else if (result.exit_code == 0) {
        struct err why;
        if (cargo_metadata_parse(buf_str(&result.out), result.out.len, &w->metadata, &why) == 0) {
            w->has_metadata = true;
            *ret = METADATA_READ;
        } else {
            add_limit(limits, "the project's packages are not known", why.text);
        }
    } else if (locked && (strstr(buf_str(&result.err), "--locked") || strstr(buf_str(&result.err), "lock file"))) {
        *ret = METADATA_NEEDS_LOCK;
    } else {
        AUTO_FREE char *line = last_line(&result.err);
        add_limit(limits, "cargo metadata failed, so dependencies are not reviewed", line);
    }
    exec_result_free(&result);
    mem_free(argv);
    return r;
}

static int use_copy(struct workplace *w, const struct workplace_request *request, struct err *err)
{
    const char *prefix = path_below(w->dir, w->root);
    if (!prefix)
        return err_set(err, ERR_INVALID, "the project '%s' does not lie in its checkout '%s'", w->dir, w->root);
    AUTO_FREE char *copy = str_printf("%s/copy-%s", request->scratch, request->name);
    int r = tree_copy(w->root, copy, err);
    if (r < 0)
        return r;
    char *dir = *prefix ? path_join(copy, prefix) : str_dup(copy);
    mem_free(w->dir);
    str_set(&w->root, copy);
    w->dir = dir;
    w->copied = true;
    return 0;
}

int workplace_open(struct exec_context *exec, const struct workplace_request *request, json_t *limits,
                   struct workplace *ret, struct err *err)
{
    struct workplace w = {.root = str_dup(request->root), .dir = str_dup(request->dir)};
    AUTO_FREE char *manifest = path_join(w.dir, "Cargo.toml");
    int r = file_exists(manifest) ? 0 : err_set(err, ERR_NOT_FOUND, "there is no Cargo.toml in '%s'", w.dir);
    if (r == 0) {
        AUTO_FREE char *host = host_triple(exec, w.dir);
        enum metadata_answer answer;
        r = ask_metadata(exec, &w, host, true, limits, &answer, err);
        if (r == 0 && answer == METADATA_NEEDS_LOCK) {
            r = use_copy(&w, request, err);
            if (r == 0)
                r = ask_metadata(exec, &w, host, false, limits, &answer, err);
        }
    }
    if (r == 0)
        r = target_dir_open(exec, request->cache, request->name, request->commit, w.has_metadata ? &w.metadata : NULL,
                            w.dir, &w.target, err);
    if (r < 0) {
        workplace_close(&w);
        return r;
    }
    *ret = w;
    return 0;
}

void workplace_close(struct workplace *w)
{
    target_dir_close(&w->target);
    if (w->copied)
        file_remove_tree(w->root, NULL);
    cargo_metadata_free(&w->metadata);
    mem_free(w->root);
    mem_free(w->dir);
    *w = (struct workplace){0};
}
