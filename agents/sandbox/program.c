#include "program.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "environment.h"

#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINKS_MAX = 16, SCRIPT_LINE_MAX = 256, SCRIPTS_MAX = 4 };

// Directory resolved, name kept: the place in the tree where the entry really is.
static char *settle(const char *path)
{
    AUTO_FREE char *dir = path_dir(path);
    AUTO_FREE char *real = path_real(dir, NULL);
    return real ? path_join(real, path_base(path)) : NULL;
}

// Gives the links on the way; returns the file at the end, NULL when there is none.
static char *follow(struct plan *plan, const char *path)
{
    char *at = settle(path);
    for (int i = 0; at && i < LINKS_MAX; i++) {
        char target[4096];
        ssize_t n = readlink(at, target, sizeof(target) - 1);
        if (n < 0)
            return at;
        target[n] = '\0';
        if (!plan_covers(plan, at))
            plan_link(plan, at, target);
        AUTO_FREE char *dir = path_dir(at);
        AUTO_FREE char *next = path_join(dir, target);
        mem_free(at);
        at = settle(next);
    }
    mem_free(at);
    return NULL;
}

static void give(struct plan *plan, char *const *environment, const char *path, int depth);

static void give_interpreter(struct plan *plan, char *const *environment, const char *file, int depth)
{
    char line[SCRIPT_LINE_MAX + 1];
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = fd < 0 ? -1 : read(fd, line, SCRIPT_LINE_MAX);
    if (fd >= 0)
        close(fd);
    if (n < 3 || line[0] != '#' || line[1] != '!')
        return;
    line[n] = '\0';
    line[strcspn(line, "\n")] = '\0';
    char **words = str_split(line + 2, " \t", true, NULL);
    if (words[0] && words[0][0] == '/') {
        give(plan, environment, words[0], depth + 1);
        if (str_eq(path_base(words[0]), "env") && words[1])
            program_give_named(plan, environment, words[1]);
    }
    str_list_free(words);
}

static void give(struct plan *plan, char *const *environment, const char *path, int depth)
{
    struct stat st;
    if (depth > SCRIPTS_MAX)
        return;
    AUTO_FREE char *file = follow(plan, path);
    if (!file || stat(file, &st) < 0 || !S_ISREG(st.st_mode) || access(file, X_OK) != 0)
        return;
    if (!plan_covers(plan, file))
        plan_mount(plan, BOX_READ | BOX_EXEC, file, file);
    plan_allow(plan, BOX_READ | BOX_EXEC, file);
    give_interpreter(plan, environment, file, depth);
}

void program_give(struct plan *plan, char *const *environment, const char *path)
{
    give(plan, environment, path, 0);
}

static void give_matching(struct plan *plan, char *const *environment, const char *dir, const char *pattern)
{
    DIR *d = opendir(dir);
    struct dirent *e;
    while (d && (e = readdir(d)) != NULL) {
        if (fnmatch(pattern, e->d_name, 0) != 0)
            continue;
        AUTO_FREE char *path = path_join(dir, e->d_name);
        program_give(plan, environment, path);
    }
    if (d)
        closedir(d);
}

void program_give_named(struct plan *plan, char *const *environment, const char *pattern)
{
    const char *path = environment_get(environment, "PATH");
    char **dirs = str_split(path ? path : "", ":", true, NULL);
    bool plain = !strpbrk(pattern, "*?[") || str_eq(pattern, "[");
    bool found = false;
    for (char **d = dirs; *d && !(plain && found); d++) {
        if ((*d)[0] != '/')
            continue;
        AUTO_FREE char *file = path_join(*d, pattern);
        if (!plain)
            give_matching(plan, environment, *d, pattern);
        else if (access(file, X_OK) == 0 && !file_is_dir(file)) {
            program_give(plan, environment, file);
            found = true;
        }
    }
    str_list_free(dirs);
}
