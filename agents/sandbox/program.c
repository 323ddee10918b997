#include "program.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "environment.h"

#include <fcntl.h>
#include <stdlib.h>
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

static void give(struct plan *plan, struct pins *pins, char *const *environment, const char *path, int depth);

static void give_interpreter(struct plan *plan, struct pins *pins, char *const *environment, const char *file,
                             int depth)
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
        give(plan, pins, environment, words[0], depth + 1);
        if (str_eq(path_base(words[0]), "env") && words[1])
            program_give_named(plan, pins, environment, words[1]);
    }
    str_list_free(words);
}

// What was installed in a folder of its own reads what lies beside its `bin`: all of it where nothing else can be
// there, otherwise only libraries.
static void give_prefix(struct plan *plan, const char *file)
{
    static const char *const PARTS[] = {"lib", "lib64", "libexec", "pyvenv.cfg"};
    AUTO_FREE char *bin = path_dir(file);
    AUTO_FREE char *prefix = path_dir(bin);
    AUTO_FREE char *outer = path_dir(prefix);
    const char *home = getenv("HOME");
    if (!str_eq(path_base(bin), "bin") || strlen(prefix) <= 1 || str_eq(prefix, "/usr") ||
        str_eq(prefix, "/usr/local") || str_eq(prefix, home))
        return;
    if ((path_below(prefix, "/opt") && !str_eq(prefix, "/opt")) || str_eq(outer, "/usr/local") ||
        strstr(prefix, "/versions/") || strstr(prefix, "/installs/")) {
        if (!plan_covers(plan, prefix))
            plan_give(plan, BOX_READ | BOX_MAP, prefix, prefix);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(PARTS); i++) {
        AUTO_FREE char *path = path_join(prefix, PARTS[i]);
        if (file_exists(path) && !plan_covers(plan, path))
            plan_give(plan, BOX_READ | BOX_MAP, path, path);
    }
}

static void give(struct plan *plan, struct pins *pins, char *const *environment, const char *path, int depth)
{
    struct stat st;
    if (depth > SCRIPTS_MAX)
        return;
    AUTO_FREE char *file = follow(plan, path);
    if (!file || stat(file, &st) < 0 || !S_ISREG(st.st_mode) || access(file, X_OK) != 0)
        return;
    const struct pin *pin = pins_was(pins, file);
    if (pin)
        plan_pin(plan, BOX_READ | BOX_EXEC, file, &pin->is);
    else if (!plan_covers(plan, file))
        plan_mount(plan, BOX_READ | BOX_EXEC, file, file);
    plan_allow(plan, BOX_READ | BOX_EXEC, file);
    if (pin)
        give_prefix(plan, file);
    give_interpreter(plan, pins, environment, file, depth);
}

void program_give(struct plan *plan, struct pins *pins, char *const *environment, const char *path)
{
    give(plan, pins, environment, path, 0);
}

void program_give_named(struct plan *plan, struct pins *pins, char *const *environment, const char *pattern)
{
    for (char *const *file = pins_named(pins, environment_get(environment, "PATH"), pattern); *file; file++)
        give(plan, pins, environment, *file, 0);
}
