// Rules that the code does not show:
// - A folder is shown under the name the worker uses and under its resolved name: arguments may hold either.
// - Folders that may not be changed get a layer of memory: a benchmark that writes beside its sources works, and
// nothing of it stays.
#include "places.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "environment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const size_t GITFILE_MAX = 4096;
static const size_t MANIFEST_MAX = (size_t)1 << 20;

static void give_both(struct plan *plan, unsigned mode, const char *path)
{
    AUTO_FREE char *real = path_real(path, NULL);
    if (!real)
        return;
    plan_give(plan, mode, real, real);
    if (!str_eq(real, path))
        plan_give(plan, mode, path, real);
}

static void foreign_owner(struct plan *plan, const char *dir)
{
    struct stat st;
    if (geteuid() == 0 && stat(dir, &st) == 0 && st.st_uid != 0)
        plan->keep_dac = true; // root works in the folder of somebody else
}

// A mount of its own, since only what lies below it can be started, and the loader starts what can be mapped. cargo makes
// the folder itself; so that it can be granted, it must be there. (`cargo clean`, which removes it, starts nothing.)
static void give_target(const char *dir, bool writable, struct plan *plan)
{
    AUTO_FREE char *target = path_join(dir, "target");
    struct stat st;
    if (lstat(target, &st) < 0 && errno == ENOENT)
        mkdir(target, 0777);
    if (lstat(target, &st) == 0 && S_ISDIR(st.st_mode)) // not through a link
        give_both(plan, BOX_READ | BOX_EXEC | (writable ? BOX_WRITE : 0U), target);
}

static bool is_workspace(const char *manifest)
{
    AUTO_FREE char *text = NULL;
    return file_read(manifest, MANIFEST_MAX, &text, NULL, NULL) == 0 &&
           (str_starts(text, "[workspace]") || strstr(text, "\n[workspace]"));
}

// As cargo does: the nearest manifest with a workspace, or else the nearest one.
static char *project_root(const char *workspace, const char *cwd)
{
    AUTO_FREE char *at = str_dup(cwd);
    char *found = NULL;
    for (bool more = true; more && path_below(at, workspace);) {
        AUTO_FREE char *manifest = path_join(at, "Cargo.toml");
        bool there = file_exists(manifest), root = there && is_workspace(manifest);
        if (there && (root || !found))
            str_set(&found, at);
        more = !root && path_up(&at);
    }
    return found;
}

void places_give(const struct places *s, const char *cwd, char *const *environment, bool target, bool writable,
                 struct plan *plan)
{
    const unsigned change = BOX_READ | (writable ? BOX_WRITE : 0U);
    bool listed = s->readonly || s->writable;
    const char *chosen = environment_get(environment, "CARGO_TARGET_DIR");
    for (char *const *d = s->readonly; d && *d; d++)
        give_both(plan, BOX_READ | (writable ? BOX_OVERLAY : 0U), *d);
    for (char *const *d = s->writable; d && *d; d++) {
        give_both(plan, change, *d);
        foreign_owner(plan, *d);
    }
    for (char *const *d = s->own; d && *d; d++)
        give_both(plan, BOX_READ | BOX_WRITE | (target ? BOX_EXEC : 0U), *d);
    for (char *const *d = s->built; d && *d; d++)
        give_both(plan, BOX_READ | BOX_WRITE | (target ? BOX_EXEC : 0U), *d);
    for (const char *const *f = s->reach; f && *f; f++)
        give_both(plan, BOX_READ, *f);
    if (listed)
        return;
    bool inside = target && !chosen;
    give_both(plan, change, s->workspace);
    foreign_owner(plan, s->workspace);
    AUTO_FREE char *root = inside ? project_root(s->workspace, cwd) : NULL;
    if (root)
        give_target(root, writable, plan);
    else if (target && chosen && path_below(chosen, s->workspace)) {
        file_make_dirs(chosen, NULL);
        give_both(plan, BOX_READ | BOX_WRITE | BOX_EXEC, chosen);
    }
}

// --- git ---

