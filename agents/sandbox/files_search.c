// Finding files and lines. Folders are entered one by one from the held one, links are not followed, and what was found
// is asked about as Read of each file.
#include "files_inside.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "policy/glob.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GREP_FILE_MAX ((size_t)8 << 20)

struct search {
    struct files *f;
    const char *pattern;
    VEC(char *) found;
    size_t entries;
};

static bool readable(struct search *s, const char *path)
{
    const struct policy_context context = {.workspace = s->f->root, .cwd = s->f->root, .home = s->f->ctx->home};
    struct decision d;
    decide_path(s->f->ctx->policy, &context, "Read", path, &d);
    return d.verdict != POLICY_DENY;
}

static int walk(struct search *s, const char *dir, int depth, struct err *err);

static int visit(struct search *s, int fd, const char *dir, const char *name, int depth, struct err *err)
{
    struct stat st;
    if (str_eq(name, ".") || str_eq(name, "..") || fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    if (++s->entries > FILES_ENTRIES_MAX)
        return err_set(err, ERR_LIMIT, "the search looked at %d files and folders, which is the maximum",
                       FILES_ENTRIES_MAX);
    AUTO_FREE char *path = str_eq(dir, ".") ? str_dup(name) : path_join(dir, name);
    if (S_ISDIR(st.st_mode))
        return str_eq(name, ".git") ? 0 : walk(s, path, depth + 1, err);
    if (!S_ISREG(st.st_mode) || !glob_path(s->pattern, path, false) || !readable(s, path))
        return 0;
    if (s->found.len >= FILES_FOUND_MAX)
        return err_set(err, ERR_LIMIT, "more than %d files fit '%s': name them more closely", FILES_FOUND_MAX,
                       s->pattern);
    vec_push(&s->found, str_dup(path));
    return 0;
}

static int walk(struct search *s, const char *dir, int depth, struct err *err)
{
    int fd =
        depth > FILES_DEPTH_MAX ? -ELOOP : files_openat(s->f->fd, dir, O_RDONLY | O_DIRECTORY, RESOLVE_NO_SYMLINKS);
    if (fd < 0) // gone, swapped or closed to us meanwhile: nothing to be found there
        return 0;
    DIR *d = fdopendir(fd);
    if (!d) {
        close(fd);
        return err_sys(err, errno, "cannot read the folder '%s'", dir);
    }
    struct dirent *e;
    int r = 0;
    while (r == 0 && (e = readdir(d)) != NULL)
        r = visit(s, fd, dir, e->d_name, depth, err);
    closedir(d);
    return r;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void search_free(struct search *s)
{
    for (size_t i = 0; i < s->found.len; i++)
        mem_free(s->found.items[i]);
    vec_free(&s->found);
}

static int search(struct search *s, const char *tool, struct decision *d, struct err *err)
{
    int r = files_decide(s->f, tool, s->pattern, d, err);
    if (r == 0)
        r = walk(s, ".", 0, err);
    if (r == 0 && s->found.len)
        qsort(s->found.items, s->found.len, sizeof(*s->found.items), by_name);
    return r;
}

int files_glob(struct files *f, const char *pattern, json_t **ret, struct err *err)
{
    struct search s = {.f = f, .pattern = pattern};
    struct decision d;
    int r = search(&s, "Glob", &d, err);
    if (r == 0) {
        *ret = json_array();
        for (size_t i = 0; i < s.found.len; i++)
            json_array_append_new(*ret, json_text_new(s.found.items[i], strlen(s.found.items[i])));
        files_note_read(f, "Glob", pattern, 0, &d);
    }
    search_free(&s);
    return r;
}

// False: enough was found.
static bool grep_text(const char *path, const char *content, size_t len, const char *text, json_t *matches)
{
    size_t wanted = strlen(text), number = 1;
    for (const char *at = content, *end = content + len; at < end; number++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        stop = stop ? stop : end;
        if (memmem(at, (size_t)(stop - at), text, wanted)) {
            size_t n = (size_t)(stop - at) < FILES_LINE_MAX ? (size_t)(stop - at) : FILES_LINE_MAX;
            if (json_array_size(matches) >= FILES_LINES_MAX)
                return false;
            json_t *match = json_object();
            json_put(match, "path", json_text_new(path, strlen(path)));
            json_put_int(match, "line", (int64_t)number);
            json_put(match, "text", json_text_new(at, n));
            json_array_append_new(matches, match);
        }
        at = stop + 1;
    }
    return true;
}

int files_grep(struct files *f, const char *text, const char *pattern, json_t **ret, struct err *err)
{
    struct search s = {.f = f, .pattern = pattern};
    struct decision d;
    if (!*text || strchr(text, '\n'))
        return err_set(err, ERR_INVALID, "the text to search for is empty or has more than one line");
    int r = search(&s, "Grep", &d, err);
    AUTO_JSON json_t *matches = json_array();
    bool cut = false;
    for (size_t i = 0; i < s.found.len && r == 0 && !cut; i++) {
        char *content = NULL;
        size_t len = 0;
        if (files_read(f, s.found.items[i], GREP_FILE_MAX, &content, &len, NULL) == 0)
            cut = !grep_text(s.found.items[i], content, len, text, matches);
        mem_free(content);
        if (atomic_load(&f->ctx->cancelled))
            r = err_set(err, ERR_CANCELLED, "the search was cancelled");
    }
    if (r == 0) {
        *ret = json_object();
        json_put(*ret, "matches", json_incref(matches));
        json_put_flag(*ret, "cut", cut);
        files_note_read(f, "Grep", pattern, 0, &d);
    }
    search_free(&s);
    return r;
}
