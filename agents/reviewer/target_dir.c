#include "reviewer/target_dir.h"

#include "base/file.h"
#include "base/id.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define STAMP_MAX 256

static int lock_file(const char *path, struct err *err)
{
    int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd < 0)
        return err_sys(err, errno, "cannot open '%s'", path);
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    close(fd);
    return 0; // taken; descriptor 0 is standard input, so it never is ours
}

static bool has_stamp(const char *path, const char *stamp)
{
    char *text = NULL;
    bool same = stamp && file_read(path, STAMP_MAX, &text, NULL, NULL) == 0 && str_eq(text, stamp);
    mem_free(text);
    return same;
}

// `cargo clean -p` for each member. cargo refuses two packages of one name, but members cannot have one name.
static int clean_members(struct exec_context *exec, const struct target_dir *t, const struct cargo_metadata *m,
                         const char *cwd, struct err *err)
{
    VEC(const char *) argv = {0};
    vec_push(&argv, "cargo");
    vec_push(&argv, "clean");
    vec_push(&argv, "--quiet");
    for (size_t i = 0; i < m->package_count; i++) {
        if (!m->packages[i].is_local)
            continue;
        vec_push(&argv, "-p");
        vec_push(&argv, m->packages[i].name);
    }
    vec_push(&argv, NULL);
    const char *const env[] = {t->env, NULL};
    struct exec_result result;
    int r = exec_check(exec, &(struct exec_call){.argv = argv.items, .cwd = cwd, .env = env}, &result, err);
    exec_result_free(&result);
    vec_free(&argv);
    return r;
}

static int make_fresh(struct exec_context *exec, const struct target_dir *t, const char *stamp,
                      const struct cargo_metadata *metadata, const char *cwd, struct err *err)
{
    AUTO_FREE char *state = path_join(t->path, "baton-stamp");
    if (has_stamp(state, stamp))
        return 0;
    struct err why;
    int r = metadata ? clean_members(exec, t, metadata, cwd, &why) : -ERR_NOT_FOUND;
    if (r == -ERR_CANCELLED)
        return err_set(err, ERR_CANCELLED, "%s", why.text);
    if (r < 0)
        r = file_remove_tree(t->path, err);
    if (r == 0)
        r = file_make_dirs(t->path, err);
    return r < 0 ? r : file_write(state, stamp ? stamp : "", stamp ? strlen(stamp) : 0, false, err);
}

int target_dir_open(struct exec_context *exec, const char *cache, const char *name, const char *stamp,
                    const struct cargo_metadata *metadata, const char *cwd, struct target_dir *ret, struct err *err)
{
    struct target_dir t = {0};
    AUTO_FREE char *lock = str_printf("%s/target-%s.lock", cache, name);
    int r = file_make_dirs(cache, err);
    if (r == 0)
        r = t.lock = lock_file(lock, err);
    if (r < 0)
        return r;
    char suffix[ID_SHORT_TEXT] = "";
    t.own = t.lock == 0;
    if (t.own)
        id_short(suffix);
    t.path = str_printf("%s/target-%s%s%s", cache, name, t.own ? "-" : "", suffix);
    t.env = str_printf("CARGO_TARGET_DIR=%s", t.path);
    r = file_is_dir(t.path) ? make_fresh(exec, &t, stamp, metadata, cwd, err) : file_make_dirs(t.path, err);
    if (r == 0 && stamp) {
        AUTO_FREE char *state = path_join(t.path, "baton-stamp");
        r = file_write(state, stamp, strlen(stamp), false, err);
    }
    if (r < 0) {
        target_dir_close(&t);
        return r;
    }
    *ret = t;
    return 0;
}

void target_dir_close(struct target_dir *t)
{
    if (t->own && t->path)
        file_remove_tree(t->path, NULL);
    if (t->lock > 0)
        close(t->lock);
    mem_free(t->path);
    mem_free(t->env);
    *t = (struct target_dir){0};
}