// "gitdir: PATH" of a checkout's .git file, or the folder itself; then the common folder behind it.
static char *git_folder(const char *dir, bool *ret_own)
{
    AUTO_FREE char *dot = path_join(dir, ".git");
    *ret_own = file_is_dir(dot);
    if (*ret_own)
        return path_real(dot, NULL);
    AUTO_FREE char *text = NULL;
    if (file_read(dot, GITFILE_MAX, &text, NULL, NULL) < 0)
        return NULL;
    if (!str_starts(text, "gitdir:"))
        return NULL;
    AUTO_FREE char *folder = path_join(dir, str_trim(text + 7));
    AUTO_FREE char *pointer = path_join(folder, "commondir");
    char *common = NULL;
    if (file_read(pointer, GITFILE_MAX, &common, NULL, NULL) < 0)
        return path_real(folder, NULL);
    AUTO_FREE char *path = path_join(folder, str_trim(common));
    mem_free(common);
    return path_real(path, NULL);
}

static void give_git(const char *dir, bool writable, struct plan *plan)
{
    static const char *const SEALED[] = {"hooks", "config", "config.worktree", "info/attributes"};
    bool own = false;
    AUTO_FREE char *git = git_folder(dir, &own);
    if (!git)
        return;
    if (!own)
        plan_give(plan, BOX_READ | (writable ? BOX_WRITE : 0U), git, git);
    if (writable)
        foreign_owner(plan, git);
    for (size_t i = 0; i < ARRAY_LEN(SEALED); i++) {
        AUTO_FREE char *path = path_join(git, SEALED[i]);
        if (own && writable && i > 0) // `git config` of an own repository must work; the caller never trusts it
            continue;
        plan_seal(plan, path, path);
    }
    AUTO_FREE char *list = path_join(git, "objects/info/alternates");
    char *text = NULL;
    if (file_read(list, GITFILE_MAX, &text, NULL, NULL) < 0)
        return;
    char **lines = str_split(text, "\n", true, NULL);
    for (char **l = lines; *l; l++)
        if ((*l)[0] == '/')
            give_both(plan, BOX_READ, *l);
    str_list_free(lines);
    mem_free(text);
}

static void give_git_above(const char *start, const char *top, bool writable, struct plan *plan)
{
    AUTO_FREE char *at = str_dup(start);
    for (bool more = true; more && path_below(at, top); more = path_up(&at))
        give_git(at, writable, plan);
}

void places_git(const struct places *s, const char *cwd, bool writable, struct plan *plan)
{
    give_git_above(cwd, s->workspace, writable, plan);
    for (char *const *d = s->readonly; d && *d; d++)
        give_git(*d, writable, plan);
    for (char *const *d = s->writable; d && *d; d++)
        give_git(*d, writable, plan);
}

// --- cargo ---

static void give_toolchains(const char *rustup, struct plan *plan)
{
    AUTO_FREE char *dir = path_join(rustup, "toolchains");
    plan_give(plan, BOX_READ | BOX_MAP, rustup, rustup);
    plan_give(plan, BOX_READ | BOX_EXEC, dir, dir);
    DIR *d = opendir(dir);
    struct dirent *e;
    while (d && (e = readdir(d)) != NULL) { // `rustup toolchain link` makes links to elsewhere
        if (e->d_name[0] == '.')
            continue;
        AUTO_FREE char *name = path_join(dir, e->d_name);
        AUTO_FREE char *real = path_real(name, NULL);
        if (real && !path_below(real, dir))
            plan_give(plan, BOX_READ | BOX_EXEC, real, real);
    }
    if (d)
        closedir(d);
}

// A toolchain without rustup: bin/ beside lib/rustlib, wherever it was unpacked.
static void give_plain_toolchain(struct pins *pins, char *const *environment, struct plan *plan)
{
    const char *found = pins_find(pins, environment_get(environment, "PATH"), "rustc");
    AUTO_FREE char *rustc = found ? path_real(found, NULL) : NULL;
    if (!rustc)
        return;
    AUTO_FREE char *bin = path_dir(rustc);
    AUTO_FREE char *root = path_dir(bin);
    AUTO_FREE char *mark = path_join(root, "lib/rustlib");
    if (file_is_dir(mark) && !str_eq(root, "/usr"))
        plan_give(plan, BOX_READ | BOX_EXEC, root, root);
}

