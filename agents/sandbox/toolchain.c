#include "toolchain.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "toml/toml.h"
#include "json/json.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>

enum { NAME_MAX_BYTES = 128, FOLDERS_MAX = 256 };
static const size_t FILE_MAX = 64 * 1024;

bool toolchain_is_proxy(const char *path)
{
    AUTO_FREE char *real = path_real(path, NULL);
    if (!real || str_starts(path_base(path), "rustup"))
        return false;
    if (str_eq(path_base(real), "rustup"))
        return true;
    // Installed as a hard link or as a copy beside it.
    AUTO_FREE char *dir = path_dir(real);
    AUTO_FREE char *rustup = path_join(dir, "rustup");
    struct stat a, b;
    return stat(real, &a) == 0 && stat(rustup, &b) == 0 && a.st_size == b.st_size &&
           (a.st_ino == b.st_ino || a.st_mtime == b.st_mtime);
}

void toolchain_free(struct toolchain *t)
{
    mem_free(t->name);
    mem_free(t->bin);
    *t = (struct toolchain){0};
}

// --- installed ones ---

static bool plain_name(const char *name)
{
    size_t n = strlen(name);
    return n > 0 && n <= NAME_MAX_BYTES && name[0] != '.' && !strpbrk(name, "/\\ \t\r\n\"'");
}

// "stable" stands for the folder "stable-x86_64-unknown-linux-gnu".
static char *with_host(const char *toolchains, const char *name)
{
    struct utsname host;
    size_t n = strlen(name);
    char *found = NULL;
    DIR *d = uname(&host) == 0 ? opendir(toolchains) : NULL;
    struct dirent *e;
    while (d && !found && (e = readdir(d)) != NULL)
        if (strncmp(e->d_name, name, n) == 0 && e->d_name[n] == '-' &&
            strncmp(e->d_name + n + 1, host.machine, 3) == 0) // riscv64 is riscv64gc there, armv7l armv7
            found = str_dup(e->d_name);
    if (d)
        closedir(d);
    return found;
}

static int take_installed(const struct toolchain_wish *w, const char *name, const char *who, struct toolchain *ret,
                          struct err *err)
{
    if (!plain_name(name))
        return err_set(err, ERR_DENIED, "%s asks for the toolchain '%.128s', which is not the name of an installed one",
                       who, name);
    AUTO_FREE char *toolchains = path_join(w->rustup_home, "toolchains");
    AUTO_FREE char *exact = path_join(toolchains, name);
    char *full = file_is_dir(exact) ? str_dup(name) : with_host(toolchains, name);
    if (!full)
        return err_set(err, ERR_NOT_FOUND,
                       "%s asks for the toolchain '%s', which is not installed; `rustup toolchain install %s` installs "
                       "it",
                       who, name, name);
    AUTO_FREE char *root = path_join(toolchains, full);
    ret->name = full;
    ret->bin = path_join(root, "bin");
    return 0;
}

// --- files ---

static bool permitted(const struct toolchain_wish *w, const char *name)
{
    for (char *const *p = w->permitted; p && *p; p++)
        if (fnmatch(*p, name, 0) == 0)
            return true;
    return false;
}

static int refuse_path(const char *file, const char *path, struct err *err)
{
    return err_set(
        err, ERR_DENIED,
        "'%s' names a toolchain by its folder ('%.200s'), which would start programs of the project; name an "
        "installed one with `channel`",
        file, path);
}

// The first line of an old file is a channel; everything else is TOML.
static int read_channel(const char *file, const char *text, char **ret, struct err *err)
{
    AUTO_FREE char *copy = str_dup(text);
    char *line = str_trim(copy);
    *ret = NULL;
    if (!strpbrk(line, "\n[=")) {
        if (strchr(line, '/'))
            return refuse_path(file, line, err);
        *ret = *line ? str_dup(line) : NULL;
        return 0;
    }
    AUTO_JSON json_t *toml = toml_parse_new(text, strlen(text), file, err);
    if (!toml)
        return -ERR_PARSE;
    const json_t *table = json_obj(toml, "toolchain");
    if (json_object_get(table, "path"))
        return refuse_path(file, json_str(table, "path", ""), err);
    *ret = str_dup(json_str(table, "channel", NULL));
    return 0;
}

// 1: found, 0: no such file or no channel in it.
static int take_file(const struct toolchain_wish *w, const char *dir, struct toolchain *ret, struct err *err)
{
    static const char *const NAMES[] = {"rust-toolchain", "rust-toolchain.toml"};
    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++) {
        AUTO_FREE char *file = path_join(dir, NAMES[i]);
        AUTO_FREE char *text = NULL;
        AUTO_FREE char *channel = NULL;
        struct stat st;
        if (lstat(file, &st) < 0 || S_ISDIR(st.st_mode))
            continue;
        int r = S_ISREG(st.st_mode)
                    ? file_read(file, FILE_MAX, &text, NULL, err)
                    : err_set(err, ERR_DENIED, "'%s' is a link, it must be a file", file); // to whatever
        r = r < 0 ? r : read_channel(file, text, &channel, err);
        if (r < 0 || !channel)
            return r;
        AUTO_FREE char *who = str_printf("'%s'", file);
        if (plain_name(channel) && !permitted(w, channel))
            return err_set(err, ERR_DENIED,
                           "%s asks for the toolchain '%s', which this site does not permit to projects (key toolchain "
                           "in sandbox.profiles)",
                           who, channel);
        r = take_installed(w, channel, who, ret, err);
        return r < 0 ? r : 1;
    }
    return 0;
}

static json_t *settings_new(const struct toolchain_wish *w)
{
    AUTO_FREE char *file = path_join(w->rustup_home, "settings.toml");
    return file_exists(file) ? toml_read_file_new(file, NULL) : NULL;
}

static int search_folders(const struct toolchain_wish *w, const json_t *settings, struct toolchain *ret,
                          struct err *err)
{
    AUTO_FREE char *at = str_dup(w->cwd);
    int r = 0;
    bool more = true;
    for (int i = 0; i < FOLDERS_MAX && r == 0 && more; i++) {
        const char *chosen = json_str(json_obj(settings, "overrides"), at, NULL);
        if (chosen) {
            r = take_installed(w, chosen, "your `rustup override`", ret, err);
            return r < 0 ? r : 1;
        }
        r = take_file(w, at, ret, err);
        more = path_up(&at);
    }
    return r;
}

int toolchain_choose(const struct toolchain_wish *w, struct toolchain *ret, struct err *err)
{
    *ret = (struct toolchain){0};
    if (w->plus)
        return take_installed(w, w->plus, "the command", ret, err);
    if (w->variable && *w->variable)
        return take_installed(w, w->variable, "RUSTUP_TOOLCHAIN", ret, err);
    AUTO_JSON json_t *settings = settings_new(w);
    int r = search_folders(w, settings, ret, err);
    if (r != 0)
        return r < 0 ? r : 0;
    const char *name = json_str(settings, "default_toolchain", NULL);
    if (!name)
        return err_set(err, ERR_NOT_FOUND, "rustup has no default toolchain; `rustup default stable` sets one");
    return take_installed(w, name, "rustup's default", ret, err);
}