// Of the user's CARGO_HOME a fetch writes what it brings, and holds the locks of other cargos. Everything else there is
// empty and forgotten: earlier calls could have left configuration in the private one.
static int give_real_cargo(const char *home, struct plan *plan, struct err *err)
{
    static const char *const FOLDERS[] = {"registry", "git"}, *const LOCKS[] = {".package-cache",
                                                                                ".package-cache-mutate"};
    plan_tmpfs(plan, BOX_READ | BOX_WRITE, home);
    for (size_t i = 0; i < ARRAY_LEN(FOLDERS); i++) {
        AUTO_FREE char *path = path_join(home, FOLDERS[i]);
        int r = file_make_dirs(path, err);
        if (r < 0)
            return err_wrap(err, "dependencies have no place");
        plan_give(plan, BOX_READ | BOX_WRITE, path, path);
    }
    for (size_t i = 0; i < ARRAY_LEN(LOCKS); i++) {
        AUTO_FREE char *path = path_join(home, LOCKS[i]);
        int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0666);
        if (fd >= 0)
            close(fd);
        plan_give(plan, BOX_READ | BOX_WRITE, path, path);
    }
    return 0;
}

// Calls have a CARGO_HOME of their own with what was brought, read-only.
static int give_private_cargo(const struct places *s, const char *home, struct plan *plan, struct err *err)
{
    static const char *const FOLDERS[] = {"registry", "git", "bin"};
    AUTO_FREE char *private = path_join(s->home, "cargo");
    int r = file_make_dirs(private, err);
    if (r < 0)
        return err_wrap(err, "tools have no CARGO_HOME");
    plan_give(plan, BOX_READ | BOX_WRITE, home, private);
    for (size_t i = 0; i < ARRAY_LEN(FOLDERS); i++) {
        AUTO_FREE char *path = path_join(home, FOLDERS[i]);
        AUTO_FREE char *point = path_join(private, FOLDERS[i]);
        if (file_is_dir(path))
            file_make_dirs(point, NULL);
        plan_mount(plan, BOX_READ | (i == 2 ? BOX_EXEC : BOX_MAP), path, path);
    }
    return 0;
}

int places_cargo(const struct places *s, struct pins *pins, char *const *environment, bool real, struct plan *plan,
                 struct err *err)
{
    static const char *const CONFIG[] = {"config.toml", "config"};
    const char *home = environment_get(environment, "CARGO_HOME"),
               *rustup = environment_get(environment, "RUSTUP_HOME");
    if (rustup)
        give_toolchains(rustup, plan);
    give_plain_toolchain(pins, environment, plan);
    if (!home)
        return 0;
    int r = file_make_dirs(home, err);
    if (r < 0)
        return err_wrap(err, "tools have no CARGO_HOME");
    r = real ? give_real_cargo(home, plan, err) : give_private_cargo(s, home, plan, err);
    for (size_t i = 0; i < ARRAY_LEN(CONFIG) && r == 0; i++) {
        AUTO_FREE char *path = path_join(home, CONFIG[i]);
        AUTO_FREE char *private = path_join(s->home, "cargo");
        AUTO_FREE char *point = path_join(private, CONFIG[i]);
        if (!real && file_exists(path) && !file_exists(point))
            file_write(point, "", 0, false, NULL);
        plan_mount(plan, BOX_READ, path, path);
    }
    return r;
}

// --- private ---

void places_private(const struct places *s, bool start_temporary, struct plan *plan)
{
    static const char *const PARTS[] = {"home", "tmp"};
    plan_tmpfs(plan, BOX_READ | BOX_WRITE, "/tmp");
    plan_tmpfs(plan, BOX_READ | BOX_WRITE, "/var/tmp");
    plan_allow(plan, BOX_READ | BOX_WRITE, "/dev");
    plan_allow(plan, BOX_READ, "/proc");
    for (size_t i = 0; i < ARRAY_LEN(PARTS); i++) {
        AUTO_FREE char *path = path_join(s->home, PARTS[i]);
        plan_give(plan, BOX_READ | BOX_WRITE | (i == 1 && start_temporary ? BOX_EXEC : 0U), path, path);
    }
}

// --- files that steer tools ---

enum steering_kind { FOLDER, NAME, NESTED, REPOSITORY };

static const struct {
    const char *path;
    enum steering_kind kind;
} STEERING[] = {
#define X(path, kind) {path, kind},
#include "tbl/policy_protected.def"
#undef X
};

// A mount cannot lie on a link: what it leads to is sealed, and it is looked after.
static bool protect_link(const char *dir, char *path, struct steering *ret, struct plan *plan)
{
    char target[4096];
    ssize_t n = readlink(path, target, sizeof(target) - 1);
    if (n < 0)
        return false;
    AUTO_FREE char *real = path_real(path, NULL);
    if (real && path_below(real, dir) && !str_eq(real, dir))
        plan_seal(plan, real, real);
    target[n] = '\0';
    vec_push(&ret->links, path);
    vec_push(&ret->links, str_dup(target));
    return true;
}

static void protect_one(const char *dir, const char *name, enum steering_kind kind, struct steering *ret,
                        struct plan *plan)
{
    char *path = path_join(dir, name);
    bool made = kind == FOLDER && mkdir(path, 0777) == 0;
    struct stat st;
    if (!made && protect_link(dir, path, ret, plan))
        return;
    bool there = made || lstat(path, &st) == 0;
    if (there)
        plan_seal(plan, path, path);
    if (made)
        vec_push(&ret->made, path);
    else if (!there)
        vec_push(&ret->missing, path);
    else
        mem_free(path);
}

static void protect(const char *dir, struct steering *ret, struct plan *plan)
{
    // A folder, or the file of a checkout that says where the repository is: git on the host would follow another one
    // to settings that start programs. A missing one is not swept: it would be somebody's new repository.
    AUTO_FREE char *git = path_join(dir, ".git");
    struct stat is;
    if (lstat(git, &is) == 0 && !S_ISLNK(is.st_mode)) // a box cannot be made around a link
        plan_seal(plan, git, git);
    for (size_t i = 0; i < ARRAY_LEN(STEERING); i++)
        if (STEERING[i].kind != REPOSITORY)
            protect_one(dir, STEERING[i].path, STEERING[i].kind, ret, plan);
}

void places_steering(const struct places *s, const char *cwd, struct steering *ret, struct plan *plan)
{
    if (!s->readonly && !s->writable) {
        protect(s->workspace, ret, plan);
        AUTO_FREE char *root = project_root(s->workspace, cwd);
        if (root && !str_eq(root, s->workspace))
            protect(root, ret, plan);
    }
    for (char *const *d = s->writable; d && *d; d++) {
        protect(*d, ret, plan);
        AUTO_FREE char *root = path_below(cwd, *d) ? project_root(*d, cwd) : NULL;
        if (root && !str_eq(root, *d))
            protect(root, ret, plan);
    }
}

static void restore_link(const char *path, const char *target)
{
    char now[4096];
    ssize_t n = readlink(path, now, sizeof(now) - 1);
    now[n > 0 ? n : 0] = '\0';
    if (n > 0 && str_eq(now, target))
        return;
    file_remove_tree(path, NULL);
    (void)!symlink(target, path); // not possible: it is not there, which steers nobody
}

void places_sweep(struct steering *s)
{
    for (size_t i = 0; i < s->missing.len; i++) {
        struct stat st;
        if (lstat(s->missing.items[i], &st) == 0)
            file_remove_tree(s->missing.items[i], NULL);
        mem_free(s->missing.items[i]);
    }
    vec_free(&s->missing);
    for (size_t i = 0; i + 1 < s->links.len; i += 2) {
        restore_link(s->links.items[i], s->links.items[i + 1]);
        mem_free(s->links.items[i]);
        mem_free(s->links.items[i + 1]);
    }
    vec_free(&s->links);
}

void places_unmake(struct steering *s)
{
    for (size_t i = s->made.len; i-- > 0;) {
        rmdir(s->made.items[i]); // empty: nothing could be written into it but by git
        mem_free(s->made.items[i]);
    }
    vec_free(&s->made);
}
